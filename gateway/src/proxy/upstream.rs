//! Connections to one data plane: kept alive between requests, newest first, and dropped together when the project moves or sleeps.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::bodies::Inbound;

/// Idle connections kept per project.
const MAX_IDLE: usize = 256;
/// Idle time after which a connection is closed.
const MAX_IDLE_TIME: Duration = Duration::from_secs(20);
/// How many busy connections are looked past in search of a free one.
const MAX_LOOKS: usize = 8;
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const MAX_HEAD_BYTES: usize = 128 * 1024;

/// One address of a project with its idle connections.
pub(crate) struct Upstream {
    address: SocketAddr,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    connections: Vec<(SendRequest<Inbound>, Instant)>,
    closed: bool,
}

/// A connection in use by one request.
pub(super) struct Lease {
    pub(super) sender: SendRequest<Inbound>,
    pub(super) reused: bool,
    upstream: Arc<Upstream>,
}

impl Lease {
    /// Gives the connection back after a whole response was read.
    pub(super) fn release(self) {
        if self.sender.is_closed() {
            return;
        }
        let mut idle = self.upstream.idle.lock().expect("no holder of this lock panics");
        if !idle.closed && idle.connections.len() < MAX_IDLE {
            idle.connections.push((self.sender, Instant::now()));
        }
    }
}

impl Upstream {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default() }
    }

    /// Closes all idle connections; those in use close when their request ends.
    pub(crate) fn disconnect(&self) {
        let mut idle = self.idle.lock().expect("no holder of this lock panics");
        idle.closed = true;
        idle.connections.clear();
    }

    /// Closes connections that were idle for long.
    pub(crate) fn prune(&self) {
        let mut idle = self.idle.lock().expect("no holder of this lock panics");
        idle.connections.retain(|(sender, since)| !sender.is_closed() && since.elapsed() < MAX_IDLE_TIME);
    }

    /// An idle connection that is ready for a request.
    pub(super) fn reuse(self: &Arc<Self>) -> Option<Lease> {
        let mut idle = self.idle.lock().expect("no holder of this lock panics");
        let mut index = idle.connections.len();
        let lowest = index.saturating_sub(MAX_LOOKS);
        while index > lowest {
            index -= 1;
            let (sender, _) = &idle.connections[index];
            if sender.is_ready() {
                let (sender, _) = idle.connections.swap_remove(index);
                return Some(Lease { sender, reused: true, upstream: Arc::clone(self) });
            }
            if sender.is_closed() {
                idle.connections.swap_remove(index);
            }
        }
        None
    }

    /// A new connection, served by a task of its own until both ends are done with it.
    pub(super) async fn connect(self: &Arc<Self>) -> io::Result<Lease> {
        let stream = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(self.address))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(error = %telemetry::chain(&error), "connection to a data plane ended");
            }
        });
        Ok(Lease { sender, reused: false, upstream: Arc::clone(self) })
    }
}
