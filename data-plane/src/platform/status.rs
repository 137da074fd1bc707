//! `GET /_hearth/v1/status`: proof that this process and its database answer, and how busy it is.

use std::sync::Arc;

use axum::{Json, extract::State};
use data_plane_contract::heartbeat::Status;
use ids::ProjectId;

use crate::{
    authentication::RequirePlatform,
    http::{Error, Result},
    state::App,
};

/// `GET /_hearth/v1/status`
pub(super) async fn get_status(State(app): State<Arc<App>>, _platform: RequirePlatform) -> Result<Json<Status>> {
    read(&app).await.map(Json)
}

/// The status now; runs one SQL statement.
///
/// # Errors
/// Postgres does not answer, or this process was not told which project it serves.
async fn read(app: &App) -> Result<Status> {
    let project_id: ProjectId = app
        .config
        .project_id
        .as_deref()
        .unwrap_or_default()
        .parse()
        .map_err(|error| Error::internal("read PROJECT_ID as a UUID", &error))?;
    let client = app.pools.internal().await?;
    let row = client.query_one("select coalesce(max(id), 0)::int4 from system.migrations", &[]).await?;
    Ok(Status {
        project_id,
        version: app.version().to_owned(),
        started_at: app.started_at,
        last_request_at: app.activity.last_request_at(),
        open_requests: app.activity.open_requests(),
        migration: row.get(0),
    })
}
