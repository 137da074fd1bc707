//! Request bodies: JSON and forms with the contract's limits and error texts. A body of another type counts as absent, an absent one as `{}`.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::{Map, Value};

use super::{Error, Result, form};
use crate::state::App;

/// A parsed body: an object or array; an empty object when there was none.
#[derive(Clone, Debug)]
pub struct JsonBody(pub Value);

impl FromRequest<Arc<App>> for JsonBody {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        let (parts, body) = request.into_parts();
        match content_type(&parts.headers).as_deref() {
            Some("application/json") => {
                let bytes = read(body, app.config.max_json_body_bytes).await?;
                parse(&bytes).map(Self)
            }
            Some("application/x-www-form-urlencoded") => {
                let bytes = read(body, app.config.max_form_body_bytes).await?;
                Ok(Self(form::parse(&bytes)))
            }
            _ => Ok(Self(Value::Object(Map::new()))),
        }
    }
}

/// The media type of a body without its parameters, lower case.
#[must_use]
pub fn content_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// The contract's 500 for a body that is too large; 400 for one that ends early.
pub async fn read(body: Body, limit: u64) -> Result<bytes::Bytes> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            Err(Error::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "request entity too large"))
        }
        Err(_) => Err(Error::invalid_input("request aborted")),
    }
}

fn parse(bytes: &[u8]) -> Result<Value> {
    if bytes.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let malformed = |message: String| {
        Error::invalid_input(message).with_next_actions("Please ensure your request body contains valid JSON")
    };
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        malformed(match error.is_eof() {
            true => "Unexpected end of JSON input".to_owned(),
            false => format!("Unexpected token in JSON at line {} column {}", error.line(), error.column()),
        })
    })?;
    match value {
        Value::Object(_) | Value::Array(_) => Ok(value),
        _ => Err(malformed("Unexpected token in JSON: the top level must be an object or an array".to_owned())),
    }
}
