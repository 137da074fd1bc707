//! The contract's paginated array: rows as the body, position in `Content-Range`, 206 when rows are left out.

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

/// `rows` as a page that begins at `offset` out of `total`.
#[must_use]
pub fn paginated(rows: Vec<Value>, offset: i64, total: i64) -> Response {
    let length = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let end = (offset + length - 1).min(total - 1);
    let status = if length < total { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let range = HeaderValue::try_from(format!("{offset}-{end}/{total}")).expect("digits and punctuation");
    let preference = HeaderValue::from_static("count=exact");
    (
        status,
        [(header::CONTENT_RANGE, range), (header::HeaderName::from_static("preference-applied"), preference)],
        Json(rows),
    )
        .into_response()
}
