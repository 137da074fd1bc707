//! Answers the gateway gives itself, in the data plane's error shape.

use bytes::Bytes;
use data_plane_contract::routes::Restraint;
use http::{HeaderValue, Response, StatusCode, header};

use serde_json::json;

use super::Outgoing;
use crate::projects::{Refusal, Refused};

/// Seconds after which a client may try again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// Why a request was not answered by its project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    BadRequest,
    BadHost,
    MethodNotAllowed,
    UnknownHost,
    NotFound,
    Paused,
    Unavailable,
    BadGateway,
    Timeout,
    Restricted(Refused),
}

impl Reply {
    fn parts(&self) -> (StatusCode, &'static str, &str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "INVALID_INPUT", "The request target is not a path"),
            Self::BadHost => (StatusCode::BAD_REQUEST, "INVALID_INPUT", "The request names no host, or more than one"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "This method is not served")
            }
            Self::UnknownHost => (StatusCode::NOT_FOUND, "NOT_FOUND", "No project is served at this host"),
            Self::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND", "Endpoint not found"),
            Self::Paused => (StatusCode::SERVICE_UNAVAILABLE, "PROJECT_PAUSED", "This project is paused"),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "PROJECT_UNAVAILABLE", "This project is not available now; try again")
            }
            Self::BadGateway => {
                (StatusCode::BAD_GATEWAY, "BAD_GATEWAY", "The project closed the connection without an answer")
            }
            Self::Timeout => (StatusCode::GATEWAY_TIMEOUT, "GATEWAY_TIMEOUT", "The project did not answer in time"),
            Self::Restricted(Refused { restraint, reason }) => match restraint {
                Restraint::Throttle { .. } => (StatusCode::TOO_MANY_REQUESTS, "QUOTA_THROTTLED", reason),
                Restraint::ReadOnly => (StatusCode::FORBIDDEN, "QUOTA_READ_ONLY", reason),
                Restraint::Sleep => (StatusCode::SERVICE_UNAVAILABLE, "QUOTA_ASLEEP", reason),
            },
        }
    }

    pub(super) fn into_response(self) -> Response<Outgoing> {
        let (status, code, message) = self.parts();
        let body = json!({ "error": code, "message": message, "statusCode": status.as_u16() }).to_string();
        let mut response = Response::new(Outgoing::Whole(Some(Bytes::from(body))));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        match &self {
            Self::Unavailable => headers.insert(header::RETRY_AFTER, RETRY_AFTER),
            Self::Restricted(Refused { restraint: Restraint::Throttle { .. }, .. }) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
            _ => None,
        };
        response
    }
}

impl From<Refused> for Reply {
    fn from(refused: Refused) -> Self {
        Self::Restricted(refused)
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Paused => Self::Paused,
            Refusal::Withdrawn => Self::UnknownHost,
            Refusal::Unavailable => Self::Unavailable,
        }
    }
}
