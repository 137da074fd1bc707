//! The upload limit.

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    http::{JsonBody, Result, validation::Form},
    state::App,
};

const MIB: u64 = 1024 * 1024;

/// Largest upload in bytes.
pub(super) async fn max_upload_bytes(app: &App) -> Result<u64> {
    let client = app.pools.internal().await?;
    let statement = client.prepare_cached("select max_file_size_mb from storage.config limit 1").await?;
    let row = client.query_opt(&statement, &[]).await?;
    Ok(row.map_or(app.config.max_file_bytes, |row| u64::try_from(row.get::<_, i32>(0)).unwrap_or(0) * MIB))
}

/// `GET /config`.
pub(super) async fn get_config(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    read(&app).await.map(Json)
}

/// `PUT /config`.
pub(super) async fn update_config(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let mut form = Form::new(&body);
    let megabytes = form.integer("maxFileSizeMb", 1, 200);
    form.finish_as("STORAGE_INVALID_PARAMETER")?;
    let client = app.pools.internal().await?;
    client.execute("insert into storage.config default values on conflict do nothing", &[]).await?;
    let stored = i32::try_from(megabytes).unwrap_or(200);
    client.execute("update storage.config set max_file_size_mb = $1", &[&stored]).await?;
    drop(client);
    audit.record(&caller, "STORAGE", "UPDATE_STORAGE_CONFIG", json!({"maxFileSizeMb": megabytes})).await?;
    read(&app).await.map(Json)
}

async fn read(app: &App) -> Result<Value> {
    let client = app.pools.internal().await?;
    let row = client
        .query_opt("select id, max_file_size_mb, created_at, updated_at from storage.config limit 1", &[])
        .await?;
    let now = app.clock.now();
    Ok(match row {
        Some(row) => json!({
            "id": row.get::<_, Uuid>(0),
            "maxFileSizeMb": row.get::<_, i32>(1),
            "createdAt": clock::iso_millis(row.get::<_, DateTime<Utc>>(2)),
            "updatedAt": clock::iso_millis(row.get::<_, DateTime<Utc>>(3)),
        }),
        None => json!({
            "id": Uuid::nil(),
            "maxFileSizeMb": app.config.max_file_bytes / MIB,
            "createdAt": clock::iso_millis(now),
            "updatedAt": clock::iso_millis(now),
        }),
    })
}
