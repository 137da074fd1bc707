//! Responses: status, headers and body from what the statement answered.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{error::Error, execute::Outcome};

/// What a URL holds as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A response under construction.
pub(super) struct Answer {
    response: Response,
}

impl Answer {
    /// Starts with a status and a body.
    pub(super) fn new(status: u16, content_type: &'static str, body: impl Into<Body>) -> Self {
        let mut response = Response::new(body.into());
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { response }
    }

    /// A response without a body.
    pub(super) fn empty(status: u16) -> Self {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::NO_CONTENT);
        Self { response }
    }

    /// Adds a header when there is a value that fits into one.
    pub(super) fn header(mut self, name: &'static str, value: Option<String>) -> Self {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            self.response.headers_mut().insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Adds `Preference-Applied` when something was.
    pub(super) fn applied(mut self, value: Option<HeaderValue>) -> Self {
        if let Some(value) = value {
            self.response.headers_mut().insert("preference-applied", value);
        }
        self
    }

    /// Lets SQL have the last word on status and headers.
    pub(super) fn finish(mut self, outcome: &Outcome) -> Result<Response, Error> {
        if let Some(status) = &outcome.response_status {
            let status = status.parse::<u16>().ok().and_then(|status| StatusCode::from_u16(status).ok());
            *self.response.status_mut() =
                status.ok_or_else(|| Error::new(500, "PGRST112", "response.status guc must be a valid status code"))?;
        }
        if let Some(headers) = &outcome.response_headers {
            let chosen = parse_headers(headers)?;
            for (name, _) in &chosen {
                self.response.headers_mut().remove(name);
            }
            for (name, value) in chosen {
                self.response.headers_mut().append(name, value);
            }
        }
        if !self.response.status().is_success() {
            // An error keeps its body only, whoever chose its status.
            let kind = self.response.headers_mut().remove(header::CONTENT_TYPE);
            self.response.headers_mut().clear();
            self.response.headers_mut().extend(kind.map(|kind| (header::CONTENT_TYPE, kind)));
        }
        Ok(self.response)
    }
}

fn parse_headers(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    let bad = || {
        Error::new(
            500,
            "PGRST111",
            "response.headers guc must be a JSON array composed of objects with a single key and a string value",
        )
    };
    let objects: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(text).map_err(|_| bad())?;
    let mut headers = Vec::new();
    for object in objects {
        let mut members = object.into_iter();
        let (Some((name, serde_json::Value::String(value))), None) = (members.next(), members.next()) else {
            return Err(bad());
        };
        headers.push((name.parse().map_err(|_| bad())?, value.parse().map_err(|_| bad())?));
    }
    Ok(headers)
}

/// The body for this method: HEAD has none.
pub(super) fn body_for(method: &Method, body: Bytes) -> Body {
    if *method == Method::HEAD { Body::empty() } else { Body::from(body) }
}

/// `/table?<sorted query>`; the values of a repeated key are joined by commas.
pub(super) fn content_location(path: &str, query: &[(String, String)]) -> String {
    let mut pairs: Vec<&(String, String)> = query.iter().collect();
    pairs.sort_by(|left, right| left.0.cmp(&right.0));
    let encode = |text: &str| utf8_percent_encode(text, KEPT).to_string();
    let mut location = path.to_owned();
    for (position, pair) in pairs.iter().enumerate() {
        let repeated = position > 0 && pairs[position - 1].0 == pair.0;
        if repeated {
            location.push(',');
        } else {
            location.push(if position == 0 { '?' } else { '&' });
            location.push_str(&encode(&pair.0));
            location.push('=');
        }
        location.push_str(&encode(&pair.1));
    }
    location
}

/// `/table?pk=eq.value` of a written row.
pub(super) fn location(table: &str, key: Option<&str>) -> Option<String> {
    let key: serde_json::Map<String, serde_json::Value> = serde_json::from_str(key?).ok()?;
    let encode = |text: &str| utf8_percent_encode(text, KEPT).to_string();
    let members =
        key.iter().map(|(name, value)| format!("{}=eq.{}", encode(name), encode(value.as_str().unwrap_or_default())));
    Some(format!("/{table}?{}", members.collect::<Vec<_>>().join("&")))
}

/// The error when exactly one row was asked for and there are others.
pub(super) fn not_singular(rows: i64) -> Error {
    Error::new(406, "PGRST116", "JSON object requested, multiple (or no) rows returned")
        .details(format!("The result contains {rows} rows"))
}
