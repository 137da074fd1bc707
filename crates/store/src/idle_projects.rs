//! Projects that nobody uses: when each is looked at next.

use chrono::{DateTime, Utc};
use ids::{OrganizationId, ProjectId};
use model::{limits::Plan, projects::PauseReason};
use sqlx::PgConnection;

use crate::parse;

/// A project whose time has come to be looked at.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Which.
    pub project_id: ProjectId,
    /// Its organization's plan.
    pub plan: Plan,
    /// Its last request, or since when it serves if that is later.
    pub used_at: DateTime<Utc>,
}

/// Takes one project that is due. Until the transaction ends its row is locked.
pub async fn take(conn: &mut PgConnection, at: DateTime<Utc>) -> sqlx::Result<Option<Candidate>> {
    let row = sqlx::query!(
        r#"select p.id, o.plan, greatest(a.last_request_at, p.serving_since, p.created_at) as "used_at!"
           from projects p
           join organizations o on o.id = p.organization_id
           left join project_activity a on a.project_id = p.id
           where p.idle_check_at <= $1 order by p.idle_check_at limit 1 for no key update of p skip locked"#,
        at
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok(Candidate { project_id: row.id.into(), plan: parse(&row.plan)?, used_at: row.used_at }))
        .transpose()
}

/// When a project is looked at next; absent means not before it serves anew, or its plan changes.
pub async fn look_again(conn: &mut PgConnection, id: ProjectId, at: Option<DateTime<Utc>>) -> sqlx::Result<()> {
    sqlx::query!("update projects set idle_check_at = $2 where id = $1", id.as_uuid(), at).execute(conn).await?;
    Ok(())
}

/// Has every serving project of an organization looked at, after its plan changed.
pub async fn look_at_all(
    conn: &mut PgConnection,
    organization_id: OrganizationId,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update projects set idle_check_at = $2
         where organization_id = $1 and deleted_at is null and observed = 'serving' and intent = 'active' and parent_id is null",
        organization_id.as_uuid(),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes why a project is paused that its owner did not pause.
pub async fn set_pause_reason(conn: &mut PgConnection, id: ProjectId, reason: PauseReason) -> sqlx::Result<()> {
    sqlx::query!("update projects set pause_reason = $2 where id = $1", id.as_uuid(), reason.as_str())
        .execute(conn)
        .await?;
    Ok(())
}
