//! Connections to one data plane: kept alive between requests, newest first, and dropped together when the project moves or sleeps.
//!
//! A connection has no task of its own. Whoever holds the lease drives it, so that a request is answered within one task,
//! without waking another for each step.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Waker},
    time::{Duration, Instant},
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{self, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::bodies::Inbound;
use crate::workers;

/// Idle connections kept per project and thread.
const MAX_IDLE: usize = 128;
/// Idle time after which a connection is closed.
const MAX_IDLE_TIME: Duration = Duration::from_secs(20);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const MAX_HEAD_BYTES: usize = 128 * 1024;

/// One address of a project with its idle connections.
pub(crate) struct Upstream {
    address: SocketAddr,
    /// One set per serving thread: a connection belongs to the event loop it was made in.
    idle: Box<[Mutex<Idle>]>,
}

#[derive(Default)]
struct Idle {
    lines: Vec<(Line, Instant)>,
    closed: bool,
}

/// The two ends of one connection: requests go in at the sender and are carried by polling the driver.
struct Line {
    sender: SendRequest<Inbound>,
    driver: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Line {
    /// True when the next request may be sent. Looks whether the other end closed meanwhile.
    fn ready(&mut self) -> bool {
        let ended = self.driver.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        !ended && self.sender.is_ready()
    }
}

/// A connection in use by one request.
pub(super) struct Lease {
    line: Line,
    ended: bool,
    pub(super) reused: bool,
    upstream: Arc<Upstream>,
}

impl Lease {
    /// Sends a request and waits for the head of its response.
    pub(super) async fn send(
        &mut self,
        request: Request<Inbound>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Inbound>>> {
        let mut sending = std::pin::pin!(self.line.sender.try_send_request(request));
        let (driver, ended) = (&mut self.line.driver, &mut self.ended);
        std::future::poll_fn(|cx| {
            *ended = *ended || driver.as_mut().poll(cx).is_ready();
            sending.as_mut().poll(cx)
        })
        .await
    }

    /// Carries bodies on, in both directions; to be called whenever the response body has nothing more.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        self.ended = self.ended || self.line.driver.as_mut().poll(cx).is_ready();
    }

    /// Drives the connection until it ends or is taken over by another protocol.
    pub(super) async fn finish(mut self) {
        if !self.ended {
            self.line.driver.as_mut().await;
        }
    }

    /// Gives the connection back after a whole response was read. One that is still sending a request body is closed.
    pub(super) fn release(mut self) {
        if self.ended || !self.line.ready() {
            return;
        }
        let mut idle = self.upstream.idle_here();
        if !idle.closed && idle.lines.len() < MAX_IDLE {
            idle.lines.push((self.line, Instant::now()));
        }
    }
}

impl Upstream {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, idle: (0..workers::count()).map(|_| Mutex::default()).collect() }
    }

    /// Closes all idle connections; those in use close when their request ends.
    pub(crate) fn disconnect(&self) {
        for idle in &self.idle {
            let mut idle = idle.lock().expect("no holder of this lock panics");
            idle.closed = true;
            idle.lines.clear();
        }
    }

    /// Closes connections that were idle for long.
    pub(crate) fn prune(&self) {
        for idle in &self.idle {
            let mut idle = idle.lock().expect("no holder of this lock panics");
            idle.lines.retain(|(_, since)| since.elapsed() < MAX_IDLE_TIME);
        }
    }

    /// An idle connection that is ready for a request.
    pub(super) fn reuse(self: &Arc<Self>) -> Option<Lease> {
        loop {
            let (mut line, _) = self.idle_here().lines.pop()?;
            if line.ready() {
                return Some(self.lease(line, true));
            }
        }
    }

    /// A new connection.
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
        let driver = Box::pin(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(error = %telemetry::chain(&error), "connection to a data plane ended");
            }
        });
        Ok(self.lease(Line { sender, driver }, false))
    }

    fn idle_here(&self) -> MutexGuard<'_, Idle> {
        self.idle[workers::current()].lock().expect("no holder of this lock panics")
    }

    fn lease(self: &Arc<Self>, line: Line, reused: bool) -> Lease {
        Lease { line, ended: false, reused, upstream: Arc::clone(self) }
    }
}
