//! Calls of tools through MCP: recorded by the tool server, listed for the dashboard.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::post};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::{
    authentication::{RequireAdmin, RequireApiKey},
    events::Event,
    http::{Error, JsonBody, Query, Result},
    state::App,
};

/// Routes of this area.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/mcp", post(record_mcp_call).get(list_mcp_calls))
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
