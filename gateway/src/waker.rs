//! How the gateway asks for a project to be started or stopped, and for a way to its Postgres; the process that hosts the gateway knows how.

use std::{net::SocketAddr, time::Duration};

use ids::ProjectId;
use tokio::io::{AsyncRead, AsyncWrite};

/// Starts and stops the processes of a project. Every call is idempotent, and may be dropped half-way when it takes too long.
#[async_trait::async_trait]
pub trait Waker: Send + Sync + 'static {
    /// Starts the project unless it runs, and returns once its data plane answers at the returned address.
    async fn wake(&self, project_id: ProjectId) -> Result<SocketAddr, WakeError>;

    /// Stops the project, which the gateway saw idle for `idle_for`. `false` means it is busy in a way the gateway cannot see and keeps running.
    async fn sleep(&self, project_id: ProjectId, idle_for: Duration) -> Result<bool, WakeError>;

    /// Opens a connection to the Postgres of a project that runs, where its developers' role signs in by password; `None` when it does not run.
    async fn connect_postgres(&self, project_id: ProjectId) -> Result<Option<PostgresStream>, WakeError>;
}

/// A connection to a Postgres on which nothing was said yet.
pub type PostgresStream = Box<dyn Duplex>;

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Why a project was not woken or put to sleep.
#[derive(Debug, thiserror::Error)]
pub enum WakeError {
    /// This machine has no such project.
    #[error("there is no such project here")]
    Unknown,
    /// The project may not run now, for example because it is paused or being deleted.
    #[error("the project may not be started: {0}")]
    Refused(String),
    /// It was tried and failed.
    #[error("the project did not start or stop")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
