//! Audit rows: opened before an action, in its transaction, and closed after it.

use ids::{AuditId, OrganizationId, ProjectId};
use serde_json::Value;
use sqlx::PgConnection;
use store::audit_log::{self, Opening};

use super::{Caller, Ctx, Failure};
use crate::state::State;

/// What an action concerns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    pub(crate) organization_id: Option<OrganizationId>,
    pub(crate) project_id: Option<ProjectId>,
    /// Names and options, never secrets.
    pub(crate) detail: Value,
}

/// Opens a row for `action`, a `noun.verb`.
pub(crate) async fn open(
    conn: &mut PgConnection,
    state: &State,
    ctx: &Ctx,
    action: &'static str,
    subject: Subject,
) -> Result<AuditId, Failure> {
    let opening = Opening {
        id: AuditId::generate(),
        actor: ctx.user_id(),
        partner_id: match &ctx.caller {
            Caller::User(_) => None,
            Caller::Partner(partner) => Some(partner.id),
        },
        action,
        organization_id: subject.organization_id,
        project_id: subject.project_id,
        request_id: Some(ctx.request_id.clone()),
        detail: if subject.detail.is_null() { serde_json::json!({}) } else { subject.detail },
        at: state.clock.now(),
    };
    audit_log::open(conn, &opening).await?;
    Ok(opening.id)
}

/// Closes a row in the transaction that did the whole action.
pub(crate) async fn close_done(conn: &mut PgConnection, state: &State, id: AuditId) -> Result<(), Failure> {
    audit_log::close(conn, id, "done", state.clock.now()).await?;
    Ok(())
}
