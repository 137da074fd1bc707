//! A panic in a handler answers 500 and is logged; the server goes on.

use std::{any::Any, panic::AssertUnwindSafe};

use axum::{extract::Request, middleware::Next, response::Response};
use http::StatusCode;

/// Middleware that turns a panic into an empty answer with status 500, for the caller's error layer to fill.
pub async fn catch_panics(request: Request, next: Next) -> Response {
    let work = futures::FutureExt::catch_unwind(AssertUnwindSafe(next.run(request)));
    work.await.unwrap_or_else(|panic| {
        // A broken invariant: a person must look.
        tracing::error!(panic = text(&*panic), "a request handler panicked");
        let mut response = Response::default();
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)")
}
