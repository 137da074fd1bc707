//! A connection that switched protocols, such as a WebSocket: bytes both ways until either end is done, or the gateway has to end it.

use std::{sync::Arc, time::Duration};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, split},
    time::{Instant, sleep_until, timeout},
};

use super::{
    frames::{self, Frames},
    upstream::Lease,
};
use crate::{edge::Edge, meter::Counters, projects::Visit};

/// How long one direction may go on after the other has ended.
const HALF_CLOSED_LIMIT: Duration = Duration::from_secs(30);
/// How long a client may take to leave once it was told to, and a message under way to end before.
const GOODBYE_LIMIT: Duration = Duration::from_secs(1);
const BUFFER_BYTES: usize = 8 * 1024;

/// Why the gateway ends a tunnel, in the words of a WebSocket's last frame.
struct Goodbye {
    code: u16,
    reason: Arc<str>,
}

/// Joins both ends. Ends when they do, when the project has to sleep, or when the gateway stops.
pub(super) async fn run(
    edge: Arc<Edge>,
    visit: Visit,
    lease: Lease,
    client: OnUpgrade,
    upstream: OnUpgrade,
    web_socket: bool,
) {
    let joined = async {
        let ((), sides) = tokio::join!(lease.finish(), async { tokio::try_join!(client, upstream) });
        let (client, upstream) = sides?;
        Ok::<_, hyper::Error>((TokioIo::new(client), TokioIo::new(upstream)))
    };
    let project = visit.project();
    let goodbye = async {
        tokio::select! {
            reason = project.told_to_sleep() => Goodbye { code: frames::TRY_AGAIN_LATER, reason },
            () = edge.draining.cancelled() => Goodbye { code: frames::GOING_AWAY, reason: "the gateway restarts".into() },
        }
    };
    let joined = tokio::select! {
        joined = joined => joined,
        () = edge.draining.cancelled() => return,
    };
    match joined {
        Ok((client, upstream)) => relay(client, upstream, &project.counters, goodbye, web_socket).await,
        Err(error) => tracing::debug!(error = %telemetry::chain(&error), "a connection did not switch protocols"),
    }
}

async fn relay<C, U>(
    client: C,
    upstream: U,
    counters: &Counters,
    goodbye: impl Future<Output = Goodbye>,
    web_socket: bool,
) where
    C: AsyncRead + AsyncWrite,
    U: AsyncRead + AsyncWrite,
{
    let (mut from_client, mut to_client) = split(client);
    let (mut from_upstream, mut to_upstream) = split(upstream);
    let up = async {
        let _ended = copy(&mut from_client, &mut to_upstream).await;
        let _gone = to_upstream.shutdown().await;
    };
    let down = async {
        let frames = web_socket.then(Frames::default);
        let ended = deliver(&mut from_upstream, &mut to_client, counters, goodbye, frames).await;
        let _gone = to_client.shutdown().await;
        ended
    };
    tokio::pin!(up, down);
    tokio::select! {
        () = &mut up => { let _cut = timeout(HALF_CLOSED_LIMIT, down).await; }
        ended = &mut down => {
            let limit = if ended == Ended::ByGateway { GOODBYE_LIMIT } else { HALF_CLOSED_LIMIT };
            let _cut = timeout(limit, up).await;
        }
    }
}

#[derive(PartialEq, Eq)]
enum Ended {
    ByEither,
    ByGateway,
}

/// Passes on what comes from the upstream and counts it. Told to say goodbye, it does so between two frames and stops.
async fn deliver<R, W>(
    from: &mut R,
    to: &mut W,
    counters: &Counters,
    goodbye: impl Future<Output = Goodbye>,
    mut frames: Option<Frames>,
) -> Ended
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    tokio::pin!(goodbye);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut leaving: Option<(Goodbye, Instant)> = None;
    loop {
        if let Some((goodbye, _)) = &leaving
            && frames.as_ref().is_none_or(Frames::between_two)
        {
            if frames.is_some() {
                let _gone = send(to, &frames::close(goodbye.code, &goodbye.reason), counters).await;
            }
            return Ended::ByGateway;
        }
        let deadline = leaving.as_ref().map_or_else(Instant::now, |(_, deadline)| *deadline);
        let read = tokio::select! {
            told = &mut goodbye, if leaving.is_none() => {
                leaving = Some((told, Instant::now() + GOODBYE_LIMIT));
                continue;
            }
            () = sleep_until(deadline), if leaving.is_some() => return Ended::ByGateway,
            read = from.read(&mut buffer) => read,
        };
        let Some(bytes) = read.ok().filter(|&length| length > 0).and_then(|length| buffer.get(..length)) else {
            return Ended::ByEither;
        };
        if let Some(frames) = &mut frames {
            frames.pass(bytes);
        }
        if send(to, bytes, counters).await.is_err() {
            return Ended::ByEither;
        }
    }
}

/// Counts as egress what is written, when it is written.
async fn send<W: AsyncWrite + Unpin>(to: &mut W, mut bytes: &[u8], counters: &Counters) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let written = to.write(bytes).await?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        counters.egress(written as u64);
        bytes = bytes.get(written..).unwrap_or_default();
    }
    to.flush().await
}
