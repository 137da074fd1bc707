//! Uploads: the right to write is proven first, bytes are streamed beside their place, then row and bytes change together.

use std::{io, sync::Arc};

use axum::{
    Json,
    extract::{FromRequest as _, Multipart, Request, State, multipart::Field},
};
use http::StatusCode;
use rand::Rng as _;
use serde_json::Value;
use tokio_postgres::error::SqlState;

use super::{
    blobs::Complete,
    configuration::max_upload_bytes,
    content::{HEAD, stored_type},
    names::{BucketPath, ObjectPath, check_key, invalid},
    objects::{Object, bucket_visibility, no_bucket},
    removal::discard,
    rows,
};
use crate::{
    authentication::{Caller, RequireUser},
    events::Resource,
    http::{Error, Result},
    state::App,
    transaction::Transaction,
};

const MIB: u64 = 1024 * 1024;

/// `PUT /buckets/:b/objects/*`: creates or replaces the object at exactly this key.
pub(super) async fn put_object(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    ObjectPath { bucket, key }: ObjectPath,
    request: Request,
) -> Result<Json<Value>> {
    prove_writable(&app, &caller, &bucket, &key).await?;
    let (upload, mime_type, _) = receive(&app, request).await?;
    let object = store(&app, &caller, &bucket, &key, upload, mime_type).await?;
    Ok(Json(object.json(&app)))
}

/// `POST /buckets/:b/objects`: creates an object under a generated key.
pub(super) async fn create_object(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    BucketPath(bucket): BucketPath,
    request: Request,
) -> Result<(StatusCode, Json<Value>)> {
    if bucket_visibility(&app, &bucket).await?.is_none() {
        return Err(no_bucket());
    }
    // Any key shows whether the caller may write here at all; the generated one is proven when its row is written.
    prove_writable(&app, &caller, &bucket, &generated_key(&app, "file")).await?;
    let (upload, mime_type, filename) = receive(&app, request).await?;
    let key = generated_key(&app, filename.as_deref().unwrap_or("file"));
    check_key(&key)?;
    let object = store(&app, &caller, &bucket, &key, upload, mime_type).await?;
    Ok((StatusCode::CREATED, Json(object.json(&app))))
}

/// Tries the write and takes it back, so that policies answer before any byte is sent.
pub(super) async fn prove_writable(app: &App, caller: &Caller, bucket: &str, key: &str) -> Result<()> {
    if caller.administrates() {
        return Ok(());
    }
    let transaction = rows(app, caller).await?;
    let probe = Object {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        size: 0,
        mime_type: None,
        uploaded_at: Some(app.clock.now()),
        etag: None,
    };
    let outcome = write_row(&transaction, caller, &probe).await;
    transaction.rollback().await?;
    outcome
}

/// `<base>-<milliseconds>-<6 random characters><extension>`.
pub(super) fn generated_key(app: &App, filename: &str) -> String {
    let (base, extension) = match filename.rfind('.') {
        Some(dot) if dot > 0 => filename.split_at(dot),
        _ => (filename, ""),
    };
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let base: String = base.chars().map(safe).take(32).collect();
    let base = if base.is_empty() { "file" } else { &base };
    let extension: String = extension.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').take(16).collect();
    let mut rng = rand::rng();
    let digits = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let random: String = (0..6).map(|_| char::from(digits[rng.random_range(0..digits.len())])).collect();
    format!("{base}-{}-{random}{extension}", app.clock.now().timestamp_millis())
}

/// Reads the form's file to disk: the upload, its type, and its name.
async fn receive(app: &App, request: Request) -> Result<(Complete, Option<String>, Option<String>)> {
    let limit = max_upload_bytes(app).await?;
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| no_file())?;
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        if field.name() != Some("file") {
            continue;
        }
        let declared = field.content_type().map(str::to_owned);
        let filename = field.file_name().map(str::to_owned);
        let (upload, head) = save(app, field, limit).await?;
        return Ok((upload, stored_type(&head, declared.as_deref()), filename));
    }
    Err(no_file())
}

async fn save(app: &App, mut field: Field<'_>, limit: u64) -> Result<(Complete, Vec<u8>)> {
    let mut upload = app.blobs.begin().await.map_err(|error| disk("begin an upload", &error))?;
    let mut head = Vec::with_capacity(HEAD);
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        if upload.size() + chunk.len() as u64 > limit {
            return Err(too_large(limit));
        }
        head.extend_from_slice(&chunk[..chunk.len().min(HEAD - head.len())]);
        upload.write(&chunk).await.map_err(|error| disk("write an upload", &error))?;
    }
    let complete = upload.complete().await.map_err(|error| disk("finish an upload", &error))?;
    Ok((complete, head))
}

/// Row and bytes change together: the bytes are in place when the row is committed, the old ones go afterwards.
async fn store(
    app: &App,
    caller: &Caller,
    bucket: &str,
    key: &str,
    upload: Complete,
    mime_type: Option<String>,
) -> Result<Object> {
    let object = Object {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        size: i32::try_from(upload.size).map_err(|_| too_large(i32::MAX.unsigned_abs().into()))?,
        mime_type,
        uploaded_at: Some(app.clock.now()),
        etag: Some(upload.etag.clone()),
    };
    let replaced = {
        let _lock = app.blobs.lock(bucket, key).await;
        let replaced = current_etag(app, bucket, key).await?;
        let transaction = rows(app, caller).await?;
        write_row(&transaction, caller, &object).await?;
        app.blobs.place(&upload, bucket, key).await.map_err(|error| disk("place an upload", &error))?;
        transaction.commit().await?;
        replaced
    };
    if let Some(old) = replaced.filter(|old| *old != upload.etag) {
        discard(app, bucket, key, &old).await;
    }
    app.activity.storage_changed();
    app.events.changed(Resource::Buckets, Some(serde_json::json!({"bucketName": bucket})));
    Ok(object)
}

/// The content that the row names now, whoever may see it.
pub(super) async fn current_etag(app: &App, bucket: &str, key: &str) -> Result<Option<String>> {
    let client = app.pools.internal().await?;
    let statement = client.prepare_cached("select etag from storage.objects where bucket = $1 and key = $2").await?;
    Ok(client.query_opt(&statement, &[&bucket, &key]).await?.and_then(|row| row.get(0)))
}

/// Inserts or updates under the transaction's role. Nothing is returned, because reading back would need a policy of its own.
async fn write_row(transaction: &Transaction, caller: &Caller, object: &Object) -> Result<()> {
    let written = transaction
        .execute(
            "insert into storage.objects (bucket, key, size, mime_type, uploaded_at, uploaded_by, uploaded_via, etag)
             values ($1, $2, $3, $4, $5, $6, 'rest', $7)
             on conflict (bucket, key) do update set
                size = excluded.size, mime_type = excluded.mime_type, uploaded_at = excluded.uploaded_at,
                uploaded_via = excluded.uploaded_via, etag = excluded.etag",
            &[
                &object.bucket,
                &object.key,
                &object.size,
                &object.mime_type,
                &object.uploaded_at,
                &caller.end_user(),
                &object.etag,
            ],
        )
        .await;
    match written {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            let (key, bucket) = (&object.key, &object.bucket);
            let message = format!("You do not have permission to write \"{key}\" in bucket \"{bucket}\"");
            Err(Error::forbidden("STORAGE_PERMISSION_DENIED", message).with_next_actions(
                "Sign in, or ask the project's administrator for a row-level security policy on storage.objects that allows this write.",
            ))
        }
        Err(error) => Err(error.into()),
    }
}

/// 413 for more bytes than allowed.
pub(super) fn too_large(limit: u64) -> Error {
    let message = format!("File too large. Maximum upload size is {} MB.", limit / MIB);
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, "STORAGE_INVALID_PARAMETER", message)
}

fn no_file() -> Error {
    invalid("File is required")
}

fn broken(error: &axum::extract::multipart::MultipartError) -> Error {
    invalid(format!("The upload cannot be read: {}", error.body_text()))
}

fn disk(doing: &'static str, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded {
        tracing::error!(doing, "the disk of stored objects is full");
        return Error::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "STORAGE_INSUFFICIENT_QUOTA",
            "There is no room for this upload",
        );
    }
    Error::internal(doing, error)
}
