//! The HTTP surface: what surrounds every request, the router, and the pieces that areas build their handlers from.

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    extract::{OriginalUri, Request, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures::FutureExt as _;
use http::{HeaderValue, Method, StatusCode, header};
use tower::ServiceExt as _;

use crate::{audit::Watch, database::DataApiRequest, state::App};

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

/// Answers every request of the process. What surrounds a request is written out instead of layered: each layer of a router copies the
/// service below it and moves request and response once more, which together costs more than reading a row.
pub(crate) struct Front {
    app: Arc<App>,
    routes: Router,
}

impl Front {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { routes: routes(Arc::clone(&app)), app }
    }

    /// Counts, logs and answers.
    pub(crate) async fn answer(&self, request: Request) -> Response {
        let observed = observe::Observed::begin(&self.app, &request);
        let response = self.across_origins(request).await;
        observed.end(&self.app, response)
    }

    async fn across_origins(&self, request: Request) -> Response {
        let origin = request.headers().get(header::ORIGIN).cloned();
        let mut response = if request.method() == Method::OPTIONS {
            cors::preflight(request.headers(), origin)
        } else {
            let mut response = self.conditionally(request).await;
            cors::add_common(response.headers_mut(), origin);
            response
        };
        response
            .headers_mut()
            .insert(header::HeaderName::from_static("x-powered-by"), HeaderValue::from_static("Express"));
        response
    }

    async fn conditionally(&self, request: Request) -> Response {
        let asked = conditional::Asked::of(&request);
        // Boxed, so that what is polled around a request stays small.
        let work = Box::pin(AssertUnwindSafe(self.respond(request)).catch_unwind());
        asked.apply(work.await.unwrap_or_else(observe::panicked)).await
    }

    /// Requests for records need no router to be recognised.
    async fn respond(&self, mut request: Request) -> Response {
        request::forget_last_slash(&mut request);
        match DataApiRequest::recognise(request) {
            Ok(request) => request.answer(&self.app).await,
            Err(mut request) => {
                let watch = Watch::begin(&self.app, &mut request);
                let answer = self.routes.clone().oneshot(request).await;
                let response = answer.unwrap_or_else(|never: Infallible| match never {});
                if let Some(watch) = watch {
                    watch.end(response.status()).await;
                }
                response
            }
        }
    }
}

/// Every route of the process.
fn routes(app: Arc<App>) -> Router {
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
