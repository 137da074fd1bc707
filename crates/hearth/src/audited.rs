//! The audit row of an operator's command that changes the control database: committed before the change, closed after it.

use clock::{Clock as _, SystemClock};
use ids::AuditId;
use serde_json::json;
use sqlx::PgConnection;
use store::audit_log::{self, Opening};

use crate::failure::Failure;

/// Makes a change. `action` is a `noun.verb`, `subject` what it is done to.
pub(crate) async fn record<T>(
    conn: &mut PgConnection,
    action: &'static str,
    subject: &str,
    change: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let opening = Opening {
        id: AuditId::generate(),
        actor: None,
        partner_id: None,
        action,
        organization_id: None,
        project_id: None,
        request_id: None,
        detail: json!({ "by": "operator", "subject": subject }),
        at: SystemClock.now(),
    };
    let unwritten = |cause| Failure::caused("Could not write the audit log of the control database", cause);
    audit_log::open(conn, &opening).await.map_err(unwritten)?;
    let made = change(conn).await;
    let outcome = if made.is_ok() { "done" } else { "refused" };
    if let Err(error) = audit_log::close(conn, opening.id, outcome, SystemClock.now()).await {
        // What was made, such as a secret that is shown once, must not be lost over it.
        tracing::warn!(audit.id = %opening.id, error = telemetry::chain(&error), "could not close an audit row");
    }
    made
}
