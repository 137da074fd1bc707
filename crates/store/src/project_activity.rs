//! When projects last answered a request.

use chrono::{DateTime, Utc};
use ids::ProjectId;
use sqlx::PgConnection;
use uuid::Uuid;

/// Records requests: the newest moment per project stays, whatever the order they are told in. Unknown projects are passed over.
pub async fn record(conn: &mut PgConnection, seen: &[(ProjectId, DateTime<Utc>)]) -> sqlx::Result<()> {
    let projects: Vec<Uuid> = seen.iter().map(|(id, _)| id.as_uuid()).collect();
    let moments: Vec<DateTime<Utc>> = seen.iter().map(|(_, at)| *at).collect();
    sqlx::query!(
        "insert into project_activity as a (project_id, last_request_at)
         select s.project_id, max(s.seen_at)
         from unnest($1::uuid[], $2::timestamptz[]) as s (project_id, seen_at)
         join projects p on p.id = s.project_id
         group by s.project_id order by s.project_id
         on conflict (project_id) do update set last_request_at = excluded.last_request_at
         where a.last_request_at < excluded.last_request_at",
        &projects,
        &moments
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// When a project last answered a request; absent when it never did.
pub async fn find(conn: &mut PgConnection, id: ProjectId) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!("select last_request_at from project_activity where project_id = $1", id.as_uuid())
        .fetch_optional(conn)
        .await
}
