//! Platform-internal routes.

use std::sync::Arc;

use axum::Router;

use crate::state::App;

/// Routes under the platform prefix.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
}
