//! The storage area.

use std::sync::Arc;

use axum::Router;

use crate::state::App;

/// Routes of this area.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
}
