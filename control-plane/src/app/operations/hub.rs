//! One listener on the control database tells everybody here who waits for an operation that it moved on.

use std::time::Duration;

use ids::OperationId;
use sqlx::{PgPool, postgres::PgListener};
use store::operations::{CHANGED_CHANNEL, Operation};
use tokio::{sync::broadcast, time::Instant};

use crate::app::Failure;

/// Waiters look again after this long even if they hear nothing, so that a lost connection delays them and no more.
const RECHECK: Duration = Duration::from_secs(1);
const RECONNECT_DELAY: Duration = Duration::from_millis(500);
const BACKLOG: usize = 1024;

/// Where changes of operations are heard.
pub(crate) struct Hub {
    pool: PgPool,
    changes: broadcast::Sender<OperationId>,
}

/// Hears of changes of one operation. It hears everything from its creation on.
pub(crate) struct Ear {
    id: OperationId,
    changes: broadcast::Receiver<OperationId>,
}

impl Hub {
    /// Starts listening, until the pool is closed.
    pub(crate) fn start(pool: PgPool) -> Self {
        let (changes, _) = broadcast::channel(BACKLOG);
        tokio::spawn(listen(pool.clone(), changes.clone()));
        Self { pool, changes }
    }

    /// Listens for one operation.
    pub(crate) fn ear(&self, id: OperationId) -> Ear {
        Ear { id, changes: self.changes.subscribe() }
    }

    /// The operation once it is finished; absent after `limit`.
    pub(crate) async fn finished(&self, id: OperationId, limit: Duration) -> Result<Option<Operation>, Failure> {
        let deadline = Instant::now() + limit;
        let mut ear = self.ear(id);
        loop {
            let operation = store::operations::find(&mut *self.pool.acquire().await?, id).await?;
            if let Some(operation) = operation.filter(|operation| operation.state.finished()) {
                return Ok(Some(operation));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            ear.changed(deadline).await;
        }
    }
}

impl Ear {
    /// Returns when the operation may have changed: when it was heard, or after a second, or at `deadline`.
    pub(crate) async fn changed(&mut self, deadline: Instant) {
        let until = deadline.min(Instant::now() + RECHECK);
        let heard = async {
            loop {
                match self.changes.recv().await {
                    Ok(id) if id != self.id => {}
                    // Something was missed, so it may have been ours.
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let _either = tokio::time::timeout_at(until, heard).await;
    }
}

async fn listen(pool: PgPool, changes: broadcast::Sender<OperationId>) {
    let forward = async {
        loop {
            if let Err(error) = forward_until_broken(&pool, &changes).await {
                if pool.is_closed() {
                    return;
                }
                tracing::warn!(
                    error = telemetry::chain(&error),
                    "lost the connection that listens for operations; connecting again"
                );
            }
            tokio::time::sleep(RECONNECT_DELAY).await;
        }
    };
    tokio::select! {
        () = pool.close_event() => {}
        () = forward => {}
    }
}

async fn forward_until_broken(pool: &PgPool, changes: &broadcast::Sender<OperationId>) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANGED_CHANNEL).await?;
    loop {
        let notification = listener.recv().await?;
        if let Ok(id) = notification.payload().parse() {
            // Nobody may be waiting.
            let _receivers = changes.send(id);
        }
    }
}
