//! The request id: the caller's, if it is harmless, else a new one; in the request's extensions and in the response.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderName, HeaderValue};

/// The header that carries it, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MAX_LENGTH: usize = 128;

/// The id of the request being served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// As text: visible ASCII, at most 128 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(request: &Request) -> Self {
        let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let harmless =
            |text: &&str| (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        match given.filter(harmless) {
            Some(text) => Self(text.to_owned()),
            None => Self(uuid::Uuid::now_v7().to_string()),
        }
    }
}

/// Middleware that gives every request an id and names it in the response.
pub async fn assign_request_id(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(&request);
    let header = HeaderValue::from_str(id.as_str()).expect("a request id is visible ASCII");
    request.extensions_mut().insert(id);
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, header);
    response
}
