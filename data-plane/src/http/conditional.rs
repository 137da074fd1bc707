//! What the wire adds to buffered JSON and text bodies: the character set, a weak `ETag`, and 304 for a client that has that version.

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::Request,
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};

/// Larger bodies are sent without a tag: hashing them costs more than sending them again.
const TAGGED_BYTES_MAX: u64 = 4 << 20;

const TAG_CHARACTERS: usize = 27;

/// What a request says about the version its client has.
pub(super) struct Asked {
    reads: bool,
    known: Option<HeaderValue>,
    reload: bool,
}

impl Asked {
    pub(super) fn of(request: &Request) -> Self {
        Self {
            reads: request.method() == Method::GET || request.method() == Method::HEAD,
            known: request.headers().get(header::IF_NONE_MATCH).cloned(),
            reload: has_no_cache(request.headers()),
        }
    }

    /// Adds what is missing; does not touch streams.
    pub(super) async fn apply(self, mut response: Response) -> Response {
        name_character_set(response.headers_mut());
        if !taggable(&response) {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        // A body of known size is in memory already; reading it waits for nothing.
        let Ok(collected) = body.collect().await else {
            return Response::from_parts(parts, Body::empty());
        };
        let bytes = collected.to_bytes();
        let tag = tag(&bytes);
        let fresh = self.reads
            && !self.reload
            && (parts.status.is_success() || parts.status == StatusCode::NOT_MODIFIED)
            && self.known.as_ref().and_then(|known| known.to_str().ok()).is_some_and(|known| names(known, &tag));
        parts.headers.insert(header::ETAG, HeaderValue::try_from(tag).expect("hex digits and base64"));
        if fresh {
            parts.status = StatusCode::NOT_MODIFIED;
            for gone in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
                parts.headers.remove(gone);
            }
            return Response::from_parts(parts, Body::empty());
        }
        Response::from_parts(parts, Body::from(bytes))
    }
}

fn name_character_set(headers: &mut HeaderMap) {
    if headers.get(header::CONTENT_TYPE).is_some_and(|value| value == "application/json") {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    }
}

fn taggable(response: &Response) -> bool {
    let text = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("json") || value.starts_with("text/"));
    let size = response.body().size_hint().exact();
    text && size.is_some_and(|size| size > 0 && size <= TAGGED_BYTES_MAX)
        && !response.headers().contains_key(header::ETAG)
}

fn tag(bytes: &Bytes) -> String {
    let mut hash = STANDARD_NO_PAD.encode(Sha256::digest(bytes));
    hash.truncate(TAG_CHARACTERS);
    format!("W/\"{:x}-{hash}\"", bytes.len())
}

/// Whether an `If-None-Match` names this tag, compared weakly.
fn names(list: &str, tag: &str) -> bool {
    let strong = |tag: &str| tag.trim().strip_prefix("W/").unwrap_or(tag.trim()).to_owned();
    list.trim() == "*" || list.split(',').any(|known| strong(known) == strong(tag))
}

fn has_no_cache(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .any(|directive| directive.trim().eq_ignore_ascii_case("no-cache"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_weak_and_compared_weakly() {
        let tag = tag(&Bytes::from_static(b"{}"));
        assert!(tag.starts_with("W/\"2-") && tag.ends_with('"'), "{tag}");
        assert_eq!(tag.len(), 6 + TAG_CHARACTERS);
        for list in ["*", &tag, &tag[2..], &format!("\"x\", {tag}")] {
            assert!(names(list, &tag), "{list}");
        }
        for list in ["", "\"x\"", "W/\"2-\""] {
            assert!(!names(list, &tag), "{list}");
        }
    }
}
