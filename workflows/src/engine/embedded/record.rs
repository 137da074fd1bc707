//! Writing an operation's moves under its lease, through interruptions of the control database.

use std::time::Duration;

use ids::OperationId;
use saga::BoxFuture;
use sqlx::PgPool;
use store::operation_steps::{OperationStep, Transition};

use super::backoff::Delays;

/// The lease is no longer the newest: its holder writes nothing more and stops.
#[derive(Debug)]
pub(super) struct LeaseLost;

/// One operation under one lease.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) pool: PgPool,
    pub(super) id: OperationId,
    pub(super) fence: i64,
}

impl Record {
    /// Records the step names when they are not yet, and returns the steps.
    pub(super) async fn steps(&self, names: &[String]) -> Result<Vec<OperationStep>, LeaseLost> {
        self.insist(|| {
            Box::pin(async move {
                let mut conn = self.pool.acquire().await?;
                if !store::operation_steps::record_steps(&mut conn, self.id, self.fence, names).await? {
                    return Ok(None);
                }
                store::operation_steps::steps(&mut conn, self.id).await.map(Some)
            })
        })
        .await
    }

    /// Makes sure the operation has a deadline.
    pub(super) async fn deadline(&self, after: Duration) -> Result<(), LeaseLost> {
        let milliseconds = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        self.insist(|| {
            Box::pin(async move {
                let mut conn = self.pool.acquire().await?;
                let held = store::operation_leases::set_deadline(&mut conn, self.id, self.fence, milliseconds).await?;
                Ok(held.then_some(()))
            })
        })
        .await
    }

    /// Moves the operation on.
    pub(super) async fn advance(&self, transition: &Transition<'_>) -> Result<(), LeaseLost> {
        self.insist(|| {
            Box::pin(async move {
                let mut conn = self.pool.acquire().await?;
                let held = store::operation_steps::advance(&mut conn, self.id, self.fence, transition).await?;
                Ok(held.then_some(()))
            })
        })
        .await
    }

    /// Gives the lease back; the operation is due again after `delay`.
    pub(super) async fn release(&self, delay: Duration) -> Result<(), LeaseLost> {
        let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.insist(|| {
            Box::pin(async move {
                let mut conn = self.pool.acquire().await?;
                let held = store::operation_leases::release(&mut conn, self.id, self.fence, milliseconds).await?;
                Ok(held.then_some(()))
            })
        })
        .await
    }

    /// Repeats `write` while the database cannot be reached. Ends at the latest when the lease runs out, because then the caller is dropped.
    async fn insist<'a, T>(&self, write: impl Fn() -> BoxFuture<'a, sqlx::Result<Option<T>>>) -> Result<T, LeaseLost> {
        let mut delays = Delays::between(Duration::from_millis(50), Duration::from_secs(2));
        loop {
            match write().await {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => return Err(LeaseLost),
                Err(error) => {
                    tracing::warn!(operation.id = %self.id, error = telemetry::chain(&error), "an operation's move could not be recorded; trying again");
                    tokio::time::sleep(delays.next_delay()).await;
                }
            }
        }
    }
}
