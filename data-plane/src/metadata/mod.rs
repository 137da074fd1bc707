//! What the project consists of, for tools and dashboards. A slice that this process does not serve is absent, which clients rely on.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::header;
use serde_json::{Value, json};

use crate::{
    authentication::{KeyKind, RequireAdmin},
    database::{describe_table, read_catalog},
    http::{Error, Query, Result},
    secrets,
    state::App,
};

mod database_access;
mod markdown;
mod row_counts;
mod slices;

pub(crate) use row_counts::RowCounts;

/// Routes of this area.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(get_metadata))
        .route("/auth", get(get_auth))
        .route("/database", get(get_database))
        .route("/storage", get(get_storage))
        .route("/functions", get(get_functions))
        .route("/realtime", get(get_realtime))
        .route("/api-key", get(get_api_key))
        .route("/anon-key", get(get_anon_key))
        .route("/project-id", get(get_project_id))
        .route("/database-connection-string", get(database_access::get_connection_string))
        .route("/database-password", get(database_access::get_password))
        .route("/{table}", get(get_table))
}

async fn get_metadata(State(app): State<Arc<App>>, _admin: RequireAdmin, query: Query) -> Result<Response> {
    let format = query.get("format").unwrap_or("json");
    if !["json", "markdown"].contains(&format) {
        return Err(Error::invalid_input("Invalid format parameter"));
    }
    let client = app.pools.internal().await?;
    let metadata = json!({
        "auth": slices::auth(&client, app.clock.now()).await?,
        "database": slices::database(&app, &client).await?,
        "storage": slices::storage(&client).await?,
        "functions": slices::functions(&client).await?,
        "realtime": slices::realtime(&client).await?,
        "version": app.version(),
    });
    if format == "json" {
        return Ok(Json(metadata).into_response());
    }
    let text = markdown::render(&metadata);
    Ok(([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], text).into_response())
}

async fn get_auth(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    Ok(Json(slices::auth(&client, app.clock.now()).await?))
}

async fn get_database(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    Ok(Json(slices::database(&app, &client).await?))
}

async fn get_storage(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    Ok(Json(slices::storage(&client).await?))
}

async fn get_functions(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    Ok(Json(slices::functions(&client).await?))
}

async fn get_realtime(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    Ok(Json(slices::realtime(&client).await?))
}

async fn get_api_key(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let key = secrets::value(&app, KeyKind::Api.secret_name()).await?;
    let key = key.ok_or_else(|| Error::not_found("SECRET_NOT_FOUND", "API key not initialized"))?;
    Ok(Json(json!({"apiKey": key})))
}

async fn get_anon_key(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let key = secrets::value(&app, KeyKind::Anon.secret_name()).await?;
    let key = key.ok_or_else(|| Error::not_found("SECRET_NOT_FOUND", "Anon key not initialized"))?;
    Ok(Json(json!({"anonKey": key})))
}

async fn get_project_id(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Json<Value> {
    Json(json!({"projectId": app.config.project_id}))
}

async fn get_table(State(app): State<Arc<App>>, _admin: RequireAdmin, Path(name): Path<String>) -> Result<Json<Value>> {
    let catalog = read_catalog(&app).await?;
    let description = describe_table(&catalog, &name).await?;
    catalog.commit().await?;
    Ok(Json(json!({name: description})))
}
