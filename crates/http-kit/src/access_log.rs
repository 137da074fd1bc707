//! One log line per request: method, route template, status, duration, request id and principal. Never the query, a header or a body.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};

use crate::RequestId;

/// Where whoever authenticates a request writes down who it is from.
#[derive(Clone, Debug, Default)]
pub struct Principal(Arc<Mutex<Option<String>>>);

impl Principal {
    /// Names the principal, for example `user:<id>`. Never a secret.
    pub fn set(&self, name: impl Into<String>) {
        *self.0.lock().expect("no holder of this lock panics") = Some(name.into());
    }

    fn name(&self) -> String {
        self.0.lock().expect("no holder of this lock panics").clone().unwrap_or_else(|| "-".to_owned())
    }
}

/// Middleware that writes the line. It stands inside [`crate::assign_request_id`] and outside everything else.
pub async fn access_log(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let principal = Principal::default();
    request.extensions_mut().insert(principal.clone());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str).to_owned();
    let id = request.extensions().get::<RequestId>().map_or_else(String::new, |id| id.as_str().to_owned());
    let response = next.run(request).await;
    let (status, duration_ms) = (response.status().as_u16(), started.elapsed().as_millis());
    tracing::info!(
        http.method = %method,
        http.route = route,
        http.status = status,
        duration_ms,
        request.id = id,
        principal = principal.name(),
        "{method} {route} {status} {duration_ms} ms"
    );
    response
}
