//! Keeping a lease alive while an operation is carried out, and noticing when it is lost.

use std::time::Duration;

use ids::OperationId;
use sqlx::PgPool;
use tokio::time::{Instant, sleep, timeout};

use super::Settings;

/// Prolongs the lease until it is lost, then returns: another worker has taken it, the operation has ended, or the database could not be
/// reached for as long as the lease lasts.
pub(super) async fn keep(pool: &PgPool, id: OperationId, fence: i64, settings: &Settings) {
    let every = settings.lease / 3;
    let mut prolonged_at = Instant::now();
    loop {
        sleep(every).await;
        let asked_at = Instant::now();
        match timeout(every, heartbeat(pool, id, fence, settings)).await {
            Ok(Ok(true)) => prolonged_at = asked_at,
            Ok(Ok(false)) => return,
            Ok(Err(error)) => {
                tracing::warn!(operation.id = %id, error = telemetry::chain(&error), "a lease could not be prolonged")
            }
            Err(_) => tracing::warn!(operation.id = %id, "a lease could not be prolonged in time"),
        }
        if prolonged_at.elapsed() >= settings.lease.saturating_sub(Duration::from_millis(1)) {
            return;
        }
    }
}

async fn heartbeat(pool: &PgPool, id: OperationId, fence: i64, settings: &Settings) -> sqlx::Result<bool> {
    let mut conn = pool.acquire().await?;
    store::operation_leases::heartbeat(&mut conn, id, fence, settings.lease_duration()).await
}
