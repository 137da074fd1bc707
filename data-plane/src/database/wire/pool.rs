//! Pooled connections for the data API.

use std::time::Duration;

use deadpool::managed::{self, Hook, Metrics, QueueMode, RecycleError, RecycleResult};
use tokio_postgres::Config;

use super::{Connection, Failure, connect::connect};

/// A pool of connections.
pub(crate) type Pool = managed::Pool<Manager>;

/// Why the pool gave none.
pub(crate) type PoolError = managed::PoolError<Failure>;

/// Opens connections and checks them before they are used again.
#[derive(Debug)]
pub(crate) struct Manager {
    config: Config,
}

impl Manager {
    /// Where connections go.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = Failure;

    async fn create(&self) -> Result<Connection, Failure> {
        connect(&self.config).await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Failure> {
        if connection.closed() { Err(RecycleError::message("Postgres hung up")) } else { Ok(()) }
    }
}

/// A pool that connects when first used. The connection used last is used next, so that few stay busy and the others close.
///
/// # Errors
/// The pool refuses its own settings, which is a fault of ours.
pub(crate) fn pool(
    config: Config,
    size: usize,
    wait: Duration,
    connected: impl Fn() + Send + Sync + 'static,
) -> Result<Pool, managed::BuildError> {
    let tell = Hook::sync_fn(move |_, _| {
        connected();
        Ok(())
    });
    let connect_timeout = config.get_connect_timeout().copied();
    Pool::builder(Manager { config })
        .max_size(size.max(1))
        .queue_mode(QueueMode::Lifo)
        .post_create(tell)
        .wait_timeout(Some(wait))
        .create_timeout(connect_timeout)
        .runtime(deadpool::Runtime::Tokio1)
        .build()
}
