//! Bodies in both directions: passed on frame by frame, never collected.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::upstream::Lease;
use crate::projects::Visit;

/// Longest silence of a client in the middle of a request body.
const CLIENT_SILENCE: Duration = Duration::from_secs(60);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request body on its way to the upstream.
pub(super) enum Inbound {
    Empty,
    Stream { body: Incoming, silence: Option<Pin<Box<Sleep>>> },
}

impl Inbound {
    pub(super) const fn stream(body: Incoming) -> Self {
        Self::Stream { body, silence: None }
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self::Stream { body, silence } = &mut *self else { return Poll::Ready(None) };
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(frame) => {
                if let Some(timer) = silence {
                    timer.as_mut().reset(Instant::now() + CLIENT_SILENCE);
                }
                Poll::Ready(frame.map(|result| result.map_err(Into::into)))
            }
            Poll::Pending => {
                let timer = silence.get_or_insert_with(|| Box::pin(sleep(CLIENT_SILENCE)));
                ready!(timer.as_mut().poll(cx));
                let error = io::Error::new(io::ErrorKind::TimedOut, "the client stopped sending");
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Stream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Stream { body, .. } => body.size_hint(),
        }
    }
}

/// A response body on its way to the client.
pub(crate) enum Outgoing {
    Whole(Option<Bytes>),
    Streamed(Streamed),
}

impl Outgoing {
    pub(super) const fn empty() -> Self {
        Self::Whole(None)
    }
}

/// A body from the upstream: counts what passes, keeps the visit open, and gives the connection back at its end.
pub(crate) struct Streamed {
    body: Incoming,
    visit: Visit,
    lease: Option<Lease>,
    /// The request is counted before anything of the answer leaves: with the first bytes when they are there at once, alone otherwise.
    counted: bool,
    /// Of a stream of events, which goes on until somebody ends it: when the project has to sleep for using too much.
    ending: Option<Ending>,
}

type Ending = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

impl Streamed {
    pub(super) fn new(body: Incoming, visit: Visit, lease: Lease, of_events: bool) -> Self {
        let ending = of_events.then(|| {
            let project = Arc::clone(visit.project());
            Box::pin(async move { drop(project.told_to_sleep().await) }) as Ending
        });
        let mut streamed = Self { body, visit, lease: Some(lease), counted: false, ending };
        if streamed.body.is_end_stream() {
            streamed.count(0);
        }
        streamed.release_at_end();
        streamed
    }

    fn count(&mut self, bytes: u64) {
        let counters = &self.visit.project().counters;
        match (self.counted, bytes) {
            (true, _) => counters.egress(bytes),
            (false, 0) => counters.request(),
            (false, _) => counters.request_with_egress(bytes),
        }
        self.counted = true;
    }

    /// The next frame: one that is here, else what driving the connection brings.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match (Pin::new(&mut self.body).poll_frame(cx), &mut self.lease) {
            (Poll::Pending, Some(lease)) => {
                lease.drive(cx);
                Pin::new(&mut self.body).poll_frame(cx)
            }
            (frame, _) => frame,
        }
    }

    fn release_at_end(&mut self) {
        if self.body.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.release();
        }
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        if !self.counted {
            self.count(0);
        }
        self.release_at_end();
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let streamed = match &mut *self {
            Self::Whole(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Streamed(streamed) => streamed,
        };
        if let Some(ending) = &mut streamed.ending
            && ending.as_mut().poll(cx).is_ready()
        {
            (streamed.ending, streamed.lease) = (None, None);
            return Poll::Ready(None);
        }
        let frame = streamed.next(cx);
        let bytes = match &frame {
            Poll::Ready(Some(Ok(frame))) => frame.data_ref().map_or(0, Bytes::len),
            _ => 0,
        };
        if bytes > 0 || !streamed.counted {
            streamed.count(bytes as u64);
        }
        let frame = ready!(frame);
        match &frame {
            Some(Ok(_)) => streamed.release_at_end(),
            None => {
                if let Some(lease) = streamed.lease.take() {
                    lease.release();
                }
            }
            Some(Err(_)) => streamed.lease = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Streamed(streamed) => streamed.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Streamed(streamed) => streamed.body.size_hint(),
        }
    }
}
