//! Objects as rows: list and delete, under the caller's role.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{DateTime, Utc};
use clock::iso_millis;
use serde_json::{Value, json};
use tokio_postgres::Row;

use super::{files, names, session::Session};
use crate::{
    authentication::RequireUser,
    events::Resource,
    http::{Error, JsonBody, Query, Result, validation::Form},
    state::App,
};

/// What [`file_json`] and [`row_json`] read.
pub(super) const COLUMNS: &str =
    "bucket, key, size, mime_type, uploaded_at, uploaded_by, uploaded_via, s3_access_key_id, etag";

const MOST_KEYS: usize = 1000;

/// `GET /buckets/:bucket/objects`
pub(super) async fn list_objects(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    Path(bucket): Path<String>,
    query: Query,
) -> Result<Json<Value>> {
    names::check_bucket(&bucket)?;
    let limit = query.integer("limit", 100, 1, 1000)?;
    let offset = query.integer("offset", 0, 0, i64::MAX)?;
    let prefix = like(query.get("prefix").unwrap_or_default()) + "%";
    let search = format!("%{}%", like(query.get("search").unwrap_or_default()));
    let session = Session::begin(&app, &caller).await?;
    let matching = "from storage.objects where bucket = $1 and key like $2 and key like $3";
    let count = session.query_one(&format!("select count(*) {matching}"), &[&bucket, &prefix, &search]).await?;
    let sql = format!("select {COLUMNS} {matching} order by key limit $4 offset $5");
    let rows = session.query(&sql, &[&bucket, &prefix, &search, &limit, &offset]).await?;
    session.commit().await?;
    let data: Vec<Value> = rows.iter().map(|row| row_json(&app.config.api_base_url, row)).collect();
    Ok(Json(json!({
        "data": data,
        "pagination": {"offset": offset, "limit": limit, "total": count.get::<_, i64>(0)},
        "nextActions": "Use PUT /api/storage/buckets/:bucket/objects/:key to upload, or GET it to download.",
    })))
}

/// `DELETE /buckets/:bucket/objects/:key`
pub(super) async fn delete_object(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    Path((bucket, key)): Path<(String, String)>,
) -> Result<Json<Value>> {
    names::check_bucket(&bucket)?;
    names::check_key(&key)?;
    let session = Session::begin(&app, &caller).await?;
    if delete(&app, session, &bucket, &[key]).await?.is_empty() {
        return Err(not_found());
    }
    Ok(Json(json!({"message": "Object deleted successfully"})))
}

/// `DELETE /buckets/:bucket/objects`
pub(super) async fn delete_objects(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    Path(bucket): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    names::check_bucket(&bucket)?;
    let mut form = Form::new(&body);
    let keys = form.strings("keys");
    if form.issues().is_empty() && !(1..=MOST_KEYS).contains(&keys.len()) {
        form.issue("keys", format!("keys must hold 1 to {MOST_KEYS} strings"));
    }
    form.finish_as(names::INVALID)?;
    let distinct: BTreeSet<&str> = keys.into_iter().collect();
    let keys: Vec<String> = distinct.into_iter().map(ToOwned::to_owned).collect();
    let session = Session::begin(&app, &caller).await?;
    let deleted = delete(&app, session, &bucket, &keys).await?;
    let status = |key: &String| if deleted.contains(key) { "deleted" } else { "notFound" };
    let results: Vec<Value> = keys.iter().map(|key| json!({"key": key, "status": status(key)})).collect();
    Ok(Json(json!({"results": results})))
}

/// Deletes rows, commits, then the bytes; the keys that were there and could be seen.
async fn delete(app: &App, session: Session, bucket: &str, keys: &[String]) -> Result<BTreeSet<String>> {
    let sql = "delete from storage.objects where bucket = $1 and key = any($2) returning key, etag";
    let rows = session.query(sql, &[&bucket, &keys]).await?;
    session.commit().await?;
    let mut deleted = BTreeSet::new();
    for row in &rows {
        let key: String = row.get(0);
        if let Some(etag) = row.get::<_, Option<String>>(1)
            && let Err(error) = files::remove(&app.config.storage_dir, bucket, &key, &etag).await
        {
            tracing::warn!(cause = telemetry::chain(&error), "the bytes of a deleted object stay on disk");
        }
        deleted.insert(key);
    }
    if !deleted.is_empty() {
        app.activity.storage_changed();
        app.events.changed(Resource::Buckets, Some(json!({"bucketName": bucket})));
    }
    Ok(deleted)
}

/// The contract's file object.
pub(super) fn file_json(base: &str, row: &Row) -> Value {
    let (bucket, key): (String, String) = (row.get("bucket"), row.get("key"));
    let uploaded_at: Option<DateTime<Utc>> = row.get("uploaded_at");
    json!({
        "bucket": bucket,
        "key": key,
        "size": row.get::<_, i32>("size"),
        "mimeType": row.get::<_, Option<String>>("mime_type"),
        "uploadedAt": uploaded_at.map(iso_millis),
        "url": names::object_url(base, &bucket, &key, version(row).as_deref()),
    })
}

/// What changes with the content: the etag, or for rows without one the time.
pub(super) fn version(row: &Row) -> Option<String> {
    let etag: Option<String> = row.get("etag");
    let uploaded_at: Option<DateTime<Utc>> = row.get("uploaded_at");
    etag.or_else(|| uploaded_at.map(|at| at.timestamp_millis().to_string()))
}

fn row_json(base: &str, row: &Row) -> Value {
    let mut object = file_json(base, row);
    for name in ["mime_type", "uploaded_by", "uploaded_via", "s3_access_key_id", "etag"] {
        object[name] = json!(row.get::<_, Option<String>>(name));
    }
    object["uploaded_at"] = object["uploadedAt"].clone();
    object
}

/// Missing, or not to be seen.
pub(super) fn not_found() -> Error {
    Error::not_found("STORAGE_NOT_FOUND", "Object not found")
}

/// Text in which `like` sees no wildcard.
fn like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
