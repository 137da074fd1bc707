//! Downloads: public buckets for everybody, others under the caller's role; whole or in part, streamed.

use std::{io::SeekFrom, sync::Arc};

use axum::{
    body::Body,
    extract::{FromRequestParts as _, State},
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
};
use tokio_util::io::ReaderStream;

use super::{
    content::active,
    names::ObjectPath,
    objects::{Object, bucket_visibility, not_found},
    range::{Part, part},
    rows,
};
use crate::{
    authentication::{Caller, RequireUser},
    http::{Error, Result},
    state::App,
};

const CHUNK: usize = 64 * 1024;

/// `GET /buckets/:b/objects/*`.
pub(super) async fn get_object(State(app): State<Arc<App>>, mut parts: Parts) -> Result<Response> {
    let ObjectPath { bucket, key } = ObjectPath::from_request_parts(&mut parts, &app).await?;
    let (caller, public) = reader(&app, &mut parts, &bucket).await?;
    let (object, file) = open(&app, &caller, &bucket, &key).await?;
    respond(&parts.headers, &object, file, public).await
}

/// Who reads: everybody with full rights in a public bucket, else the authenticated caller.
pub(super) async fn reader(app: &Arc<App>, parts: &mut Parts, bucket: &str) -> Result<(Caller, bool)> {
    if bucket_visibility(app, bucket).await? == Some(true) {
        return Ok((Caller::api_key(), true));
    }
    let RequireUser(caller) = RequireUser::from_request_parts(parts, app).await?;
    Ok((caller, false))
}

/// The object as its reader may see it.
pub(super) async fn find(app: &App, caller: &Caller, bucket: &str, key: &str) -> Result<Object> {
    let transaction = rows(app, caller).await?;
    let found = Object::find(&transaction, bucket, key).await?;
    transaction.rollback().await?;
    found.ok_or_else(not_found)
}

/// Row and bytes of one moment: when the object was replaced between reading the row and opening the file, both are read again.
async fn open(app: &App, caller: &Caller, bucket: &str, key: &str) -> Result<(Object, File)> {
    let mut last = None;
    loop {
        let object = find(app, caller, bucket, key).await?;
        let Some(etag) = object.etag.clone() else { return Err(not_found()) };
        match app.blobs.open(bucket, key, &etag).await {
            Ok(file) => return Ok((object, file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if last.as_ref() == Some(&etag) {
                    tracing::warn!(bucket, "an object has a row but no bytes");
                    return Err(not_found());
                }
                last = Some(etag);
            }
            Err(error) => return Err(Error::internal("open an object", &error)),
        }
    }
}

async fn respond(asked: &HeaderMap, object: &Object, mut file: File, public: bool) -> Result<Response> {
    let failed = |error: std::io::Error| Error::internal("read an object", &error);
    let size = file.metadata().await.map_err(failed)?.len();
    let mut response = Response::new(Body::empty());
    common_headers(response.headers_mut(), object, public);
    if not_modified(asked, response.headers()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let range = asked.get(header::RANGE).and_then(|value| value.to_str().ok());
    let (first, length) = match part(range, size) {
        Part::Whole => (0, size),
        Part::Bytes { first, last } => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(&mut response, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{size}"));
            (first, last - first + 1)
        }
        Part::Unsatisfiable => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(response);
        }
    };
    set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    if first > 0 {
        file.seek(SeekFrom::Start(first)).await.map_err(failed)?;
    }
    *response.body_mut() = Body::from_stream(ReaderStream::with_capacity(file.take(length), CHUNK));
    Ok(response)
}

fn common_headers(headers: &mut HeaderMap, object: &Object, public: bool) {
    let mime_type = object.mime_type.as_deref().unwrap_or("application/octet-stream");
    let content_type = HeaderValue::from_str(mime_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    if let Some(etag) = object.etag.as_ref().and_then(|etag| HeaderValue::from_str(&format!("\"{etag}\"")).ok()) {
        headers.insert(header::ETAG, etag);
    }
    if !public {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    }
    if active(mime_type) {
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
}

fn not_modified(asked: &HeaderMap, ours: &HeaderMap) -> bool {
    let Some(wanted) = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else { return false };
    let Some(etag) = ours.get(header::ETAG).and_then(|value| value.to_str().ok()) else { return false };
    wanted.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("digits and punctuation");
    response.headers_mut().insert(name, value);
}
