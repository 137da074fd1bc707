//! Edge functions: their source is kept here. Nothing runs them yet, and calling one says so.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::{any, get},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::state::App;

mod definitions;
mod source;

/// Routes under `/api/functions`.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/", get(definitions::list_functions).post(definitions::create_function)).route(
        "/{slug}",
        get(definitions::get_function).put(definitions::update_function).delete(definitions::delete_function),
    )
}

/// Routes that call functions.
pub(crate) fn invocation() -> Router<Arc<App>> {
    Router::new().route("/functions/{slug}", any(invoke_function))
}

/// There is no runtime, which callers learn as from a runtime that is down.
async fn invoke_function(State(app): State<Arc<App>>, Path(_slug): Path<String>) -> Response {
    app.activity.function_called();
    let body = axum::Json(json!({"error": "The functions runtime is not running"}));
    let any_origin = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))];
    (StatusCode::BAD_GATEWAY, any_origin, body).into_response()
}
