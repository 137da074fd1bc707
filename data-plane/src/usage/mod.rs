//! Calls of tools through MCP, recorded by the tool server and listed for the dashboard; and what the cloud asks about a project's size.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};

use crate::{
    authentication::{RequireAdmin, RequireApiKey, RequireCloud},
    events::Event,
    http::{Error, JsonBody, Query, Result},
    state::App,
};

/// Routes of this area.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/mcp", post(record_mcp_call).get(list_mcp_calls)).route("/stats", get(get_stats))
}

async fn record_mcp_call(
    State(app): State<Arc<App>>,
    _key: RequireApiKey,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let tool = body
        .get("tool_name")
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty() && name.chars().count() <= 255)
        .ok_or_else(|| Error::invalid_input("tool_name is required"))?;
    let success = body.get("success").and_then(Value::as_bool).unwrap_or(true);
    let client = app.pools.internal().await?;
    let row = client
        .query_one(
            "insert into system.mcp_usage (tool_name, success) values ($1, $2) returning created_at",
            &[&tool, &success],
        )
        .await?;
    app.activity.mcp_called();
    let created_at = clock::iso_millis(row.get::<_, DateTime<Utc>>(0));
    app.events.publish(Event::McpConnected { tool_name: tool.to_owned(), created_at });
    Ok(Json(json!({"success": true})))
}

async fn list_mcp_calls(State(app): State<Arc<App>>, _admin: RequireAdmin, query: Query) -> Result<Json<Value>> {
    let limit = query.integer("limit", 5, 1, 1000)?;
    let success = query.get("success").is_none_or(|text| text == "true");
    let client = app.pools.internal().await?;
    let rows = client
        .query(
            "select tool_name, coalesce(success, true), created_at from system.mcp_usage
             where coalesce(success, true) = $1 order by created_at desc limit $2",
            &[&success, &limit],
        )
        .await?;
    let records: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "tool_name": row.get::<_, String>(0),
                "success": row.get::<_, bool>(1),
                "created_at": row.get::<_, Option<DateTime<Utc>>>(2).map(clock::iso_millis),
            })
        })
        .collect();
    Ok(Json(json!({"records": records})))
}

async fn get_stats(State(app): State<Arc<App>>, _cloud: RequireCloud, query: Query) -> Result<Json<Value>> {
    let (Some(start), Some(end)) = (date(&query, "start_date")?, date(&query, "end_date")?) else {
        return Err(Error::invalid_input("start_date and end_date are required"));
    };
    let client = app.pools.internal().await?;
    let row = client
        .query_one(
            "select (select count(*) from system.mcp_usage where success and created_at >= $1 and created_at < $2),
                pg_database_size(current_database()),
                (select coalesce(sum(size), 0)::bigint from storage.objects),
                (select count(*) from auth.users where not is_project_admin and not is_anonymous)",
            &[&start, &end],
        )
        .await?;
    Ok(Json(json!({
        "mcp_usage_count": row.get::<_, i64>(0),
        "database_size_bytes": row.get::<_, i64>(1),
        "storage_size_bytes": row.get::<_, i64>(2),
        "user_count": row.get::<_, i64>(3),
    })))
}

/// A time, or a day for its beginning.
fn date(query: &Query, name: &str) -> Result<Option<DateTime<Utc>>> {
    let Some(text) = query.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let day = || text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0).map(|at| at.and_utc());
    let at = DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc)).or_else(day);
    at.map(Some).ok_or_else(|| Error::invalid_input(format!("{name}: Invalid date")))
}
