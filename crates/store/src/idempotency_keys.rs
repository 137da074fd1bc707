//! Answers to mutating requests, kept under the key that the caller, a user or a partner, gave them, so that a repeated request gets the same answer.

use chrono::{DateTime, Utc};
use ids::OperationId;
use sqlx::PgConnection;
use uuid::Uuid;

/// What is known of a key.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Hash of the request it was first used with.
    pub request_fingerprint: Vec<u8>,
    /// Status of the answer; absent while the first request is being worked on.
    pub status: Option<i32>,
    /// Sealed body of the answer.
    pub body: Option<Vec<u8>>,
    /// The operation that the request started.
    pub operation_id: Option<OperationId>,
    /// When the request came, or was last taken over.
    pub created_at: DateTime<Utc>,
}

/// Takes a key for a request. False when it is taken.
pub async fn claim(
    conn: &mut PgConnection,
    principal: Uuid,
    key: &str,
    fingerprint: &[u8],
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into idempotency_keys (principal, key, request_fingerprint, created_at) values ($1, $2, $3, $4)
         on conflict (principal, key) do nothing",
        principal,
        key,
        fingerprint,
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes over a key whose request died unanswered: it was claimed at `claimed_at` and started nothing. False when another caller was first.
pub async fn take_over(
    conn: &mut PgConnection,
    principal: Uuid,
    key: &str,
    claimed_at: DateTime<Utc>,
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update idempotency_keys set created_at = $4
         where principal = $1 and key = $2 and created_at = $3 and status is null and operation_id is null",
        principal,
        key,
        claimed_at,
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What is known of a key.
pub async fn find(conn: &mut PgConnection, principal: Uuid, key: &str) -> sqlx::Result<Option<Entry>> {
    let row = sqlx::query!(
        "select request_fingerprint, status, body, operation_id, created_at from idempotency_keys where principal = $1 and key = $2",
        principal,
        key
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Entry {
        request_fingerprint: row.request_fingerprint,
        status: row.status,
        body: row.body,
        operation_id: row.operation_id.map(Into::into),
        created_at: row.created_at,
    }))
}

/// Records, in the transaction that records the intent, which operation the request started.
pub async fn set_operation(
    conn: &mut PgConnection,
    principal: Uuid,
    key: &str,
    operation_id: OperationId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update idempotency_keys set operation_id = $3 where principal = $1 and key = $2",
        principal,
        key,
        operation_id.as_uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps the answer.
pub async fn complete(
    conn: &mut PgConnection,
    principal: Uuid,
    key: &str,
    status: i32,
    sealed_body: &[u8],
    operation_id: Option<OperationId>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update idempotency_keys set status = $3, body = $4, operation_id = coalesce($5, operation_id) where principal = $1 and key = $2",
        principal,
        key,
        status,
        sealed_body,
        operation_id.map(Uuid::from)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets a key whose request failed on our side, so that it can be tried again.
pub async fn release(conn: &mut PgConnection, principal: Uuid, key: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from idempotency_keys where principal = $1 and key = $2 and status is null and operation_id is null",
        principal,
        key
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a caller's keys from before `before`.
pub async fn purge(conn: &mut PgConnection, principal: Uuid, before: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("delete from idempotency_keys where principal = $1 and created_at < $2", principal, before)
        .execute(conn)
        .await?;
    Ok(())
}
