//! What every connection of one gateway shares.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{postgres::Sessions, routes::Routes, waker::Waker, workers::Workers};

/// The shared state of one running gateway.
pub(crate) struct Edge {
    /// Who serves which host.
    pub(crate) routes: Routes,
    /// Starts and stops projects.
    pub(crate) waker: Arc<dyn Waker>,
    /// What is known of open Postgres sessions.
    pub(crate) sessions: Sessions,
    /// Cancelled when the gateway stops taking requests and finishes the ones it has.
    pub(crate) draining: CancellationToken,
    /// Cancelled when what is still open is cut.
    pub(crate) cutting: CancellationToken,
    /// The threads that serve connections.
    pub(crate) workers: Workers,
    /// The runtime of everything else.
    pub(crate) home: Handle,
    /// Connections, tunnels and loops.
    pub(crate) tasks: TaskTracker,
}
