//! What happened to an operation, in order, for clients that follow it.

use chrono::{DateTime, Utc};
use ids::OperationId;
use serde_json::Value;
use sqlx::PgConnection;

/// One event. Fit for users.
#[derive(Clone, Debug)]
pub struct OperationEvent {
    /// Grows with every event; a client resumes after the last one it saw.
    pub id: i64,
    /// `operation` or `step`.
    pub kind: String,
    /// `{state, error_code?, error?}`, or `{step, position, state, attempts, undo_attempts, error?}`.
    pub body: Value,
    /// When it happened.
    pub created_at: DateTime<Utc>,
}

/// The operation's events after `after_id` (0 for all), oldest first.
pub async fn events_after(
    conn: &mut PgConnection,
    id: OperationId,
    after_id: i64,
) -> sqlx::Result<Vec<OperationEvent>> {
    sqlx::query_as!(
        OperationEvent,
        "select id, kind, body, created_at from operation_events where operation_id = $1 and id > $2 order by id limit 1000",
        id.as_uuid(),
        after_id,
    )
    .fetch_all(conn)
    .await
}
