//! The advisor: looks over the database for what is unsafe, slow or about to break, and says what to do about it.

use std::sync::Arc;

use axum::{
    Router,
    routing::{delete, get, post},
};

use crate::state::App;

mod issues;
mod rules;
mod scans;
mod suppressions;

pub(crate) use scans::run_scheduled;

/// Routes of this area.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/scan", post(scans::start))
        .route("/latest", get(scans::latest))
        .route("/issues", get(issues::list))
        .route("/suppressions", get(suppressions::list).post(suppressions::create))
        .route("/suppressions/{id}", delete(suppressions::delete))
}
