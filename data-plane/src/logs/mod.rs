//! Logs for administrators: the audit trail, and what this process, Postgres and functions wrote.

use std::sync::Arc;

use axum::{Router, routing::get};

use crate::state::App;

mod audits;
mod entries;
mod files;
mod handlers;
mod postgres;
mod sources;
mod writer;

pub(crate) use writer::run as write_in_background;
pub use writer::{Logs, Request};

/// Routes of this area.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/audits", get(audits::list_audits).delete(audits::delete_audits))
        .route("/audits/stats", get(audits::get_audit_stats))
        .route("/sources", get(handlers::list_sources))
        .route("/stats", get(handlers::get_stats))
        .route("/search", get(handlers::search))
        .route("/functions/build-logs", get(handlers::get_build_logs))
        .route("/{source}", get(handlers::read_source))
}
