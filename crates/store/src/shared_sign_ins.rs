//! Sign-ins through the operator's own clients, from the beginning until the provider sends the browser back or time runs out.

use chrono::{DateTime, Utc};
use ids::ProjectId;
use sqlx::PgConnection;

/// A sign-in as it begins.
#[derive(Clone, Debug)]
pub struct SharedSignIn {
    /// Of which project.
    pub project_id: ProjectId,
    /// Through which provider.
    pub provider: &'static str,
    /// What is needed when the browser comes back.
    pub sealed_flow: Vec<u8>,
    /// Until when it can be finished.
    pub expires_at: DateTime<Utc>,
}

/// Begins one, and forgets those that have expired.
pub async fn insert(
    conn: &mut PgConnection,
    state_hash: &[u8],
    sign_in: &SharedSignIn,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!("delete from shared_sign_ins where expires_at <= $1", now).execute(&mut *conn).await?;
    sqlx::query!(
        "insert into shared_sign_ins (state_hash, project_id, provider, sealed_flow, expires_at) values ($1, $2, $3, $4, $5)",
        state_hash,
        sign_in.project_id.as_uuid(),
        sign_in.provider,
        sign_in.sealed_flow,
        sign_in.expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How many of a project can still be finished.
pub async fn count(conn: &mut PgConnection, project_id: ProjectId, now: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from shared_sign_ins where project_id = $1 and expires_at > $2"#,
        project_id.as_uuid(),
        now
    )
    .fetch_one(conn)
    .await
}

/// Takes the sign-in of this state out: its project and what was sealed. Nobody finds it again.
pub async fn take(
    conn: &mut PgConnection,
    state_hash: &[u8],
    provider: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<(ProjectId, Vec<u8>)>> {
    let row = sqlx::query!(
        "delete from shared_sign_ins where state_hash = $1 and provider = $2 and expires_at > $3
         returning project_id, sealed_flow",
        state_hash,
        provider,
        now
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.project_id.into(), row.sealed_flow)))
}
