//! Functions as rows: list, read, create, change, delete.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use super::source::Source;
use crate::{
    audit::Audit,
    authentication::{Caller, RequireAdmin},
    events::Resource,
    http::{ClientAddress, Error, JsonBody, Result},
    state::App,
};

const COLUMNS: &str =
    "id, slug, name, description, coalesce(status, 'draft'), created_at, updated_at, deployed_at, code";

/// `GET /`.
pub(super) async fn list_functions(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let sql = format!("select {COLUMNS} from functions.definitions order by created_at desc, slug");
    let rows = client.query(&sql, &[]).await?;
    let functions: Vec<Value> = rows.iter().map(|row| function_json(row, false)).collect();
    Ok(Json(json!({"functions": functions, "runtime": {"status": "unavailable"}, "deploymentUrl": null})))
}

/// `GET /:slug`.
pub(super) async fn get_function(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    Path(slug): Path<String>,
) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let sql = format!("select {COLUMNS} from functions.definitions where slug = $1");
    let row = client.query_opt(&sql, &[&slug]).await?.ok_or_else(not_found)?;
    Ok(Json(function_json(&row, true)))
}

/// `POST /`.
pub(super) async fn create_function(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    client: ClientAddress,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Response {
    limited(&app, client, create(&app, &caller, &audit, &body)).await
}

async fn create(app: &App, caller: &Caller, audit: &Audit, body: &Value) -> Result<(StatusCode, Json<Value>)> {
    let source = Source::for_creation(body)?;
    let status = source.status.unwrap_or("active");
    let client = app.pools.internal().await?;
    let sql = format!(
        "insert into functions.definitions (slug, name, description, code, status, deployed_at)
         values ($1, $2, $3, $4, $5::text, case when $5::text = 'active' then now() end)
         on conflict (slug) do nothing returning {COLUMNS}"
    );
    let row = client
        .query_opt(&sql, &[&source.slug, &source.name, &source.description, &source.code, &status])
        .await?
        .ok_or_else(|| Error::conflict("FUNCTION_ALREADY_EXISTS", "Function with this slug already exists"))?;
    let details = json!({"slug": source.slug, "name": source.name, "status": status});
    audit.record(caller, "FUNCTIONS", "CREATE_FUNCTION", details).await?;
    app.events.changed(Resource::Functions, Some(json!({"slug": source.slug})));
    let answer = json!({"success": true, "function": function_json(&row, true), "deployment": null});
    Ok((StatusCode::CREATED, Json(answer)))
}

/// `PUT /:slug`.
pub(super) async fn update_function(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    client: ClientAddress,
    audit: Audit,
    Path(slug): Path<String>,
    JsonBody(body): JsonBody,
) -> Response {
    limited(&app, client, update(&app, &caller, &audit, &slug, &body)).await
}

async fn update(app: &App, caller: &Caller, audit: &Audit, slug: &str, body: &Value) -> Result<Json<Value>> {
    let source = Source::for_change(body)?;
    let client = app.pools.internal().await?;
    let sql = format!(
        "update functions.definitions set
            name = coalesce($2, name), code = coalesce($3, code), description = coalesce($4, description),
            status = coalesce($5::text, status), deployed_at = case when $5::text = 'active' then now() else deployed_at end
         where slug = $1 returning {COLUMNS}"
    );
    let row = client
        .query_opt(&sql, &[&slug, &source.name, &source.code, &source.description, &source.status])
        .await?
        .ok_or_else(not_found)?;
    let changed: Vec<&str> = [
        ("name", source.name.is_some()),
        ("code", source.code.is_some()),
        ("description", source.description.is_some()),
        ("status", source.status.is_some()),
    ]
    .into_iter()
    .filter_map(|(field, given)| given.then_some(field))
    .collect();
    audit.record(caller, "FUNCTIONS", "UPDATE_FUNCTION", json!({"slug": slug, "changes": changed})).await?;
    app.events.changed(Resource::Functions, Some(json!({"slug": slug})));
    Ok(Json(json!({"success": true, "function": function_json(&row, true), "deployment": null})))
}

/// `DELETE /:slug`.
pub(super) async fn delete_function(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    client: ClientAddress,
    audit: Audit,
    Path(slug): Path<String>,
) -> Response {
    limited(&app, client, delete(&app, &caller, &audit, &slug)).await
}

async fn delete(app: &App, caller: &Caller, audit: &Audit, slug: &str) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    if client.execute("delete from functions.definitions where slug = $1", &[&slug]).await? == 0 {
        return Err(not_found());
    }
    client
        .execute(
            "update functions.deployments set functions = functions - $1::text where functions ? $1::text",
            &[&slug],
        )
        .await?;
    audit.record(caller, "FUNCTIONS", "DELETE_FUNCTION", json!({"slug": slug})).await?;
    app.events.changed(Resource::Functions, Some(json!({"slug": slug})));
    let message = format!("Function {slug} deleted successfully");
    Ok(Json(json!({"success": true, "message": message})))
}

/// A write, of which one client gets only so many through.
async fn limited<T: IntoResponse>(
    app: &App,
    client: ClientAddress,
    write: impl Future<Output = Result<T>>,
) -> Response {
    let write = async { write.await.map(IntoResponse::into_response) };
    if app.config.unlimited_writes() {
        return write.await.into_response();
    }
    app.limits.function_writes.around(app, client, write).await
}

fn function_json(row: &Row, with_code: bool) -> Value {
    let time = |at: Option<DateTime<Utc>>| at.map(clock::iso_millis);
    let mut function = json!({
        "id": row.get::<_, Uuid>(0),
        "slug": row.get::<_, String>(1),
        "name": row.get::<_, String>(2),
        "description": row.get::<_, Option<String>>(3),
    });
    if with_code {
        function["code"] = json!(row.get::<_, String>(8));
    }
    function["status"] = json!(row.get::<_, String>(4));
    function["createdAt"] = json!(time(row.get(5)));
    function["updatedAt"] = json!(time(row.get(6)));
    function["deployedAt"] = json!(time(row.get(7)));
    function
}

fn not_found() -> Error {
    Error::not_found("FUNCTION_NOT_FOUND", "Function not found")
}
