//! `POST /advance/export`: schema public as text or as JSON.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{json as as_json, sql};
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    database::{
        raw_sql::{Session, SessionRole},
        read_catalog,
    },
    http::{JsonBody, Result, validation::Form},
    state::App,
};

const MOST_ROWS: i64 = 10_000;
const USUAL_ROWS: i64 = 1000;

/// What to export.
pub(super) struct Wanted {
    pub(super) tables: Option<Vec<String>>,
    pub(super) format: &'static str,
    pub(super) data: bool,
    pub(super) functions: bool,
    pub(super) sequences: bool,
    pub(super) views: bool,
    pub(super) row_limit: i64,
    /// When, ISO-8601.
    pub(super) at: String,
}

/// An export, and which tables had more rows than it holds.
pub(super) struct Exported {
    pub(super) data: Value,
    pub(super) truncated: Vec<String>,
}

impl Wanted {
    fn read(body: &Value, at: String) -> Result<Self> {
        let mut form = Form::new(body);
        let tables = form.optional_strings("tables");
        let format = form.optional_choice("format", &["sql", "json"]).unwrap_or("sql");
        let data = form.optional_bool("includeData").unwrap_or(true);
        let functions = form.optional_bool("includeFunctions").unwrap_or(false);
        let sequences = form.optional_bool("includeSequences").unwrap_or(false);
        let views = form.optional_bool("includeViews").unwrap_or(false);
        let row_limit = form.optional_integer("rowLimit", 1, MOST_ROWS).unwrap_or(USUAL_ROWS);
        form.finish()?;
        let tables = tables.map(|names| names.into_iter().map(str::to_owned).collect());
        Ok(Self { tables, format, data, functions, sequences, views, row_limit, at })
    }
}

/// `POST /advance/export`
pub(in crate::database) async fn export(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    // A body may be left out: everything has a default.
    let body = if body.is_null() { json!({}) } else { body };
    let wanted = Wanted::read(&body, clock::iso_millis(app.clock.now()))?;
    let catalog = read_catalog(&app).await?;
    // Rows are read as the administrator, who bypasses row-level security: a type's output may be a tenant's own function.
    let session = Session::open(&app, SessionRole::ProjectAdmin).await?;
    session.run_script("begin isolation level repeatable read read only").await?;
    let exported = match wanted.format {
        "json" => as_json::write(&catalog, &session, &wanted).await?,
        _ => sql::write(&catalog, &session, &wanted).await?,
    };
    session.run_script("commit").await?;
    catalog.commit().await?;
    let details = json!({
        "tables": wanted.tables, "format": wanted.format, "includeData": wanted.data, "includeFunctions": wanted.functions,
        "includeSequences": wanted.sequences, "includeViews": wanted.views, "rowLimit": wanted.row_limit,
    });
    audit.record(&caller, "DATABASE", "EXPORT_DATABASE", details).await?;
    let mut answer = json!({"format": wanted.format, "data": exported.data, "timestamp": wanted.at});
    if !exported.truncated.is_empty() {
        answer["truncatedTables"] = exported.truncated.into();
        answer["rowLimit"] = wanted.row_limit.into();
    }
    Ok(Json(answer))
}

/// How many rows a table has.
pub(super) async fn count(session: &Session, quoted: &str) -> Result<i64> {
    let counted = session.run_statement(&format!("select count(*) as total from public.{quoted}"), &[]).await?;
    let total = counted.rows.first().and_then(|row| row["total"].as_str()?.parse().ok());
    Ok(total.unwrap_or_default())
}
