//! Rows for dashboards: read and changed as the administrator, with the values of SQL clients.

mod input;

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    response::Response,
};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    Database,
    listings::schema_of,
    quoting::{identifier, qualified},
    raw_sql::{Session, SessionRole},
    records::check_name,
    schema_cache::Relation,
};
use crate::{
    authentication::RequireAdmin,
    events::Resource,
    http::{Error, JsonBody, Query, Result, paginated},
    state::App,
};
use input::{Key, Page};

/// The table a request is about.
struct Target {
    relation: Arc<Relation>,
    sql: String,
}

impl Target {
    async fn find(app: &App, table: &str, query: &Query) -> Result<Self> {
        check_name("table", table)?;
        let schema = schema_of(query)?;
        let cache = Database::cache(app).await?;
        let relation = cache
            .relation(&schema, table)
            .cloned()
            .ok_or_else(|| Error::not_found("DATABASE_NOT_FOUND", "Table not found."))?;
        Ok(Self { relation, sql: qualified(&schema, table) })
    }

    fn column(&self, name: &str) -> Result<String> {
        if self.relation.columns.contains_key(name) {
            return Ok(identifier(name));
        }
        Err(Error::invalid_input(format!("Unknown column \"{name}\".")))
    }
}

/// `GET …/records`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    Path(table): Path<String>,
    query: Query,
) -> Result<Response> {
    let target = Target::find(&app, &table, &query).await?;
    let page = Page::read(&query, &target)?;
    let session = Session::open(&app, SessionRole::ProjectAdmin).await?;
    let counted = session
        .run_statement(
            &format!("select count(*)::int as total from {}{}", target.sql, page.condition),
            &page.parameters,
        )
        .await?;
    let total = counted.rows.first().and_then(|row| row["total"].as_i64()).unwrap_or_default();
    let sql = format!(
        "select * from {}{}{} limit {} offset {}",
        target.sql, page.condition, page.ordering, page.limit, page.offset
    );
    let rows = session.run_statement(&sql, &page.parameters).await?.rows;
    Ok(paginated(rows, page.offset, total))
}

/// `GET …/records/lookup`
pub(super) async fn look_up(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    Path(table): Path<String>,
    query: Query,
    RawQuery(raw): RawQuery,
) -> Result<Json<Value>> {
    let target = Target::find(&app, &table, &query).await?;
    let (condition, parameters) = input::lookup(raw.as_deref().unwrap_or_default(), &target)?;
    let session = Session::open(&app, SessionRole::ProjectAdmin).await?;
    let found = session.run_statement(&format!("select * from {}{condition} limit 1", target.sql), &parameters).await?;
    Ok(Json(found.rows.into_iter().next().unwrap_or(Value::Null)))
}

/// `POST …/records`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    Path(table): Path<String>,
    query: Query,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>)> {
    let target = Target::find(&app, &table, &query).await?;
    let rows = input::objects(&body, "")?;
    let mut created = Vec::new();
    let session = Session::open(&app, SessionRole::ProjectAdmin).await?;
    session.run_script("begin").await?;
    for row in rows {
        let (columns, parameters) = input::assignments(row, &target, false)?;
        let sql = if columns.is_empty() {
            format!("insert into {} default values returning *", target.sql)
        } else {
            let places: Vec<String> = (1..=columns.len()).map(|place| format!("${place}")).collect();
            format!("insert into {} ({}) values ({}) returning *", target.sql, columns.join(", "), places.join(", "))
        };
        created.extend(session.run_statement(&sql, &parameters).await?.rows);
    }
    session.run_script("commit").await?;
    published(&app, &table);
    Ok((StatusCode::CREATED, Json(Value::Array(created))))
}

/// `PATCH …/records`
pub(super) async fn update(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    Path(table): Path<String>,
    query: Query,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let target = Target::find(&app, &table, &query).await?;
    let (key, data) = input::change(&body)?;
    let (columns, mut parameters) = input::assignments(data, &target, true)?;
    if columns.is_empty() {
        return Err(Error::invalid_input("No valid fields to update."));
    }
    let assignments: Vec<String> =
        columns.iter().enumerate().map(|(index, column)| format!("{column} = ${}", index + 1)).collect();
    let condition = Key::read(key, &target)?.condition(&mut parameters);
    let sql = format!("update {} set {} where {condition} returning *", target.sql, assignments.join(", "));
    let session = Session::open(&app, SessionRole::ProjectAdmin).await?;
    let updated = session.run_statement(&sql, &parameters).await?;
    let row =
        updated.rows.into_iter().next().ok_or_else(|| Error::not_found("DATABASE_NOT_FOUND", "Record not found."))?;
    published(&app, &table);
    Ok(Json(row))
}

/// `DELETE …/records`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    Path(table): Path<String>,
    query: Query,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let target = Target::find(&app, &table, &query).await?;
    let keys = input::keys(&body)?;
    let session = Session::open(&app, SessionRole::ProjectAdmin).await?;
    session.run_script("begin").await?;
    let mut deleted = 0;
    for key in keys {
        let mut parameters = Vec::new();
        let condition = Key::read(key, &target)?.condition(&mut parameters);
        deleted +=
            session.run_statement(&format!("delete from {} where {condition}", target.sql), &parameters).await?.count;
    }
    session.run_script("commit").await?;
    published(&app, &table);
    Ok(Json(json!({ "deletedCount": deleted })))
}

fn published(app: &App, table: &str) {
    app.events.changed(Resource::Database, Some(json!({"changes": [{"type": "records", "name": table}]})));
}

type Object = Map<String, Value>;
