//! Getting a request to its data plane: wake it when nobody listens, try again where nothing can have happened twice.

use std::{io, sync::Arc, time::Duration};

use http::{Method, Request, Response, request};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep, timeout};

use super::{
    bodies::Inbound,
    reply::Reply,
    upstream::{Lease, Upstream},
};
use crate::{edge::Edge, projects::Visit};

/// How long a request waits for its project to be there.
const HOLD_LIMIT: Duration = Duration::from_secs(30);
/// How long a project may take to begin its answer.
const RESPONSE_LIMIT: Duration = Duration::from_secs(300);
/// Connections that may break before a request was written on them.
const MAX_BROKEN: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Sends the request and waits for the head of the response. `fresh` asks for a connection of its own.
pub(super) async fn send(
    edge: &Arc<Edge>,
    visit: &Visit,
    mut request: Request<Inbound>,
    fresh: bool,
) -> Result<(Response<Incoming>, Lease), Reply> {
    let deadline = Instant::now() + HOLD_LIMIT;
    let mut broken = 0;
    loop {
        let mut lease = connection(edge, visit, fresh || broken > 0, deadline).await?;
        let again = if lease.reused { replayable(&request) } else { None };
        let sending = timeout(RESPONSE_LIMIT, lease.send(request));
        let mut error = match sending.await {
            Ok(Ok(response)) => return Ok((response, lease)),
            Ok(Err(error)) => error,
            Err(_) => return Err(Reply::Timeout),
        };
        broken += 1;
        tracing::debug!(project.id = %visit.project().id, error = %telemetry::chain(error.error()), "request was not answered");
        request = match (error.take_message(), again) {
            (Some(unsent), _) if broken <= MAX_BROKEN => unsent,
            (None, Some(parts)) => Request::from_parts(parts, Inbound::Empty),
            _ => return Err(Reply::BadGateway),
        };
    }
}

/// A connection to wherever the project is, waking it as often as nobody listens there.
async fn connection(edge: &Arc<Edge>, visit: &Visit, fresh: bool, deadline: Instant) -> Result<Lease, Reply> {
    let project = visit.project();
    let mut pause = FIRST_PAUSE;
    let mut refused = 0_u32;
    loop {
        let upstream: Arc<Upstream> = project.admit(edge, deadline).await?;
        if !fresh && let Some(lease) = upstream.reuse() {
            return Ok(lease);
        }
        match upstream.connect().await {
            Ok(lease) => return Ok(lease),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => project.found_unreachable(&upstream),
            Err(error) => {
                tracing::warn!(project.id = %project.id, error = %telemetry::chain(&error), "no connection to the data plane");
                return Err(Reply::BadGateway);
            }
        }
        refused += 1;
        if refused > 1 {
            if Instant::now() + pause >= deadline {
                return Err(Reply::Unavailable);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// A copy of a request without body that may be sent twice.
fn replayable(request: &Request<Inbound>) -> Option<request::Parts> {
    let idempotent =
        matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE);
    if !idempotent || !matches!(request.body(), Inbound::Empty) {
        return None;
    }
    let mut copy = Request::new(());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy.into_parts().0)
}
