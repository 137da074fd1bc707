//! The audit trail.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use chrono::{DateTime, NaiveDate, Utc};
use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    authentication::RequireAdmin,
    http::{Error, Query, Result, paginated},
    state::App,
};

const COLUMNS: &str = "id, actor, action, module, details, host(ip_address), created_at, updated_at";
const MATCHING: &str = "($1::text is null or actor = $1) and ($2::text is null or action = $2)
    and ($3::text is null or module = $3)
    and ($4::timestamptz is null or created_at >= $4) and ($5::timestamptz is null or created_at <= $5)";

/// `GET /audits`
pub(super) async fn list_audits(State(app): State<Arc<App>>, _admin: RequireAdmin, query: Query) -> Result<Response> {
    let limit = query.integer("limit", 100, 1, 1000)?;
    let offset = query.integer("offset", 0, 0, i64::MAX)?;
    let (actor, action, module) = (query.get("actor"), query.get("action"), query.get("module"));
    let (start, end) = (date(&query, "start_date")?, date(&query, "end_date")?);
    let client = app.pools.internal().await?;
    let count = format!("select count(*) from system.audit_logs where {MATCHING}");
    let total: i64 = client.query_one(&count, &[&actor, &action, &module, &start, &end]).await?.get(0);
    let page = format!(
        "select {COLUMNS} from system.audit_logs where {MATCHING} order by created_at desc, id limit $6 offset $7"
    );
    let rows = client.query(&page, &[&actor, &action, &module, &start, &end, &limit, &offset]).await?;
    Ok(paginated(rows.iter().map(audit_json).collect(), offset, total))
}

/// `GET /audits/stats`
pub(super) async fn get_audit_stats(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    query: Query,
) -> Result<Json<Value>> {
    let days = i32::try_from(query.integer("days", 7, 0, 36_500)?).unwrap_or(7);
    let client = app.pools.internal().await?;
    let totals = client
        .query_one(
            "select count(*), count(distinct actor), count(distinct module) from system.audit_logs
             where created_at >= now() - make_interval(days => $1)",
            &[&days],
        )
        .await?;
    let modules = client
        .query(
            "select module, count(*) from system.audit_logs
             where created_at >= now() - make_interval(days => $1) group by module order by module",
            &[&days],
        )
        .await?;
    let by_module: Map<String, Value> = modules.iter().map(|row| (row.get(0), json!(row.get::<_, i64>(1)))).collect();
    let recent = format!("select {COLUMNS} from system.audit_logs order by created_at desc, id limit 10");
    let recent = client.query(&recent, &[]).await?;
    Ok(Json(json!({
        "totalLogs": totals.get::<_, i64>(0),
        "uniqueActors": totals.get::<_, i64>(1),
        "uniqueModules": totals.get::<_, i64>(2),
        "actionsByModule": by_module,
        "recentActivity": recent.iter().map(audit_json).collect::<Vec<_>>(),
    })))
}

/// `DELETE /audits`
pub(super) async fn delete_audits(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    query: Query,
) -> Result<Json<Value>> {
    let days = i32::try_from(query.integer("days_to_keep", 90, 0, 36_500)?).unwrap_or(90);
    let client = app.pools.internal().await?;
    let deleted = client
        .execute("delete from system.audit_logs where created_at < now() - make_interval(days => $1)", &[&days])
        .await?;
    client
        .execute("delete from system.audit_requests where closed_at < now() - make_interval(days => $1)", &[&days])
        .await?;
    Ok(Json(json!({"message": "Audit logs cleared successfully", "deleted": deleted})))
}

fn audit_json(row: &Row) -> Value {
    let time = |at: Option<DateTime<Utc>>| at.map(clock::iso_millis);
    json!({
        "id": row.get::<_, Uuid>(0),
        "actor": row.get::<_, String>(1),
        "action": row.get::<_, String>(2),
        "module": row.get::<_, String>(3),
        "details": row.get::<_, Option<Value>>(4),
        "ipAddress": row.get::<_, Option<String>>(5),
        "createdAt": time(row.get(6)),
        "updatedAt": time(row.get(7)),
    })
}

fn date(query: &Query, name: &str) -> Result<Option<DateTime<Utc>>> {
    let Some(text) = query.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let whole_day = || text.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0)).map(|at| at.and_utc());
    match DateTime::parse_from_rfc3339(text) {
        Ok(at) => Ok(Some(at.with_timezone(&Utc))),
        Err(_) => whole_day().map(Some).ok_or_else(|| {
            // Clients know a date that cannot be read as a failure, not as a refusal.
            Error::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", format!("{name}: Invalid date"))
        }),
    }
}
