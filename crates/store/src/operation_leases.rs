//! Leases on operations: who works on which, until when. Every lease carries a fencing token; a worker whose token is no longer the newest
//! can write nothing.

use ids::{OperationId, WorkerId};
use sqlx::{PgConnection, postgres::types::PgInterval};

use crate::operations::{Operation, find};

/// How long a lease holds unless its holder prolongs it.
#[derive(Clone, Copy, Debug)]
pub struct LeaseDuration {
    /// Milliseconds.
    pub milliseconds: u32,
}

fn interval(milliseconds: u64) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(milliseconds.saturating_mul(1000)).unwrap_or(i64::MAX),
    }
}

/// Takes the lease of the operation that has been due longest among these kinds, with a new fencing token. None when nothing is due.
/// Time is the database's own.
pub async fn claim_due(
    conn: &mut PgConnection,
    worker: WorkerId,
    lease: LeaseDuration,
    kinds: &[String],
) -> sqlx::Result<Option<Operation>> {
    let claimed = sqlx::query_scalar!(
        "update operations set worker_id = $1, fence = fence + 1, lease_expires_at = now() + $2::interval,
                state = case state when 'queued' then 'running' else state end, updated_at = now()
         where id = (
             select id from operations
             where state in ('queued', 'running', 'unwinding', 'stuck') and kind = any($3) and next_try_at <= now()
               and (lease_expires_at is null or lease_expires_at <= now())
             order by next_try_at, id
             limit 1
             for update skip locked
         )
         returning id",
        worker.as_uuid(),
        interval(lease.milliseconds.into()),
        kinds,
    )
    .fetch_optional(&mut *conn)
    .await?;
    match claimed {
        Some(id) => find(conn, id.into()).await,
        None => Ok(None),
    }
}

/// Prolongs a lease. False when it is no longer the newest: its holder must stop.
pub async fn heartbeat(
    conn: &mut PgConnection,
    id: OperationId,
    fence: i64,
    lease: LeaseDuration,
) -> sqlx::Result<bool> {
    let held = sqlx::query!(
        "update operations set lease_expires_at = now() + $3::interval
         where id = $1 and fence = $2 and state in ('queued', 'running', 'unwinding', 'stuck')",
        id.as_uuid(),
        fence,
        interval(lease.milliseconds.into()),
    )
    .execute(conn)
    .await?;
    Ok(held.rows_affected() == 1)
}

/// Locks the operation for the rest of the transaction if the lease is the newest. False when it is stale: the transaction must write nothing.
pub async fn hold(conn: &mut PgConnection, id: OperationId, fence: i64) -> sqlx::Result<bool> {
    let held = sqlx::query_scalar!(
        "select id from operations
         where id = $1 and fence = $2 and state in ('queued', 'running', 'unwinding', 'stuck') for update",
        id.as_uuid(),
        fence,
    )
    .fetch_optional(conn)
    .await?;
    Ok(held.is_some())
}

/// Gives a lease back; the operation is due again after `delay_milliseconds`. False when the lease is stale.
pub async fn release(
    conn: &mut PgConnection,
    id: OperationId,
    fence: i64,
    delay_milliseconds: u64,
) -> sqlx::Result<bool> {
    let released = sqlx::query!(
        r#"with released as (
               update operations set lease_expires_at = null, next_try_at = now() + $3::interval, updated_at = now()
               where id = $1 and fence = $2 and state in ('queued', 'running', 'unwinding', 'stuck')
               returning id
           )
           select pg_notify('hearth_operations_due', ''), pg_notify('hearth_operations', id::text) from released"#,
        id.as_uuid(),
        fence,
        interval(delay_milliseconds),
    )
    .fetch_optional(conn)
    .await?;
    Ok(released.is_some())
}

/// Ends every lease, for who knows that no worker is left: what they held is due now, and their tokens grow old with the next claim. Returns
/// how many there were.
pub async fn end_all(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let ended = sqlx::query!(
        "update operations set lease_expires_at = null
         where state in ('queued', 'running', 'unwinding', 'stuck') and lease_expires_at > now()",
    )
    .execute(conn)
    .await?;
    Ok(ended.rows_affected())
}

/// Sets the deadline of an operation that was recorded without one. False when the lease is stale.
pub async fn set_deadline(
    conn: &mut PgConnection,
    id: OperationId,
    fence: i64,
    after_milliseconds: u64,
) -> sqlx::Result<bool> {
    let updated = sqlx::query!(
        "update operations set deadline_at = coalesce(deadline_at, created_at + $3::interval) where id = $1 and fence = $2",
        id.as_uuid(),
        fence,
        interval(after_milliseconds),
    )
    .execute(conn)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// The unfinished operations whose deadline has passed and of which nobody was told; marks them as told, so each is returned once.
pub async fn flag_overdue(conn: &mut PgConnection) -> sqlx::Result<Vec<OperationId>> {
    let flagged = sqlx::query_scalar!(
        "update operations set deadline_flagged_at = now(), updated_at = now()
         where state in ('queued', 'running', 'unwinding', 'stuck') and deadline_at <= now() and deadline_flagged_at is null
         returning id",
    )
    .fetch_all(conn)
    .await?;
    Ok(flagged.into_iter().map(Into::into).collect())
}
