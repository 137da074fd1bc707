//! The HTTP surface: the router with what surrounds every request, and the pieces that areas build their handlers from.

use std::sync::Arc;

use axum::{
    Router,
    extract::{OriginalUri, State},
    middleware,
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

use crate::state::App;

mod body;
mod conditional;
pub mod cookies;
mod cors;
mod error;
mod form;
pub mod limits;
mod observe;
mod paginated;
mod request;
mod sqlstate;
pub mod validation;

pub use body::{JsonBody, content_type, read};
pub use error::{Error, Result};
pub use paginated::paginated;
pub use request::{ClientAddress, Query};

/// Every route of the process.
pub fn router(app: Arc<App>) -> Router {
    let api = Router::new()
        .nest("/auth", crate::auth::router())
        .nest("/database", crate::database::router())
        .nest("/email", crate::email::router())
        .nest("/secrets", crate::secrets::router())
        .nest("/storage", crate::storage::router())
        .nest("/metadata", crate::metadata::router())
        .nest("/functions", crate::functions::router())
        .nest("/usage", crate::usage::router())
        .nest("/logs", crate::logs::router())
        .nest("/advisor", crate::advisor::router())
        .nest("/docs", crate::docs::router())
        .nest("/dashboard", crate::dashboard::router())
        .merge(crate::health::router());
    Router::new()
        .nest("/api", api)
        .route("/", get(root))
        .merge(crate::auth::well_known())
        .merge(crate::functions::invocation())
        .nest(data_plane_contract::PLATFORM_PREFIX, crate::platform::router().merge(crate::schema::router()))
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(middleware::from_fn(conditional::apply))
        .layer(middleware::from_fn(cors::apply))
        .layer(SetResponseHeaderLayer::overriding(
            header::HeaderName::from_static("x-powered-by"),
            HeaderValue::from_static("Express"),
        ))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), observe::observe))
        .with_state(app)
}

/// A process on its own shows its dashboard's sign-in page at the root.
async fn root(State(app): State<Arc<App>>, uri: OriginalUri) -> Response {
    match app.config.part_of_cloud() {
        true => not_found(uri).await.into_response(),
        false => (StatusCode::FOUND, [(header::LOCATION, "/dashboard/login")]).into_response(),
    }
}

async fn not_found(OriginalUri(uri): OriginalUri) -> Error {
    let url = uri.path_and_query().map_or("/", |path| path.as_str());
    Error::not_found("NOT_FOUND", format!("Endpoint {url} not found"))
        .with_next_actions("Please check the API documentation for available endpoints")
}
