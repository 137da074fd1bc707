//! A connection that switched protocols, such as a WebSocket: bytes both ways until either end is done.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy, split};

use super::upstream::Lease;
use crate::{edge::Edge, meter::Counters, projects::Visit};

/// How long one direction may go on after the other has ended.
const HALF_CLOSED_LIMIT: Duration = Duration::from_secs(30);

/// Joins both ends. Ends when they do, or when the gateway stops.
pub(super) async fn run(edge: Arc<Edge>, visit: Visit, lease: Lease, client: OnUpgrade, upstream: OnUpgrade) {
    let joined = async {
        let ((), sides) = tokio::join!(lease.finish(), async { tokio::try_join!(client, upstream) });
        let (client, upstream) = sides?;
        Ok::<_, hyper::Error>((TokioIo::new(client), TokioIo::new(upstream)))
    };
    let stopped = edge.draining.cancelled();
    let work = async {
        match joined.await {
            Ok((client, upstream)) => relay(client, upstream, &visit.project().counters).await,
            Err(error) => tracing::debug!(error = %telemetry::chain(&error), "a connection did not switch protocols"),
        }
    };
    tokio::select! {
        () = work => {}
        () = stopped => {}
    }
}

async fn relay<C, U>(client: C, upstream: U, counters: &Counters)
where
    C: AsyncRead + AsyncWrite,
    U: AsyncRead + AsyncWrite,
{
    let (mut from_client, to_client) = split(client);
    let (mut from_upstream, mut to_upstream) = split(upstream);
    let mut to_client = Counted { inner: to_client, counters };
    let up = async {
        let _ended = copy(&mut from_client, &mut to_upstream).await;
        let _gone = to_upstream.shutdown().await;
    };
    let down = async {
        let _ended = copy(&mut from_upstream, &mut to_client).await;
        let _gone = to_client.shutdown().await;
    };
    tokio::pin!(up, down);
    tokio::select! {
        () = &mut up => { let _cut = tokio::time::timeout(HALF_CLOSED_LIMIT, down).await; }
        () = &mut down => { let _cut = tokio::time::timeout(HALF_CLOSED_LIMIT, up).await; }
    }
}

/// Counts what is written as egress.
struct Counted<'a, W> {
    inner: W,
    counters: &'a Counters,
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Counted<'_, W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.counters.egress(written as u64);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
