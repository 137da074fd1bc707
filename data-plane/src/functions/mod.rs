//! Edge functions.

use std::sync::Arc;

use axum::Router;

use crate::state::App;

/// Routes under `/api/functions`.
pub fn router() -> Router<Arc<App>> {
    Router::new()
}

/// Routes that call functions.
pub fn invocation() -> Router<Arc<App>> {
    Router::new()
}
