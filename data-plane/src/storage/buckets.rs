//! Buckets: list, create, change, delete.

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Value, json};

use super::names::{self, BucketPath};
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    events::Resource,
    http::{Error, JsonBody, Result, validation::Form},
    state::App,
};

const AFTER_CREATE: &str = "You can use /api/storage/buckets/:bucketName/objects/:objectKey to upload an object to the bucket, and /api/storage/buckets/:bucketName/objects to list the objects in the bucket.";
const AFTER_UPDATE: &str = "You can use /api/storage/buckets to list all buckets and their visibility.";
const AFTER_DELETE: &str =
    "You can use POST /api/storage/buckets to create a new bucket, and GET /api/storage/buckets to list all buckets.";

/// `GET /buckets`.
pub(super) async fn list_buckets(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let rows =
        client.query("select name, coalesce(public, true), created_at from storage.buckets order by name", &[]).await?;
    let buckets: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "name": row.get::<_, String>(0),
                "public": row.get::<_, bool>(1),
                "createdAt": row.get::<_, Option<DateTime<Utc>>>(2).map(clock::iso_millis),
            })
        })
        .collect();
    Ok(Json(json!(buckets)))
}

/// `POST /buckets`.
pub(super) async fn create_bucket(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>)> {
    let mut form = Form::new(&body);
    let name = form.string("bucketName");
    let public = form.optional_bool("isPublic").unwrap_or(true);
    form.finish_as("STORAGE_INVALID_PARAMETER")?;
    names::check_bucket(name)?;
    let client = app.pools.internal().await?;
    let created = client
        .execute("insert into storage.buckets (name, public) values ($1, $2) on conflict do nothing", &[&name, &public])
        .await?;
    if created == 0 {
        return Err(Error::conflict("STORAGE_ALREADY_EXISTS", format!("Bucket \"{name}\" already exists")));
    }
    audit.record(&caller, "STORAGE", "CREATE_BUCKET", json!({"bucketName": name, "isPublic": public})).await?;
    app.events.changed(Resource::Buckets, Some(json!({"bucketName": name})));
    let body = json!({
        "message": "Bucket created successfully",
        "bucketName": name,
        "isPublic": public,
        "nextActions": AFTER_CREATE,
    });
    Ok((StatusCode::CREATED, Json(body)))
}

/// `PATCH /buckets/:b`.
pub(super) async fn update_bucket(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    BucketPath(bucket): BucketPath,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let mut form = Form::new(&body);
    let public = form.bool("isPublic");
    form.finish_as("STORAGE_INVALID_PARAMETER")?;
    let client = app.pools.internal().await?;
    let changed = client
        .execute("update storage.buckets set public = $2, updated_at = now() where name = $1", &[&bucket, &public])
        .await?;
    if changed == 0 {
        return Err(Error::not_found("STORAGE_NOT_FOUND", format!("Bucket \"{bucket}\" does not exist")));
    }
    audit.record(&caller, "STORAGE", "UPDATE_BUCKET", json!({"bucketName": bucket, "isPublic": public})).await?;
    app.events.changed(Resource::Buckets, Some(json!({"bucketName": bucket})));
    Ok(Json(json!({
        "message": "Bucket visibility updated",
        "bucket": bucket,
        "isPublic": public,
        "nextActions": AFTER_UPDATE,
    })))
}

/// `DELETE /buckets/:b`: rows first, then bytes, so that a crash in between leaves bytes nobody sees rather than rows without bytes.
pub(super) async fn delete_bucket(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    BucketPath(bucket): BucketPath,
) -> Result<Json<Value>> {
    {
        // A bucket made anew under the same name must not lose its first objects.
        let _locks = app.blobs.lock_all().await;
        let client = app.pools.internal().await?;
        if client.execute("delete from storage.buckets where name = $1", &[&bucket]).await? == 0 {
            return Err(Error::not_found("STORAGE_NOT_FOUND", "Bucket not found or already empty"));
        }
        if let Err(error) = app.blobs.remove_bucket(&bucket).await {
            tracing::error!(cause = telemetry::chain(&error), bucket, "bytes of a deleted bucket stay on disk");
        }
    }
    audit.record(&caller, "STORAGE", "DELETE_BUCKET", json!({"bucketName": bucket})).await?;
    app.activity.storage_changed();
    app.events.changed(Resource::Buckets, Some(json!({"bucketName": bucket})));
    Ok(Json(json!({"message": "Bucket deleted successfully", "nextActions": AFTER_DELETE})))
}
