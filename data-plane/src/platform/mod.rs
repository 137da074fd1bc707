//! Platform-internal routes: what the cloud asks of this process. The gateway never forwards them.

mod identity;
mod status;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

use crate::state::App;

/// Routes under the platform prefix.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/status", get(status::get_status)).route("/identity", post(identity::assume_identity))
}
