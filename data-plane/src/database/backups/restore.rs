//! `POST /backups/:id/restore`: the database as it was. The list of backups and their schedule stay as they are.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Standalone,
    catalogue::{backup_id, not_found},
    files,
};
use crate::{
    audit::{self, Audit},
    authentication::RequireAdmin,
    database::Database,
    events::Resource,
    http::{Error, Result},
    startup,
    state::App,
};

/// Tables whose rows outlive a restore.
const KEPT: [&str; 2] = ["system.database_backups", "system.database_config"];

pub(super) async fn restore(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    _here: Standalone,
    audit: Audit,
    Path(id): Path<String>,
) -> Result<Json<Value>> {
    let id = backup_id(&id)?;
    let turn = app.database.backups.begin_restore()?;
    let client = app.pools.internal().await?;
    let row = client
        .query_opt("select status, storage_key from system.database_backups where id = $1", &[&id])
        .await?
        .ok_or_else(not_found)?;
    drop(client);
    let key = row.get::<_, Option<String>>(1).filter(|_| row.get::<_, &str>(0) == "completed");
    let Some(key) = key else {
        return Err(Error::conflict(
            "DATABASE_CONSTRAINT_VIOLATION",
            "This backup is not restorable. Only completed backups can be restored.",
        ));
    };
    // Carried to its end whatever the client does: half of it would be worse than none.
    let restoring = Arc::clone(&app);
    tokio::spawn(async move {
        let _turn = turn;
        run(&restoring, &key).await
    })
    .await
    .map_err(|error| Error::internal("restore a backup", &error))??;
    audit.record(&caller, "DATABASE", "RESTORE_DATABASE_BACKUP", json!({"backupId": id})).await?;
    app.events.changed(Resource::Database, None);
    Ok(Json(json!({"message": "Database restored successfully"})))
}

async fn run(app: &Arc<App>, key: &str) -> Result<()> {
    let client = app.pools.internal().await?;
    let mut kept = Vec::new();
    for table in KEPT {
        let sql = format!("select coalesce(json_agg(t), '[]')::text from {table} t");
        kept.push((table, client.query_one(&sql, &[]).await?.get::<_, String>(0)));
    }
    drop(client);
    files::read(app, &files::path(app, key)).await.map_err(|message| {
        tracing::warn!(cause = message, "a restore failed");
        match message.starts_with("Restore aborted") {
            true => Error::conflict("DATABASE_CONSTRAINT_VIOLATION", message),
            false => Error::new(StatusCode::INTERNAL_SERVER_ERROR, "DATABASE_INTERNAL_ERROR", message),
        }
    })?;
    let mut client = app.pools.internal().await?;
    let transaction = client.transaction().await?;
    for (table, rows) in kept {
        transaction.batch_execute(&format!("delete from {table}")).await?;
        let sql = format!("insert into {table} select * from json_populate_recordset(null::{table}, $1::text::json)");
        transaction.execute(&sql, &[&rows]).await?;
    }
    transaction.commit().await?;
    audit::close_restored(&client).await?;
    drop(client);
    // Keys and tokens are those of then.
    app.access_keys.forget();
    startup::prepare(app).await?;
    Database::schema_changed(app).await
}
