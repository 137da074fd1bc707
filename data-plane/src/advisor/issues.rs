//! What the newest completed scan found, without what is ignored.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    authentication::RequireAdmin,
    http::{Error, Query, Result},
    state::App,
};

/// Condition on a finding `f`: of the newest completed scan, and not ignored.
pub(super) const SHOWN: &str = "f.scan_id = (
        select id from system.advisor_scans where status = 'completed' order by scanned_at desc, id desc limit 1)
    and not exists (
        select from system.advisor_suppressions s
        where s.rule_id = f.rule_id and (s.scope = 'rule' or s.affected_object = f.affected_object))";

const SEVERITIES: &[&str] = &["critical", "warning", "info"];
const CATEGORIES: &[&str] = &["security", "performance", "health"];

/// `GET /issues`
pub(super) async fn list(State(app): State<Arc<App>>, _admin: RequireAdmin, query: Query) -> Result<Json<Value>> {
    let severity = choice(&query, "severity", SEVERITIES)?;
    let category = choice(&query, "category", CATEGORIES)?;
    let limit = number(&query, "limit", 50, 1, "must be a positive integer")?;
    let offset = number(&query, "offset", 0, 0, "must be a non-negative integer")?;
    let matching =
        format!("{SHOWN} and ($1::text is null or f.severity = $1) and ($2::text is null or f.category = $2)");
    let client = app.pools.internal().await?;
    let count = format!("select count(*) from system.advisor_findings f where {matching}");
    let total: i64 = client.query_one(&count, &[&severity, &category]).await?.get(0);
    let page = format!(
        "select f.id, f.rule_id, f.severity, f.category, f.title, f.description, f.affected_object, f.recommendation
         from system.advisor_findings f where {matching}
         order by array_position(array['critical', 'warning', 'info'], f.severity), f.id limit $3 offset $4"
    );
    let rows = client.query(&page, &[&severity, &category, &limit, &offset]).await?;
    let issues: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mut issue = json!({
                "id": row.get::<_, Uuid>(0),
                "ruleId": row.get::<_, String>(1),
                "severity": row.get::<_, String>(2),
                "category": row.get::<_, String>(3),
                "title": row.get::<_, String>(4),
                "description": row.get::<_, String>(5),
            });
            if let Some(object) = row.get::<_, Option<String>>(6) {
                issue["affectedObject"] = object.into();
            }
            if let Some(text) = row.get::<_, Option<String>>(7) {
                issue["recommendation"] = text.into();
            }
            issue
        })
        .collect();
    Ok(Json(json!({"issues": issues, "total": total})))
}

fn choice<'a>(query: &'a Query, name: &str, allowed: &[&str]) -> Result<Option<&'a str>> {
    match query.get(name) {
        Some(value) if !allowed.contains(&value) => {
            let list = allowed.join(", ");
            Err(Error::invalid_input(format!("Invalid {name} parameter: must be one of {list}")))
        }
        value => Ok(value),
    }
}

fn number(query: &Query, name: &str, default: i64, min: i64, rule: &str) -> Result<i64> {
    let Some(text) = query.get(name) else { return Ok(default) };
    text.parse()
        .ok()
        .filter(|number| *number >= min)
        .ok_or_else(|| Error::invalid_input(format!("Invalid {name} parameter: {rule}")))
}
