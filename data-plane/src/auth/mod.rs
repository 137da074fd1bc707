//! End users and their sessions, administrators' sessions, and the project's auth configuration.

use std::sync::Arc;

use axum::Router;

use crate::state::App;

pub mod passwords;

/// Routes under `/api/auth`.
pub fn router() -> Router<Arc<App>> {
    Router::new()
}

/// The public key set at both its addresses.
pub fn well_known() -> Router<Arc<App>> {
    Router::new()
}
