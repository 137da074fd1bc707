//! The newest heartbeat of each data plane.

use chrono::{DateTime, Utc};
use ids::ProjectId;
use sqlx::PgConnection;

/// What a data plane said of itself.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Backend version, no leading `v`.
    pub version: String,
    /// Serial number of its newest internal migration.
    pub migration: i32,
    /// When it began to serve.
    pub started_at: DateTime<Utc>,
    /// Its last request that was not platform-internal.
    pub last_request_at: Option<DateTime<Utc>>,
    /// When this arrived.
    pub received_at: DateTime<Utc>,
}

/// Keeps a heartbeat in place of the one before. The last request is never forgotten: a restarted process does not know it.
pub async fn put(conn: &mut PgConnection, project_id: ProjectId, heartbeat: &Heartbeat) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into heartbeats as h (project_id, version, migration, started_at, last_request_at, received_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (project_id) do update
         set version = excluded.version, migration = excluded.migration, started_at = excluded.started_at,
             last_request_at = greatest(h.last_request_at, excluded.last_request_at), received_at = excluded.received_at",
        project_id.as_uuid(),
        heartbeat.version,
        heartbeat.migration,
        heartbeat.started_at,
        heartbeat.last_request_at,
        heartbeat.received_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest heartbeat of a project.
pub async fn find(conn: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Option<Heartbeat>> {
    sqlx::query_as!(
        Heartbeat,
        "select version, migration, started_at, last_request_at, received_at from heartbeats where project_id = $1",
        project_id.as_uuid()
    )
    .fetch_optional(conn)
    .await
}
