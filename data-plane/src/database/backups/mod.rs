//! Backups of the whole database by `pg_dump`, on a process that runs on its own. Where a platform runs the project, it keeps the
//! backups, and these routes are absent.

mod catalogue;
mod configuration;
mod files;
mod restore;
mod running;
mod schedule;

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRequestParts, OriginalUri},
    routing::{get, patch, post},
};
use http::request::Parts;

use crate::{
    http::{Error, Result},
    state::App,
};

pub(crate) use files::FOLDER;
pub(super) use running::Busy;
pub(crate) use schedule::run as run_scheduled;

/// Routes under `/api/database`.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/backups", get(catalogue::list).post(catalogue::create))
        .route("/backups/{id}", patch(catalogue::rename).delete(catalogue::delete))
        .route("/backups/{id}/restore", post(restore::restore))
        .route("/config", get(configuration::get_config).patch(configuration::update_config))
}

/// A process that no platform runs.
struct Standalone;

impl FromRequestParts<Arc<App>> for Standalone {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        if app.config.on_its_own() {
            return Ok(Self);
        }
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
        let url = uri.path_and_query().map_or("/", |path| path.as_str());
        Err(Error::not_found("NOT_FOUND", format!("Endpoint {url} not found"))
            .with_next_actions("Please check the API documentation for available endpoints"))
    }
}
