//! One request from a client to the data plane of its project and back: streaming, in constant memory, counted as it flows.

mod bodies;
mod frames;
mod headers;
mod hosts;
mod paths;
mod reply;
mod send;
mod tunnel;
mod upstream;

use std::{convert::Infallible, sync::Arc};

use http::{Method, Request, Response, StatusCode, Uri, Version, request};
use http_body::Body as _;
use hyper::body::Incoming;

pub(crate) use bodies::Outgoing;
pub(crate) use headers::Client;
pub(crate) use upstream::Upstream;

use crate::{edge::Edge, projects::Visit};
use bodies::{Inbound, Streamed};
use reply::Reply;

/// Answers one request. Never fails: what goes wrong becomes an answer.
pub(crate) async fn serve(
    edge: Arc<Edge>,
    client: Arc<Client>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, Infallible> {
    Ok(forward(&edge, &client, request).await.unwrap_or_else(Reply::into_response))
}

async fn forward(
    edge: &Arc<Edge>,
    client: &Client,
    mut request: Request<Incoming>,
) -> Result<Response<Outgoing>, Reply> {
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(Reply::MethodNotAllowed);
    }
    let host = hosts::requested(&request).ok_or(Reply::BadHost)?;
    let project = edge.routes.find(&hosts::lookup_key(&host)).ok_or(Reply::UnknownHost)?;
    if paths::platform_internal(request.uri().path()) {
        return Err(Reply::NotFound);
    }
    project.permit(request.method(), request.uri().path())?;
    let visit = Visit::begin(project);

    let upgrade = headers::wanted_upgrade(&request);
    let client_side = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    let (mut parts, body) = request.into_parts();
    let request_id = headers::prepare(&mut parts, client, host, upgrade.as_ref());
    to_origin_form(&mut parts)?;
    let inbound = if body.is_end_stream() { Inbound::Empty } else { Inbound::stream(body) };
    let request = Request::from_parts(parts, inbound);

    let (mut response, lease) = send::send(edge, &visit, request, upgrade.is_some()).await?;
    if let (StatusCode::SWITCHING_PROTOCOLS, Some(client_side)) = (response.status(), client_side) {
        visit.project().counters.request();
        let upstream_side = hyper::upgrade::on(&mut response);
        let web_socket = upgrade.is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
        edge.tasks.spawn(tunnel::run(Arc::clone(edge), visit, lease, client_side, upstream_side, web_socket));
        let (mut parts, _) = response.into_parts();
        headers::finish_upgrade(&mut parts.headers, request_id);
        return Ok(Response::from_parts(parts, Outgoing::empty()));
    }
    let (mut parts, body) = response.into_parts();
    parts.version = Version::HTTP_11;
    headers::finish(&mut parts.headers, request_id);
    let of_events = headers::of_events(&parts.headers);
    Ok(Response::from_parts(parts, Outgoing::Streamed(Streamed::new(body, visit, lease, of_events))))
}

/// An upstream gets `/path?query`, whatever form the client used.
fn to_origin_form(parts: &mut request::Parts) -> Result<(), Reply> {
    parts.version = Version::HTTP_11;
    if parts.uri.scheme().is_some() || parts.uri.authority().is_some() {
        let path = parts.uri.path_and_query().cloned().ok_or(Reply::BadRequest)?;
        parts.uri = Uri::from(path);
    }
    if parts.uri.path().starts_with('/') { Ok(()) } else { Err(Reply::BadRequest) }
}
