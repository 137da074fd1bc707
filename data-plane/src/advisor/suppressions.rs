//! Findings that somebody decided to ignore.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Value, json};
use tokio_postgres::{Row, error::SqlState};
use uuid::Uuid;

use crate::{
    authentication::RequireAdmin,
    http::{Error, JsonBody, Result},
    state::App,
};

const LONGEST_RULE: usize = 200;
const LONGEST_OBJECT: usize = 500;
const LONGEST_NOTE: usize = 1000;
const REASONS: &[&str] = &["false_positive", "accepted_risk", "wont_fix", "other"];

/// With what the newest completed scan says about the same finding.
const SELECT: &str = "select s.id, s.rule_id, s.affected_object, s.scope, s.reason, s.note, s.created_by, s.created_at,
        f.title, f.severity, f.category
    from system.advisor_suppressions s
    left join lateral (
        select f.title, f.severity, f.category from system.advisor_findings f
        where f.rule_id = s.rule_id and (s.scope = 'rule' or f.affected_object = s.affected_object)
            and f.scan_id = (select id from system.advisor_scans where status = 'completed'
                order by scanned_at desc, id desc limit 1)
        order by f.id limit 1) f on true";

/// `GET /suppressions`
pub(super) async fn list(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let rows = client.query(&format!("{SELECT} order by s.created_at desc, s.id"), &[]).await?;
    Ok(Json(json!({"suppressions": rows.iter().map(as_json).collect::<Vec<_>>()})))
}

/// `POST /suppressions`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>)> {
    let wanted = Wanted::read(&body)?;
    let client = app.pools.internal().await?;
    let made = client
        .query_one(
            "insert into system.advisor_suppressions (rule_id, affected_object, scope, reason, note, created_by)
             values ($1, $2, $3, $4, $5, $6) returning id",
            &[&wanted.rule, &wanted.object, &wanted.scope, &wanted.reason, &wanted.note, &caller.actor()],
        )
        .await
        .map_err(|error| match error.code() {
            Some(&SqlState::UNIQUE_VIOLATION) => {
                Error::conflict("DATABASE_DUPLICATE", "This finding is already ignored.")
            }
            _ => error.into(),
        })?;
    let row = client.query_one(&format!("{SELECT} where s.id = $1"), &[&made.get::<_, Uuid>(0)]).await?;
    Ok((StatusCode::CREATED, Json(as_json(&row))))
}

/// `DELETE /suppressions/:id`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    Path(id): Path<String>,
) -> Result<Json<Value>> {
    let id: Uuid = id.parse().map_err(|_| Error::invalid_input("Invalid id: must be a valid UUID"))?;
    let client = app.pools.internal().await?;
    if client.execute("delete from system.advisor_suppressions where id = $1", &[&id]).await? == 0 {
        return Err(Error::not_found("NOT_FOUND", "Suppression not found"));
    }
    Ok(Json(json!({"deleted": true})))
}

struct Wanted<'a> {
    rule: &'a str,
    scope: &'a str,
    object: Option<&'a str>,
    reason: &'a str,
    note: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn read(body: &'a Value) -> Result<Self> {
        let invalid = |what: String| Error::invalid_input(format!("Invalid {what}"));
        let text = |name: &str, most: usize| match body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= most => Ok(Some(text.as_str())),
            Some(_) => Err(invalid(format!("{name}: must be a string of at most {most} characters"))),
        };
        let rule = text("ruleId", LONGEST_RULE)?
            .filter(|rule| !rule.is_empty())
            .ok_or_else(|| invalid(format!("ruleId: must be a string of 1 to {LONGEST_RULE} characters")))?;
        let scope = text("scope", LONGEST_RULE)?
            .filter(|scope| ["instance", "rule"].contains(scope))
            .ok_or_else(|| invalid("scope: must be one of instance, rule".to_owned()))?;
        let object = text("affectedObject", LONGEST_OBJECT)?.filter(|object| !object.is_empty());
        let reason = text("reason", LONGEST_RULE)?
            .filter(|reason| REASONS.contains(reason))
            .ok_or_else(|| invalid(format!("reason: must be one of {}", REASONS.join(", "))))?;
        let note = text("note", LONGEST_NOTE)?.filter(|note| !note.trim().is_empty());
        if scope == "instance" && object.is_none() {
            return Err(invalid("affectedObject: required when scope is instance".to_owned()));
        }
        if reason == "other" && note.is_none() {
            return Err(invalid("note: required when reason is other".to_owned()));
        }
        let object = object.filter(|_| scope == "instance");
        Ok(Self { rule, scope, object, reason, note })
    }
}

fn as_json(row: &Row) -> Value {
    let mut value = json!({
        "id": row.get::<_, Uuid>(0),
        "ruleId": row.get::<_, String>(1),
        "scope": row.get::<_, String>(3),
        "reason": row.get::<_, String>(4),
        "createdAt": clock::iso_millis(row.get::<_, DateTime<Utc>>(7)),
    });
    let optional =
        [("affectedObject", 2), ("note", 5), ("createdBy", 6), ("title", 8), ("severity", 9), ("category", 10)];
    for (name, index) in optional {
        if let Some(text) = row.get::<_, Option<String>>(index) {
            value[name] = text.into();
        }
    }
    value
}
