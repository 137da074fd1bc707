//! The audit log: who did what, opened before the action and closed after it.

use chrono::{DateTime, Utc};
use ids::{AuditId, OrganizationId, PartnerId, ProjectId, UserId};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// An action as it begins.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Its id.
    pub id: AuditId,
    /// Who, where it was a user.
    pub actor: Option<UserId>,
    /// Who, where it was a partner.
    pub partner_id: Option<PartnerId>,
    /// What, as `noun.verb`.
    pub action: &'static str,
    /// In which organization.
    pub organization_id: Option<OrganizationId>,
    /// On which project.
    pub project_id: Option<ProjectId>,
    /// In which request.
    pub request_id: Option<String>,
    /// Names and options, never secrets.
    pub detail: Value,
    /// When.
    pub at: DateTime<Utc>,
}

/// Opens a row.
pub async fn open(conn: &mut PgConnection, opening: &Opening) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into audit_log (id, actor, action, organization_id, project_id, request_id, detail, opened_at, partner_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        opening.id.as_uuid(),
        opening.actor.map(Uuid::from),
        opening.action,
        opening.organization_id.map(Uuid::from),
        opening.project_id.map(Uuid::from),
        opening.request_id,
        opening.detail,
        opening.at,
        opening.partner_id.map(Uuid::from)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The action of a row that was opened for a request before anybody knew what it would do.
pub const REQUEST: &str = "request";

/// Gives the row of a request its action and subject. False where it has them: a request may do more than one thing.
pub async fn name(conn: &mut PgConnection, id: AuditId, opening: &Opening) -> sqlx::Result<bool> {
    let named = sqlx::query!(
        "update audit_log set action = $2, organization_id = $3, project_id = $4, detail = detail || $5
         where id = $1 and action = $6",
        id.as_uuid(),
        opening.action,
        opening.organization_id.map(Uuid::from),
        opening.project_id.map(Uuid::from),
        opening.detail,
        REQUEST
    )
    .execute(conn)
    .await?;
    Ok(named.rows_affected() == 1)
}

/// Closes a row with its outcome: `done`, `started`, or an error code. The first outcome stays.
pub async fn close(conn: &mut PgConnection, id: AuditId, outcome: &str, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update audit_log set outcome = $2, closed_at = $3 where id = $1 and outcome is null",
        id.as_uuid(),
        outcome,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}
