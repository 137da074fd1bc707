//! Tables made, shown and changed without SQL.

mod columns;
mod create;
mod foreign_keys;
mod show;
mod update;

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Database, listings::schema_of, quoting::qualified, records::check_name};
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    events::Resource,
    http::{Error, JsonBody, Query, Result},
    state::App,
    transaction::{self, Context},
};

/// Columns every table made here has; they are the platform's to write.
const SYSTEM_COLUMNS: [&str; 3] = ["id", "created_at", "updated_at"];

/// `GET /tables`
pub(super) async fn list(State(app): State<Arc<App>>, _admin: RequireAdmin, query: Query) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let sql = "select coalesce(json_agg(c.relname order by c.relname), '[]')
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = $1 and c.relkind in ('r', 'p')";
    let row = client.query_one(sql, &[&schema_of(&query)?]).await?;
    Ok(Json(row.try_get(0)?))
}

/// `POST /tables`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    query: Query,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>)> {
    let schema = schema_of(&query)?;
    let table = create::NewTable::read(&body)?;
    let transaction = transaction::begin(&app.pools, &Context::admin()).await?;
    let created = transaction.batch_execute(&table.sql(&schema)).await;
    match created {
        Ok(()) => transaction.commit().await?,
        Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::DUPLICATE_TABLE) => {
            return Err(Error::bad_request("DATABASE_DUPLICATE", format!("table {} already exists", table.name)));
        }
        Err(error) => return Err(error.into()),
    }
    changed(&app, "tables", &schema, &table.name).await?;
    audit.record(&caller, "DATABASE", "CREATE_TABLE", json!({"schemaName": schema, "tableName": table.name})).await?;
    Ok((StatusCode::CREATED, Json(table.answer(&schema))))
}

/// `GET /tables/{table}/schema`
pub(super) async fn show(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    Path(table): Path<String>,
    query: Query,
) -> Result<Json<Value>> {
    check_name("table", &table)?;
    let schema = schema_of(&query)?;
    let found = show::description(&app, &schema, &table).await?;
    found.map(Json).ok_or_else(|| Error::not_found("DATABASE_NOT_FOUND", "table not found"))
}

/// `PATCH /tables/{table}/schema`
pub(super) async fn update(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    Path(table): Path<String>,
    query: Query,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    check_name("table", &table)?;
    let schema = schema_of(&query)?;
    let change = update::TableChange::read(&body)?;
    let present = show::description(&app, &schema, &table).await?;
    let present = present.ok_or_else(|| Error::not_found("DATABASE_NOT_FOUND", "table not found"))?;
    let (statements, operations) = change.plan(&schema, &table, &present)?;
    let transaction = transaction::begin(&app.pools, &Context::admin()).await?;
    for statement in &statements {
        transaction.batch_execute(statement).await?;
    }
    transaction.commit().await?;
    changed(&app, "table", &schema, &table).await?;
    let details = json!({"schemaName": schema, "tableName": table, "operations": operations});
    audit.record(&caller, "DATABASE", "UPDATE_TABLE", details).await?;
    Ok(Json(json!({
        "schemaName": schema,
        "message": "table schema updated successfully",
        "tableName": table,
        "operations": operations,
    })))
}

/// `DELETE /tables/{table}`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    Path(table): Path<String>,
    query: Query,
) -> Result<Json<Value>> {
    check_name("table", &table)?;
    let schema = schema_of(&query)?;
    let transaction = transaction::begin(&app.pools, &Context::admin()).await?;
    transaction.batch_execute(&format!("drop table if exists {} cascade", qualified(&schema, &table))).await?;
    transaction.commit().await?;
    changed(&app, "tables", &schema, &table).await?;
    audit.record(&caller, "DATABASE", "DELETE_TABLE", json!({"schemaName": schema, "tableName": table})).await?;
    Ok(Json(json!({
        "schemaName": schema,
        "message": "table deleted successfully",
        "tableName": table,
        "nextActions": "table deleted successfully, you can create a new table with the POST /api/database/tables endpoint",
    })))
}

/// After commit: other processes are told, the cache is fresh, dashboards know.
async fn changed(app: &App, kind: &str, schema: &str, table: &str) -> Result<()> {
    app.pools.internal().await?.batch_execute("notify pgrst, 'reload schema'").await?;
    Database::schema_changed(app).await?;
    let name = if schema == "public" { table.to_owned() } else { format!("{schema}.{table}") };
    app.events.changed(Resource::Database, Some(json!({"changes": [{"type": kind, "name": name}]})));
    Ok(())
}
