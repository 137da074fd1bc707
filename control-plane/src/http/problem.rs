//! The one place where a failure becomes a response: `{code, error, requestId}` with the status of its meaning. Also where it is logged.

use axum::{
    Json,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use http_kit::RequestId;
use model::errors::{Error, Meaning};
use serde_json::{Value, json};

use crate::app::Failure;

/// Partners' clients expect `{success: false, message}` below this path.
const PARTNERSHIP: &str = "/partnership/v1/";

/// A failure on its way out; it has its body once the request id is known.
#[derive(Clone)]
struct Pending {
    code: &'static str,
    text: String,
    field: Option<String>,
}

pub(crate) fn status(meaning: &Meaning) -> StatusCode {
    match meaning {
        Meaning::NotFound => StatusCode::NOT_FOUND,
        Meaning::AlreadyExists | Meaning::Conflict => StatusCode::CONFLICT,
        Meaning::Invalid { .. } => StatusCode::BAD_REQUEST,
        Meaning::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        Meaning::Locked => StatusCode::LOCKED,
        Meaning::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Meaning::Unauthenticated => StatusCode::UNAUTHORIZED,
        Meaning::Forbidden | Meaning::QuotaExceeded => StatusCode::FORBIDDEN,
        Meaning::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
        Meaning::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Meaning::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn log(error: &Error) {
    let chain = telemetry::chain(error);
    match error.meaning() {
        Meaning::Internal => tracing::error!(error = chain, "a request failed on our side"),
        Meaning::Unavailable => tracing::warn!(error = chain, "a request could not be served now"),
        _ => tracing::debug!(error = chain, "a request was refused"),
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = self.0;
        log(&error);
        let mut response = status(error.meaning()).into_response();
        if let Meaning::Throttled { retry_after_seconds } = error.meaning() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*retry_after_seconds));
        }
        let field = match error.meaning() {
            Meaning::Invalid { field } => field.clone(),
            _ => None,
        };
        response.extensions_mut().insert(Pending { code: error.code(), text: error.message().to_owned(), field });
        response
    }
}

/// The code of a failure that has no body yet.
pub(crate) fn code_of(response: &Response) -> Option<&'static str> {
    response.extensions().get::<Pending>().map(|pending| pending.code)
}

/// What an answer without a body of ours means: it comes from the framework.
fn framework(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => ("route.method_not_allowed", "Method not allowed"),
        StatusCode::PAYLOAD_TOO_LARGE => ("request.too_large", "The request body is too large"),
        status if status.is_server_error() => ("internal", "Something went wrong on our side. Try again later."),
        _ => ("request.malformed", "The request cannot be read"),
    }
}

fn is_json(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}

/// Middleware that gives every failure its body.
pub(crate) async fn write_problem(request: Request, next: Next) -> Response {
    let of_partners = request.uri().path().starts_with(PARTNERSHIP);
    let request_id = request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned());
    let mut response = next.run(request).await;
    let status = response.status();
    let pending = response.extensions_mut().remove::<Pending>();
    let failed = status.is_client_error() || status.is_server_error();
    if pending.is_none() && (!failed || is_json(&response)) {
        return response;
    }
    let pending = pending.unwrap_or_else(|| {
        let (code, text) = framework(status);
        Pending { code, text: text.to_owned(), field: None }
    });
    let mut body: Value = json!({ "code": pending.code, "error": pending.text });
    if let Some(field) = pending.field {
        body["field"] = Value::String(field);
    }
    if of_partners {
        body["success"] = Value::Bool(false);
        body["message"] = body["error"].clone();
    }
    if let Some(id) = request_id {
        body["requestId"] = Value::String(id);
    }
    let mut written = (status, Json(body)).into_response();
    for name in [header::RETRY_AFTER, header::ALLOW, api_operation_header()] {
        if let Some(value) = response.headers().get(&name) {
            written.headers_mut().insert(name, value.clone());
        }
    }
    written
}

fn api_operation_header() -> http::HeaderName {
    crate::api::OPERATION_HEADER
}
