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
    extract::Request,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, Method, StatusCode, Uri, header};

use super::{ClientAddress, Error};
use crate::{logs, state::App};

/// A request under way. Its line goes to the log that administrators read; reading that log is no news, and the platform's requests are
/// not theirs.
pub(super) struct Observed {
    began: Instant,
    open: Option<Open>,
    seen: Option<Seen>,
}

/// What the log tells of a request.
struct Seen {
    method: Method,
    uri: Uri,
    address: Option<IpAddr>,
    user_agent: Option<HeaderValue>,
}

impl Observed {
    pub(super) fn begin(app: &Arc<App>, request: &Request) -> Self {
        let path = request.uri().path();
        let platform = path.starts_with(data_plane_contract::PLATFORM_PREFIX);
        let seen = (!platform && !path.contains("/logs/")).then(|| Seen {
            method: request.method().clone(),
            uri: request.uri().clone(),
            address: ClientAddress::of(request.headers(), request.extensions(), &app.config.trust_proxy).0,
            user_agent: request.headers().get(header::USER_AGENT).cloned(),
        });
        Self { began: Instant::now(), open: (!platform).then(|| Open::begin(app)), seen }
    }

    /// Notes the request; it stays open until its body is sent.
    pub(super) fn end(self, app: &App, response: Response) -> Response {
        let Self { began, open, seen } = self;
        let duration_ms = began.elapsed().as_secs_f64() * 1000.0;
        let size_bytes = response.body().size_hint().exact();
        if let Some(Seen { method, uri, address, user_agent }) = seen {
            let status = response.status().as_u16();
            tracing::debug!(http.method = %method, http.status = status, duration_ms, "request");
            let request = logs::Request { method, uri, status, size_bytes, duration_ms, address, user_agent };
            app.logs.request(app.clock.now(), request);
        }
        match open {
            // What is in memory is as good as sent.
            Some(open) if size_bytes.is_none() => response.map(|body| Body::new(Counted { body, _open: open })),
            _ => response,
        }
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
