//! A counter that grows when the project's schema changes, fed by our own DDL and by Postgres' notifications on `pgrst`.
//!
//! The listening connection exists only while somebody asks for the counter; a minute after the last question it is closed, and the
//! counter grows once more, because changes may pass unseen from then on.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Mutex, time::Instant};
use tokio_postgres::AsyncMessage;

use crate::pools::Pools;

const LISTEN_AFTER_LAST_USE: Duration = Duration::from_secs(60);

/// The counter.
#[derive(Clone, Debug, Default)]
pub struct SchemaChanges(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    generation: AtomicU64,
    listening: AtomicBool,
    used: AtomicBool,
    starting: Mutex<()>,
}

impl SchemaChanges {
    /// The schema changed by our own doing; call it after commit.
    pub fn changed(&self) {
        self.0.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// The counter; as long as it stays the same, what was read from the catalog after it was read is still true.
    ///
    /// # Errors
    /// The listening connection cannot be made.
    pub async fn generation(&self, pools: &Pools) -> Result<u64, tokio_postgres::Error> {
        self.0.used.store(true, Ordering::Relaxed);
        if !self.0.listening.load(Ordering::Acquire) {
            self.listen(pools).await?;
        }
        Ok(self.0.generation.load(Ordering::Acquire))
    }

    async fn listen(&self, pools: &Pools) -> Result<(), tokio_postgres::Error> {
        let _starting = self.0.starting.lock().await;
        if self.0.listening.load(Ordering::Acquire) {
            return Ok(());
        }
        let (client, mut connection) = pools.listener().await?;
        let shared = Arc::clone(&self.0);
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let drive = async {
                while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                    if matches!(message, AsyncMessage::Notification(_)) {
                        shared.generation.fetch_add(1, Ordering::AcqRel);
                    }
                }
            };
            let idle = async {
                let listened = client.batch_execute("listen pgrst").await;
                let failed = listened.is_err();
                if !failed {
                    shared.listening.store(true, Ordering::Release);
                }
                let _caller_gone = ready.send(listened);
                while !failed && shared.used.swap(false, Ordering::Relaxed) {
                    tokio::time::sleep_until(Instant::now() + LISTEN_AFTER_LAST_USE).await;
                }
            };
            tokio::select! { () = drive => {}, () = idle => {} }
            shared.listening.store(false, Ordering::Release);
            shared.generation.fetch_add(1, Ordering::AcqRel);
        });
        is_ready.await.unwrap_or(Ok(()))
    }
}
