//! Buckets.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{DateTime, Utc};
use clock::iso_millis;
use http::StatusCode;
use serde_json::{Value, json};

use super::{files, names, upload::disk};
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    events::Resource,
    http::{Error, JsonBody, Result, validation::Form},
    state::App,
};

/// `GET /buckets`
pub(super) async fn list_buckets(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let rows =
        client.query("select name, coalesce(public, true), created_at from storage.buckets order by name", &[]).await?;
    let buckets = rows.iter().map(|row| {
        let created_at: Option<DateTime<Utc>> = row.get(2);
        json!({"name": row.get::<_, String>(0), "public": row.get::<_, bool>(1), "createdAt": created_at.map(iso_millis)})
    });
    Ok(Json(buckets.collect()))
}

/// `POST /buckets`
pub(super) async fn create_bucket(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>)> {
    let mut form = Form::new(&body);
    let name = form.string("bucketName");
    let public = form.optional_bool("isPublic").unwrap_or(true);
    form.finish_as(names::INVALID)?;
    names::check_bucket(name)?;
    let client = app.pools.internal().await?;
    let made = client
        .execute(
            "insert into storage.buckets (name, public) values ($1, $2) on conflict (name) do nothing",
            &[&name, &public],
        )
        .await?;
    if made == 0 {
        return Err(Error::conflict("STORAGE_ALREADY_EXISTS", format!("Bucket \"{name}\" already exists")));
    }
    audit.record(&caller, "STORAGE", "CREATE_BUCKET", json!({"bucketName": name, "isPublic": public})).await?;
    app.events.changed(Resource::Buckets, Some(json!({"bucketName": name})));
    let answer = json!({
        "message": "Bucket created successfully",
        "bucketName": name,
        "isPublic": public,
        "nextActions": "You can use /api/storage/buckets/:bucketName/objects/:objectKey to upload an object to the bucket, and /api/storage/buckets/:bucketName/objects to list the objects in the bucket.",
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

/// `PATCH /buckets/:bucket`
pub(super) async fn update_bucket(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    Path(name): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let mut form = Form::new(&body);
    let public = form.bool("isPublic");
    form.finish_as(names::INVALID)?;
    let client = app.pools.internal().await?;
    let sql = "update storage.buckets set public = $2, updated_at = now() where name = $1";
    if client.execute(sql, &[&name, &public]).await? == 0 {
        return Err(Error::not_found("STORAGE_NOT_FOUND", format!("Bucket \"{name}\" does not exist")));
    }
    audit.record(&caller, "STORAGE", "UPDATE_BUCKET", json!({"bucketName": name, "isPublic": public})).await?;
    app.events.changed(Resource::Buckets, Some(json!({"bucketName": name})));
    Ok(Json(json!({
        "message": "Bucket visibility updated",
        "bucket": name,
        "isPublic": public,
        "nextActions": "Bucket visibility has been updated.",
    })))
}

/// `DELETE /buckets/:bucket`: its objects go with it.
pub(super) async fn delete_bucket(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    Path(name): Path<String>,
) -> Result<Json<Value>> {
    names::check_bucket(&name)?;
    remove_with_objects(&app, &name).await?;
    audit.record(&caller, "STORAGE", "DELETE_BUCKET", json!({"bucketName": name})).await?;
    app.activity.storage_changed();
    app.events.changed(Resource::Buckets, Some(json!({"bucketName": name})));
    Ok(Json(json!({
        "message": "Bucket deleted successfully",
        "nextActions": "You can use POST /api/storage/buckets to create a new bucket.",
    })))
}

/// Rows and bytes go together. While the row's deletion is not committed, nobody uploads into the bucket or makes it again, so the bytes
/// that are moved away are its own.
async fn remove_with_objects(app: &App, name: &str) -> Result<()> {
    let mut client = app.pools.internal().await?;
    let transaction = client.transaction().await?;
    if transaction.execute("delete from storage.buckets where name = $1", &[&name]).await? == 0 {
        return Err(Error::not_found("STORAGE_NOT_FOUND", "Bucket not found or already empty"));
    }
    let aside = files::set_aside(&app.config.storage_dir, name).await.map_err(|error| disk(&error))?;
    let committed = transaction.commit().await;
    let cleared = match (aside, &committed) {
        (Some(aside), Ok(())) => aside.remove().await,
        (Some(aside), Err(_)) => aside.put_back().await,
        (None, _) => Ok(()),
    };
    if let Err(error) = cleared {
        tracing::warn!(cause = telemetry::chain(&error), "bytes of a deleted bucket stay on disk");
    }
    Ok(committed?)
}
