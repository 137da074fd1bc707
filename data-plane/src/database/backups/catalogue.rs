//! The list of backups: made, renamed, deleted.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{DateTime, Duration, Utc};
use http::StatusCode;
use serde_json::{Value, json};
use tokio_postgres::{Row, error::SqlState};
use uuid::Uuid;

use super::{
    Standalone, files,
    running::{Turn, Work},
};
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    http::{Error, JsonBody, Result, validation::Form},
    state::App,
};

const COLUMNS: &str =
    "id, name, trigger_source, status, size_bytes, error_message, created_at, completed_at, created_by";
const LONGEST_NAME: usize = 64;

/// `GET /backups`
pub(super) async fn list(State(app): State<Arc<App>>, _admin: RequireAdmin, _here: Standalone) -> Result<Json<Value>> {
    mark_orphans(&app).await?;
    let client = app.pools.internal().await?;
    let retention: Option<i32> = client
        .query_opt("select backup_retention_days from system.database_config limit 1", &[])
        .await?
        .and_then(|row| row.get(0));
    let sql = format!("select {COLUMNS} from system.database_backups order by created_at desc, id");
    let rows = client.query(&sql, &[]).await?;
    let backups: Vec<Value> = rows.iter().map(|row| as_json(row, retention)).collect();
    Ok(Json(json!({"backups": backups})))
}

/// `POST /backups`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    _here: Standalone,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>)> {
    let name = match body.get("name") {
        None => None,
        Some(_) => wanted_name(&body)?,
    };
    let (row, turn, id) = begin(&app, name.as_deref(), "manual", Some(caller.actor())).await?;
    audit.record(&caller, "DATABASE", "CREATE_DATABASE_BACKUP", json!({"backupId": id, "name": name})).await?;
    tokio::spawn(make(app, id, turn));
    Ok((StatusCode::CREATED, Json(row)))
}

/// `PATCH /backups/:id`
pub(super) async fn rename(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    _here: Standalone,
    audit: Audit,
    Path(id): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let id = backup_id(&id)?;
    let name = wanted_name(&body)?;
    let _turn = app.database.backups.begin_change()?;
    let client = app.pools.internal().await?;
    let sql = format!("update system.database_backups set name = $2 where id = $1 returning {COLUMNS}");
    let row = client.query_opt(&sql, &[&id, &name]).await.map_err(taken)?.ok_or_else(not_found)?;
    audit.record(&caller, "DATABASE", "RENAME_DATABASE_BACKUP", json!({"backupId": id, "name": name})).await?;
    Ok(Json(as_json(&row, None)))
}

/// `DELETE /backups/:id`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    _here: Standalone,
    audit: Audit,
    Path(id): Path<String>,
) -> Result<Json<Value>> {
    let id = backup_id(&id)?;
    if app.database.backups.now() == Some(Work::Backup(id)) {
        return Err(Error::conflict(
            "DATABASE_CONSTRAINT_VIOLATION",
            "This backup is still running and cannot be deleted yet.",
        ));
    }
    let _turn = app.database.backups.begin_change()?;
    remove(&app, id).await?;
    audit.record(&caller, "DATABASE", "DELETE_DATABASE_BACKUP", json!({"backupId": id})).await?;
    Ok(Json(json!({"message": "Backup deleted successfully"})))
}

/// Enters a backup as running; its row, the right to make it, and its id.
pub(super) async fn begin(
    app: &App,
    name: Option<&str>,
    trigger: &str,
    actor: Option<&str>,
) -> Result<(Value, Turn, Uuid)> {
    let id = Uuid::new_v4();
    let turn = app.database.backups.begin_backup(id)?;
    let key = files::key(id, app.clock.now());
    let client = app.pools.internal().await?;
    let sql = format!(
        "insert into system.database_backups (id, name, trigger_source, storage_key, created_by)
         values ($1, $2, $3, $4, $5) returning {COLUMNS}"
    );
    let row = client.query_one(&sql, &[&id, &name, &trigger, &key, &actor]).await.map_err(taken)?;
    Ok((as_json(&row, None), turn, id))
}

/// Makes the backup and writes down how it went.
pub(super) async fn make(app: Arc<App>, id: Uuid, turn: Turn) {
    let outcome = write(&app, id).await;
    drop(turn);
    if let Err(error) = outcome {
        tracing::error!(backup.id = %id, cause = error.message(), "the end of a backup could not be written down");
    }
}

async fn write(app: &App, id: Uuid) -> Result<()> {
    let client = app.pools.internal().await?;
    let row = client.query_one("select storage_key from system.database_backups where id = $1", &[&id]).await?;
    drop(client);
    let (status, size, message) = match files::write(app, &files::path(app, row.get(0))).await {
        Ok(size) => ("completed", i64::try_from(size).ok(), None),
        Err(message) => {
            tracing::warn!(backup.id = %id, cause = message, "a backup failed");
            ("failed", None, Some(message))
        }
    };
    let client = app.pools.internal().await?;
    client
        .execute(
            "update system.database_backups set status = $2, size_bytes = $3, error_message = $4, completed_at = now()
             where id = $1",
            &[&id, &status, &size, &message],
        )
        .await?;
    Ok(())
}

/// Removes a backup's file and its row.
pub(super) async fn remove(app: &App, id: Uuid) -> Result<()> {
    let client = app.pools.internal().await?;
    let row = client
        .query_opt("select storage_key from system.database_backups where id = $1", &[&id])
        .await?
        .ok_or_else(not_found)?;
    if let Some(key) = row.get::<_, Option<String>>(0) {
        match tokio::fs::remove_file(files::path(app, &key)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::internal("remove a backup's file", &error));
            }
            _ => {}
        }
    }
    client.execute("delete from system.database_backups where id = $1", &[&id]).await?;
    Ok(())
}

/// Backups called running that nobody makes any more.
pub(super) async fn mark_orphans(app: &App) -> Result<()> {
    let running = match app.database.backups.now() {
        Some(Work::Backup(id)) => Some(id),
        _ => None,
    };
    let client = app.pools.internal().await?;
    client
        .execute(
            "update system.database_backups
             set status = 'failed', error_message = 'Interrupted by a server restart.', completed_at = now()
             where status = 'running' and id is distinct from $1",
            &[&running],
        )
        .await?;
    Ok(())
}

fn wanted_name(body: &Value) -> Result<Option<String>> {
    let mut form = Form::new(body);
    let name = form.nullable_string("name").flatten().map(|name| name.trim().to_owned());
    if form.get("name").is_none() && form.issues().is_empty() {
        form.issue("name", "Required");
    }
    if let Some(name) = &name {
        if name.is_empty() {
            form.issue("name", "String must contain at least 1 character(s)");
        } else if name.chars().count() > LONGEST_NAME {
            form.issue("name", format!("String must contain at most {LONGEST_NAME} character(s)"));
        }
    }
    form.finish()?;
    Ok(name)
}

pub(super) fn backup_id(text: &str) -> Result<Uuid> {
    text.parse().map_err(|_| Error::invalid_input("Invalid backup ID"))
}

pub(super) fn not_found() -> Error {
    Error::not_found("DATABASE_NOT_FOUND", "Backup not found.")
}

fn taken(error: tokio_postgres::Error) -> Error {
    match error.code() {
        Some(&SqlState::UNIQUE_VIOLATION) => {
            Error::conflict("DATABASE_DUPLICATE", "A backup with this name already exists.")
        }
        _ => error.into(),
    }
}

fn as_json(row: &Row, retention_days: Option<i32>) -> Value {
    let created_at: DateTime<Utc> = row.get(6);
    let scheduled = row.get::<_, &str>(2) == "scheduled";
    let expires_at = retention_days.filter(|_| scheduled).map(|days| created_at + Duration::days(i64::from(days)));
    json!({
        "id": row.get::<_, Uuid>(0),
        "name": row.get::<_, Option<String>>(1),
        "triggerSource": row.get::<_, String>(2),
        "status": row.get::<_, String>(3),
        "sizeBytes": row.get::<_, Option<i64>>(4),
        "errorMessage": row.get::<_, Option<String>>(5),
        "createdAt": clock::iso_millis(created_at),
        "completedAt": row.get::<_, Option<DateTime<Utc>>>(7).map(clock::iso_millis),
        "createdBy": row.get::<_, Option<String>>(8),
        "expiresAt": expires_at.map(clock::iso_millis),
    })
}
