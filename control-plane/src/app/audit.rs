//! Audit rows. The row of a request that may change something is committed before the request is looked at. The act gives it its name, and
//! closes it, in the transaction in which it is done; whatever is still open when the request is answered is closed with the answer. So a row
//! without an outcome is a request that is under way, or one whose process died.

use ids::{AuditId, OrganizationId, ProjectId, UserId};
use model::Error;
use serde_json::Value;
use sqlx::PgConnection;
use store::audit_log::{self, Opening};
use tracing::Instrument as _;

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

/// Opens the row of a request, such as `POST /projects/v1/…/pause`, and commits it.
pub(crate) async fn open_request(state: &State, ctx: &Ctx, request: &str) -> Result<AuditId, Failure> {
    let subject = Subject { detail: serde_json::json!({ "request": request }), ..Subject::default() };
    let opening = opening(state, ctx, audit_log::REQUEST, subject);
    audit_log::open(&mut *state.connection().await?, &opening).await?;
    Ok(opening.id)
}

/// Closes what the act left open. The act is done or refused; that its row stays open is for the operator to know, not for the caller.
pub(crate) async fn close_request(state: &State, id: AuditId, outcome: &str) {
    let closed = async {
        audit_log::close(&mut *state.connection().await?, id, outcome, state.clock.now()).await?;
        Ok::<_, Failure>(())
    };
    if let Err(failure) = closed.await {
        tracing::warn!(audit.id = %id, error = telemetry::chain(&failure.0), "could not close an audit row");
    }
}

/// Does what a user asks for whose request had to prove first whose it is, such as signing in. Strangers write no row.
///
/// In a task of its own: a client that goes away leaves neither a half-done act nor an open row behind.
pub(crate) async fn record<T: Send + 'static>(
    state: &State,
    user_id: UserId,
    request_id: &str,
    action: &'static str,
    act: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    let opening = Opening {
        id: AuditId::generate(),
        actor: Some(user_id),
        partner_id: None,
        action,
        organization_id: None,
        project_id: None,
        request_id: Some(request_id.to_owned()),
        detail: serde_json::json!({}),
        at: state.clock.now(),
    };
    let state = state.clone();
    let run = async move {
        audit_log::open(&mut *state.connection().await?, &opening).await?;
        let done = act.await;
        close_request(&state, opening.id, done.as_ref().map_or_else(|failure| failure.0.code(), |_| "done")).await;
        done
    };
    tokio::spawn(run.in_current_span()).await.map_err(|error| Failure(Error::internal(error)))?
}

/// Says that the request does `action`, a `noun.verb`: in its row, or in one more where that says something already or there is none.
pub(crate) async fn open(
    conn: &mut PgConnection,
    state: &State,
    ctx: &Ctx,
    action: &'static str,
    subject: Subject,
) -> Result<AuditId, Failure> {
    let opening = opening(state, ctx, action, subject);
    if let Some(id) = ctx.audit_id
        && audit_log::name(conn, id, &opening).await?
    {
        return Ok(id);
    }
    audit_log::open(conn, &opening).await?;
    Ok(opening.id)
}

/// Opens the row of what a project's own data plane asks for. Who asked the data plane, it knows itself.
pub(crate) async fn open_by_data_plane(
    conn: &mut PgConnection,
    state: &State,
    request_id: &str,
    action: &'static str,
    subject: Subject,
) -> Result<AuditId, Failure> {
    let opening = Opening {
        id: AuditId::generate(),
        actor: None,
        partner_id: None,
        action,
        organization_id: subject.organization_id,
        project_id: subject.project_id,
        request_id: Some(request_id.to_owned()),
        detail: serde_json::json!({ "by": "data-plane" }),
        at: state.clock.now(),
    };
    audit_log::open(conn, &opening).await?;
    Ok(opening.id)
}

fn opening(state: &State, ctx: &Ctx, action: &'static str, subject: Subject) -> Opening {
    Opening {
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
    }
}

/// Closes a row in the transaction that did the whole action.
pub(crate) async fn close_done(conn: &mut PgConnection, state: &State, id: AuditId) -> Result<(), Failure> {
    audit_log::close(conn, id, "done", state.clock.now()).await?;
    Ok(())
}
