//! Around every request: counts it until its body is sent, writes one log line, and turns a panic into a 500.

use std::{
    any::Any,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};

use super::{ClientAddress, Error};
use crate::{logs, state::App};

/// Counts and logs.
pub(super) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let platform = request.uri().path().starts_with(data_plane_contract::PLATFORM_PREFIX);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let began = Instant::now();
    let open = (!platform).then(|| Open::begin(&app));
    let (parts, body) = request.into_parts();
    let seen = Seen::of(&app, &parts, platform);
    let response = next.run(Request::from_parts(parts, body)).await;
    let duration_ms = began.elapsed().as_secs_f64() * 1000.0;
    let status = response.status().as_u16();
    let route = route.unwrap_or_default();
    tracing::info!(http.method = %method, http.route = route, http.status = status, duration_ms, "request");
    if let Some(seen) = seen {
        seen.note(&app, &response, duration_ms);
    }
    match open {
        Some(open) => response.map(|body| Body::new(Counted { body, _open: open })),
        None => response,
    }
}

/// What the log that administrators read tells of a request. Reading that log is no news, and the platform's requests are not theirs.
struct Seen {
    method: Method,
    path: String,
    address: Option<IpAddr>,
    user_agent: Option<HeaderValue>,
}

impl Seen {
    fn of(app: &App, parts: &Parts, platform: bool) -> Option<Self> {
        let path = parts.uri.path();
        if platform || path.contains("/logs/") {
            return None;
        }
        Some(Self {
            method: parts.method.clone(),
            path: path.to_owned(),
            address: ClientAddress::of(parts, &app.config.trust_proxy).0,
            user_agent: parts.headers.get(header::USER_AGENT).cloned(),
        })
    }

    fn note(self, app: &App, response: &Response, duration_ms: f64) {
        let Self { method, path, address, user_agent } = self;
        let status = response.status().as_u16();
        let size_bytes = response.body().size_hint().exact();
        app.logs.request(
            app.clock.now(),
            logs::Request { method, path, status, size_bytes, duration_ms, address, user_agent },
        );
    }
}

/// The answer when a handler panics.
pub(super) fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response {
    let text = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    tracing::error!(cause = text, "a handler panicked");
    Error::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "Internal server error").into_response()
}

struct Open(Arc<App>);

impl Open {
    fn begin(app: &Arc<App>) -> Self {
        app.activity.request_began(app.clock.now());
        Self(Arc::clone(app))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.activity.request_ended();
    }
}

struct Counted {
    body: Body,
    _open: Open,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
