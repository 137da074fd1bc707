//! Downloads: streamed from disk, whole or one range.

use std::{io, io::SeekFrom, sync::Arc};

use axum::{
    body::Body,
    extract::{FromRequestParts as _, Path, Request, State},
    response::Response,
};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
};
use tokio_util::io::ReaderStream;

use super::{files, names, objects, session::Session, upload::disk};
use crate::{
    authentication::RequireUser,
    http::{Error, Result},
    state::App,
};

/// An object that the caller may read.
pub(super) struct Readable {
    pub(super) public: bool,
    pub(super) mime_type: String,
    pub(super) etag: Option<String>,
    pub(super) version: Option<String>,
}

/// `GET` and `HEAD /buckets/:bucket/objects/:key`
pub(super) async fn download_object(
    State(app): State<Arc<App>>,
    Path((bucket, key)): Path<(String, String)>,
    request: Request,
) -> Result<Response> {
    let (mut parts, _body) = request.into_parts();
    let object = find(&app, &mut parts, &bucket, &key).await?;
    let etag = object.etag.clone().unwrap_or_default();
    let unchanged = parts.headers.get(header::IF_NONE_MATCH).is_some_and(|value| value == &*format!("\"{etag}\""));
    if unchanged {
        return respond(StatusCode::NOT_MODIFIED, &object, Body::empty(), &[]);
    }
    let path = files::path(&app.config.storage_dir, &bucket, &key, &etag);
    let file = File::open(path).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => objects::not_found(),
        _ => disk(&error),
    })?;
    send(&parts.headers, &object, file).await
}

/// The object, if it is in a public bucket or the caller's role sees it.
pub(super) async fn find(app: &Arc<App>, parts: &mut Parts, bucket: &str, key: &str) -> Result<Readable> {
    names::check_bucket(bucket)?;
    names::check_key(key)?;
    let client = app.pools.internal().await?;
    let row =
        client.query_opt("select coalesce(public, true) from storage.buckets where name = $1", &[&bucket]).await?;
    drop(client);
    let public = row.is_some_and(|row| row.get(0));
    let session = if public {
        Session::owner(app).await?
    } else {
        let RequireUser(caller) = RequireUser::from_request_parts(parts, app).await?;
        Session::begin(app, &caller).await?
    };
    let sql = format!("select {} from storage.objects where bucket = $1 and key = $2", objects::COLUMNS);
    let row = session.query_opt(&sql, &[&bucket, &key]).await?;
    session.commit().await?;
    let row = row.ok_or_else(objects::not_found)?;
    Ok(Readable {
        public,
        mime_type: row.get::<_, Option<String>>("mime_type").unwrap_or_else(|| "application/octet-stream".to_owned()),
        etag: row.get("etag"),
        version: objects::version(&row),
    })
}

async fn send(headers: &HeaderMap, object: &Readable, mut file: File) -> Result<Response> {
    let size = file.metadata().await.map_err(|error| disk(&error))?.len();
    let range =
        headers.get(header::RANGE).and_then(|value| value.to_str().ok()).and_then(|text| parse_range(text, size));
    let length = |length: u64| (header::CONTENT_LENGTH, length.to_string());
    match range {
        None => respond(StatusCode::OK, object, Body::from_stream(ReaderStream::new(file)), &[length(size)]),
        Some(Err(())) => {
            let whole = (header::CONTENT_RANGE, format!("bytes */{size}"));
            respond(StatusCode::RANGE_NOT_SATISFIABLE, object, Body::empty(), &[whole])
        }
        Some(Ok((from, to))) => {
            file.seek(SeekFrom::Start(from)).await.map_err(|error| disk(&error))?;
            let part = (header::CONTENT_RANGE, format!("bytes {from}-{to}/{size}"));
            let body = Body::from_stream(ReaderStream::new(file.take(to - from + 1)));
            respond(StatusCode::PARTIAL_CONTENT, object, body, &[length(to - from + 1), part])
        }
    }
}

fn respond(
    status: StatusCode,
    object: &Readable,
    body: Body,
    more: &[(header::HeaderName, String)],
) -> Result<Response> {
    let mut builder = Response::builder()
        .status(status)
        .header(
            header::CONTENT_TYPE,
            HeaderValue::from_str(&object.mime_type).unwrap_or(HeaderValue::from_static("application/octet-stream")),
        )
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if let Some(etag) = &object.etag {
        builder = builder.header(header::ETAG, format!("\"{etag}\""));
    }
    if !object.public {
        builder = builder.header(header::CACHE_CONTROL, "private, no-store");
    }
    if names::active(&object.mime_type) {
        builder = builder.header(header::CONTENT_DISPOSITION, "attachment");
    }
    for (name, value) in more {
        builder = builder.header(name, value);
    }
    builder.body(body).map_err(|error| Error::internal("answer a download", &error))
}

/// One range of bytes, both ends included. `None` for what is to be ignored, `Err` for what lies outside.
fn parse_range(text: &str, size: u64) -> Option<Result<(u64, u64), ()>> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    if to.contains(',') {
        return None;
    }
    let (from, to) = match (from.trim(), to.trim()) {
        ("", "") => return None,
        ("", suffix) => (size.saturating_sub(suffix.parse().ok()?), size.checked_sub(1)?),
        (from, "") => (from.parse().ok()?, size.saturating_sub(1)),
        (from, to) => (from.parse().ok()?, to.parse::<u64>().ok()?.min(size.saturating_sub(1))),
    };
    Some(if from < size && from <= to { Ok((from, to)) } else { Err(()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_size_or_refused() {
        assert_eq!(parse_range("bytes=0-3", 10), Some(Ok((0, 3))));
        assert_eq!(parse_range("bytes=5-", 10), Some(Ok((5, 9))));
        assert_eq!(parse_range("bytes=-4", 10), Some(Ok((6, 9))));
        assert_eq!(parse_range("bytes=8-99", 10), Some(Ok((8, 9))));
        assert_eq!(parse_range("bytes=10-", 10), Some(Err(())));
        assert_eq!(parse_range("bytes=5-2", 10), Some(Err(())));
        for ignored in ["bytes=0-1,3-4", "lines=1-2", "bytes=-", "bytes=x-1"] {
            assert_eq!(parse_range(ignored, 10), None, "{ignored}");
        }
    }
}
