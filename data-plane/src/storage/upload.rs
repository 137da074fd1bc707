//! Uploads: bytes to a draft, the row under the caller's role, the bytes into place, then the commit that makes both visible.

use std::{io, sync::Arc};

use axum::{
    Json,
    extract::{
        Multipart, Path, State,
        multipart::{Field, MultipartRejection},
    },
};
use http::StatusCode;
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;

use super::{
    configuration,
    files::{self, Draft, Written},
    names::{self, INVALID},
    objects,
    session::Session,
};
use crate::{
    authentication::{Caller, RequireUser, Role},
    events::Resource,
    http::{Error, Result},
    state::App,
};

/// `PUT /buckets/:bucket/objects/:key`: creates or replaces.
pub(super) async fn upload_object(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    Path((bucket, key)): Path<(String, String)>,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Json<Value>> {
    names::check_bucket(&bucket)?;
    names::check_key(&key)?;
    let upload = receive(&app, multipart.map_err(|_| no_file())?).await?;
    store(&app, &caller, &bucket, &key, upload).await.map(Json)
}

/// `POST /buckets/:bucket/objects`: creates under a generated key.
pub(super) async fn upload_generated(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    Path(bucket): Path<String>,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<(StatusCode, Json<Value>)> {
    names::check_bucket(&bucket)?;
    let client = app.pools.internal().await?;
    let known = client.query_opt("select 1 from storage.buckets where name = $1", &[&bucket]).await?.is_some();
    drop(client);
    if !known {
        return Err(Error::not_found("STORAGE_NOT_FOUND", "Bucket does not exist"));
    }
    let upload = receive(&app, multipart.map_err(|_| no_file())?).await?;
    let key = names::generated_key(&upload.filename, app.clock.now().timestamp_millis());
    Ok((StatusCode::CREATED, Json(store(&app, &caller, &bucket, &key, upload).await?)))
}

struct Upload {
    filename: String,
    mime_type: String,
    written: Written,
}

/// Reads the field `file` to disk.
async fn receive(app: &App, mut multipart: Multipart) -> Result<Upload> {
    let limit_mib = configuration::max_file_size_mb(app).await?;
    while let Some(field) =
        multipart.next_field().await.map_err(|error| Error::bad_request(INVALID, error.body_text()))?
    {
        if field.name() != Some("file") {
            continue;
        }
        let filename = field.file_name().unwrap_or_default().to_owned();
        let declared = field.content_type().map(ToOwned::to_owned);
        let written = write(app, field, limit_mib).await?;
        let mime_type = names::stored_type(declared.as_deref(), written.head());
        return Ok(Upload { filename, mime_type, written });
    }
    Err(no_file())
}

fn no_file() -> Error {
    Error::bad_request(INVALID, "File is required")
}

async fn write(app: &App, mut field: Field<'_>, limit_mib: i32) -> Result<Written> {
    let limit = u64::from(limit_mib.unsigned_abs()) * 1024 * 1024;
    let mut draft = Draft::create(&app.config.storage_dir).await.map_err(|error| disk(&error))?;
    while let Some(chunk) = field.chunk().await.map_err(|error| Error::bad_request(INVALID, error.body_text()))? {
        if draft.size + chunk.len() as u64 > limit {
            let message = format!("File too large. Maximum upload size is {limit_mib} MB.");
            return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, INVALID, message));
        }
        draft.write(&chunk).await.map_err(|error| disk(&error))?;
    }
    draft.finish().await.map_err(|error| disk(&error))
}

async fn store(app: &App, caller: &Caller, bucket: &str, key: &str, upload: Upload) -> Result<Value> {
    let session = Session::begin(app, caller).await?;
    let written = upload.written;
    let size = i32::try_from(written.size()).map_err(|error| Error::internal("store the size of an object", &error))?;
    let owner = (caller.role == Role::Authenticated).then(|| caller.end_user()).flatten();
    let etag = written.etag.clone();
    let sql = format!(
        "insert into storage.objects (bucket, key, size, mime_type, uploaded_by, uploaded_via, uploaded_at, etag)
         values ($1, $2, $3, $4, $5, 'rest', now(), $6)
         on conflict (bucket, key) do update set size = excluded.size, mime_type = excluded.mime_type,
             uploaded_via = excluded.uploaded_via, uploaded_at = excluded.uploaded_at, etag = excluded.etag
         returning {}",
        objects::COLUMNS
    );
    let row = session
        .query_one(&sql, &[&bucket, &key, &size, &upload.mime_type, &owner, &etag])
        .await
        .map_err(|error| denied(error, bucket, key))?;
    let answer = objects::file_json(&app.config.api_base_url, &row);
    let storage = &app.config.storage_dir;
    written.place(storage, bucket, key).await.map_err(|error| disk(&error))?;
    session.commit().await?;
    if let Err(error) = files::remove_others(storage, bucket, key, Some(&etag)).await {
        tracing::warn!(cause = telemetry::chain(&error), "old versions of an object stay on disk");
    }
    app.activity.storage_changed();
    app.events.changed(Resource::Buckets, Some(json!({"bucketName": bucket})));
    Ok(answer)
}

/// A refusal by row-level security or missing rights, in the words of storage.
pub(super) fn denied(error: tokio_postgres::Error, bucket: &str, key: &str) -> Error {
    if error.code() != Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
        return error.into();
    }
    let message = format!("You do not have permission to write \"{key}\" in bucket \"{bucket}\"");
    Error::new(StatusCode::FORBIDDEN, "STORAGE_PERMISSION_DENIED", message)
        .with_next_actions("Sign in, or add a policy on storage.objects that allows this role to write the object.")
}

/// Storage on disk failed.
pub(super) fn disk(error: &io::Error) -> Error {
    Error::internal("use the storage folder", error)
}
