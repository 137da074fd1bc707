//! The error every handler answers with, in the contract's envelope `{error, message, statusCode, nextActions?}`.

use std::{borrow::Cow, error::Error as StdError};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// What a handler returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal or a failure, as the client sees it.
#[derive(Debug)]
pub struct Error(Box<Fields>);

#[derive(Debug)]
struct Fields {
    status: StatusCode,
    code: Cow<'static, str>,
    message: String,
    next_actions: Option<Cow<'static, str>>,
    set_cookie: Option<HeaderValue>,
    retry_after_seconds: Option<i64>,
}

impl Error {
    /// An error with all that is always there.
    #[must_use]
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self(Box::new(Fields {
            status,
            code: code.into(),
            message: message.into(),
            next_actions: None,
            set_cookie: None,
            retry_after_seconds: None,
        }))
    }

    /// 400 `INVALID_INPUT`.
    #[must_use]
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_INPUT", message)
    }

    /// 400 with another code.
    #[must_use]
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 401.
    #[must_use]
    pub fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }

    /// 403.
    #[must_use]
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 404.
    #[must_use]
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 409.
    #[must_use]
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// A failure of ours: logged here with its causes, answered as 500 `INTERNAL_ERROR` without them.
    #[must_use]
    pub fn internal(doing: &'static str, cause: &(dyn StdError + 'static)) -> Self {
        tracing::error!(doing, cause = telemetry::chain(cause), "a request failed inside");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "Internal server error")
    }

    /// A dependency does not answer: worth a warning, and worth another try by the client.
    #[must_use]
    pub fn unavailable(doing: &'static str, cause: &(dyn StdError + 'static)) -> Self {
        tracing::warn!(doing, cause = telemetry::chain(cause), "a dependency does not answer");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "INTERNAL_ERROR", "The database is not available")
            .with_retry_after(1)
    }

    /// The same with advice.
    #[must_use]
    pub fn with_next_actions(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.0.next_actions = Some(text.into());
        self
    }

    /// The same with a cookie.
    #[must_use]
    pub fn with_cookie(mut self, cookie: HeaderValue) -> Self {
        self.0.set_cookie = Some(cookie);
        self
    }

    /// The same, saying after how many seconds another try may succeed.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: i64) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    /// HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// Text for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let Fields { status, code, message, next_actions, set_cookie, retry_after_seconds } = *self.0;
        let mut body = Map::new();
        body.insert("error".into(), Value::String(code.into_owned()));
        body.insert("message".into(), Value::String(message));
        body.insert("statusCode".into(), status.as_u16().into());
        if let Some(next_actions) = next_actions {
            body.insert("nextActions".into(), Value::String(next_actions.into_owned()));
        }
        let mut response = (status, Json(Value::Object(body))).into_response();
        if let Some(cookie) = set_cookie {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        if let Some(seconds) = retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) if error.as_db_error().is_none() => {
                Self::unavailable("connect to Postgres", &error)
            }
            deadpool_postgres::PoolError::Timeout(_) => Self::unavailable("wait for a Postgres connection", &error),
            deadpool_postgres::PoolError::Backend(error) => error.into(),
            other => Self::internal("get a Postgres connection", &other),
        }
    }
}
