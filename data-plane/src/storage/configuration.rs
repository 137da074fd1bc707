//! The largest upload, which the project's administrator sets.

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use clock::iso_millis;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use super::names::INVALID;
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    http::{JsonBody, Result, validation::Form},
    state::App,
};

const COLUMNS: &str = "id, max_file_size_mb, created_at, updated_at";

/// `GET /config`
pub(super) async fn get_config(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let row = client.query_opt(&format!("select {COLUMNS} from storage.config"), &[]).await?;
    let now = iso_millis(app.clock.now());
    Ok(Json(match row {
        Some(row) => config_json(&row),
        None => json!({"id": Uuid::nil(), "maxFileSizeMb": fallback(&app), "createdAt": now, "updatedAt": now}),
    }))
}

/// `PUT /config`
pub(super) async fn update_config(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let mut form = Form::new(&body);
    let max = form.integer("maxFileSizeMb", 1, 200);
    form.finish_as(INVALID)?;
    let max = i32::try_from(max).unwrap_or(200);
    let client = app.pools.internal().await?;
    let sql = format!(
        "insert into storage.config (max_file_size_mb) values ($1)
         on conflict ((1)) do update set max_file_size_mb = excluded.max_file_size_mb returning {COLUMNS}"
    );
    let row = client.query_one(&sql, &[&max]).await?;
    audit.record(&caller, "STORAGE", "UPDATE_STORAGE_CONFIG", json!({"maxFileSizeMb": max})).await?;
    Ok(Json(config_json(&row)))
}

/// The largest upload in MiB.
pub(super) async fn max_file_size_mb(app: &App) -> Result<i32> {
    let client = app.pools.internal().await?;
    let row = client.query_opt("select max_file_size_mb from storage.config", &[]).await?;
    Ok(row.map_or_else(|| fallback(app), |row| row.get(0)))
}

fn fallback(app: &App) -> i32 {
    i32::try_from(app.config.max_file_bytes >> 20).unwrap_or(i32::MAX).max(1)
}

fn config_json(row: &Row) -> Value {
    json!({
        "id": row.get::<_, Uuid>(0),
        "maxFileSizeMb": row.get::<_, i32>(1),
        "createdAt": iso_millis(row.get::<_, DateTime<Utc>>(2)),
        "updatedAt": iso_millis(row.get::<_, DateTime<Utc>>(3)),
    })
}
