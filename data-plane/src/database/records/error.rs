//! Errors of the records and rpc routes: `{code, message, details, hint}` with nulls present, and their HTTP status.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::query::ParseError;
use crate::database::wire::Failure;

/// An error a client of the data API sees.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    status: StatusCode,
    body: Body,
    /// Whether it is told in the form of the other routes.
    common_form: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Body {
    code: String,
    message: String,
    details: Option<serde_json::Value>,
    hint: Option<String>,
}

impl Error {
    /// An error with this status, code and message.
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Body { code: code.to_owned(), message: message.into(), details: None, hint: None };
        Self { status, body, common_form: false }
    }

    /// Adds details.
    #[must_use]
    pub(crate) fn details(mut self, details: impl Into<serde_json::Value>) -> Self {
        self.body.details = Some(details.into());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.body.hint = Some(hint.into());
        self
    }

    /// Its stable code.
    pub(crate) fn code(&self) -> &str {
        &self.body.code
    }

    /// A parameter that does not parse.
    pub(crate) fn unparsable(what: &str, value: &str, error: &ParseError) -> Self {
        let found = error.found.map_or_else(|| "end of input".to_owned(), |found| format!("\"{found}\""));
        Self::new(400, "PGRST100", format!("\"failed to parse {what} ({value})\" (line 1, column {})", error.column))
            .details(format!("unexpected {found} expecting {}", error.expected))
    }

    /// A preference that is unknown or cannot be met, with strict handling.
    pub(crate) fn invalid_preference(preferences: &str) -> Self {
        Self::new(400, "PGRST122", "Invalid preferences given with handling=strict")
            .details(format!("Invalid preferences: {preferences}"))
    }

    /// A body that is not what the route takes.
    pub(crate) fn body(message: &str) -> Self {
        Self::new(400, "PGRST102", message)
    }

    /// A column named in a body, in `columns` or in `on_conflict` that the relation does not have.
    pub(crate) fn no_body_column(relation: &str, column: &str) -> Self {
        Self::new(400, "PGRST204", format!("Could not find the '{column}' column of '{relation}' in the schema cache"))
    }

    /// A relation the schema does not have.
    pub(crate) fn no_relation(schema: &str, relation: &str) -> Self {
        Self::new(404, "42P01", format!("relation \"{schema}.{relation}\" does not exist"))
    }

    /// Something the SDK never sees unless the database is away.
    pub(crate) fn unavailable() -> Self {
        Self::new(503, "PGRST001", "Database client error. Retrying the connection.")
    }

    /// The statement took longer than the route allows.
    pub(crate) fn timed_out() -> Self {
        Self { common_form: true, ..Self::new(500, "INTERNAL_ERROR", "timeout of 10000ms exceeded") }
    }

    /// Postgres cannot be reached.
    pub(crate) fn unreachable() -> Self {
        Self::new(503, "PGRST000", "Database connection error. Retrying the connection.")
    }

    /// What Postgres refused; `anonymous` decides between 401 and 403 for missing rights.
    pub(crate) fn database(failure: &Failure, anonymous: bool) -> Self {
        let refusal = match failure {
            Failure::Refused(refusal) => refusal,
            Failure::Broken(..) => {
                tracing::warn!(error = failure as &dyn std::error::Error, "a records statement lost its connection");
                return Self::unavailable();
            }
        };
        if refusal.state == "PGRST" {
            return raised(&refusal.message, refusal.detail.as_deref());
        }
        let mut mapped = Self::new(status(&refusal.state, anonymous), &refusal.state, refusal.message.as_str());
        mapped.body.details = refusal.detail.clone().map(Into::into);
        mapped.body.hint.clone_from(&refusal.hint);
        mapped
    }
}

/// `raise sqlstate 'PGRST'` lets a function choose the whole answer by JSON in its message and detail.
fn raised(message: &str, detail: Option<&str>) -> Error {
    #[derive(serde::Deserialize)]
    struct Message {
        code: String,
        message: String,
        details: Option<String>,
        hint: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct Detail {
        status: u16,
    }
    let parsed = serde_json::from_str::<Message>(message).ok();
    let status = detail.and_then(|detail| serde_json::from_str::<Detail>(detail).ok());
    match (parsed, status) {
        (Some(parsed), Some(status)) => {
            let mut error = Error::new(status.status, &parsed.code, parsed.message);
            error.body.details = parsed.details.map(Into::into);
            error.body.hint = parsed.hint;
            error
        }
        _ => Error::new(500, "PGRST121", "The message and detail field of RAISE 'PGRST' error expects JSON"),
    }
}

/// The HTTP status of an SQLSTATE.
pub(crate) fn status(state: &str, anonymous: bool) -> u16 {
    let class = state.get(..2).unwrap_or_default();
    match state {
        "23503" | "23505" => 409,
        "25006" => 405,
        "42501" if anonymous => 401,
        "42501" => 403,
        "42883" | "42P01" => 404,
        "42P17" => 500,
        "P0001" => 400,
        "21000" => 500,
        "57P01" => 503,
        _ => match class {
            "08" | "53" => 503,
            "0L" | "0P" | "28" => 403,
            "09" | "25" | "2D" | "38" | "39" | "3B" | "40" | "54" | "55" | "57" | "58" | "F0" | "HV" | "P0" | "XX" => {
                500
            }
            "PT" => state
                .get(2..)
                .and_then(|digits| digits.parse().ok())
                .filter(|status| (100..1000).contains(status))
                .unwrap_or(500),
            _ => 400,
        },
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if self.common_form {
            return crate::http::Error::new(self.status, self.body.code, self.body.message).into_response();
        }
        let body = serde_json::to_vec(&self.body).expect("an error body is plain data");
        let mut response = (self.status, body).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_map_as_the_contract_has_it() {
        let cases = [
            ("23505", 409),
            ("23502", 400),
            ("22P02", 400),
            ("42501", 403),
            ("42P01", 404),
            ("42883", 404),
            ("25006", 405),
            ("P0001", 400),
            ("P0002", 500),
            ("21000", 500),
            ("57014", 500),
            ("57P01", 503),
            ("53300", 503),
            ("PT418", 418),
            ("XX000", 500),
            ("42703", 400),
        ];
        for (state, expected) in cases {
            assert_eq!(status(state, false), expected, "{state}");
        }
        assert_eq!(status("42501", true), 401);
    }

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_told_as_other_routes_tell_it() {
        let response = Error::timed_out().into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 1024).await.expect("a body in memory");
        let expected =
            serde_json::json!({"error": "INTERNAL_ERROR", "message": "timeout of 10000ms exceeded", "statusCode": 500});
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).expect("JSON"), expected);
    }

    #[test]
    fn a_raised_answer_is_taken_over() {
        let error =
            raised(r#"{"code":"X1","message":"no","details":"d","hint":null}"#, Some(r#"{"status":402,"headers":{}}"#));
        assert_eq!((error.status.as_u16(), error.code()), (402, "X1"));
        assert_eq!(raised("no json", None).code(), "PGRST121");
    }
}
