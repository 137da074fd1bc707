//! When backups are made by the clock, and how long they are kept.

use std::{str::FromStr as _, sync::Arc};

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use croner::Cron;
use deadpool_postgres::ClientWrapper;
use http::StatusCode;
use serde_json::{Value, json};

use super::Standalone;
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    http::{
        Error, JsonBody, Result,
        validation::{Form, type_name},
    },
    state::App,
};

const LONGEST_RETENTION_DAYS: i64 = 3650;

/// The schedule as it is stored.
pub(super) struct Configuration {
    pub(super) enabled: bool,
    pub(super) cron: String,
    pub(super) retention_days: Option<i32>,
    /// Times before this one do not count: they passed under another schedule.
    pub(super) anchor: DateTime<Utc>,
}

/// `GET /config`
pub(super) async fn get_config(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    _here: Standalone,
) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    Ok(Json(Configuration::read(&client).await?.as_json(app.clock.now())))
}

/// `PATCH /config`
pub(super) async fn update_config(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    _here: Standalone,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let change = Change::read(&body)?;
    let client = app.pools.internal().await?;
    client
        .execute(
            "update system.database_config set
                backup_schedule_anchor = case when coalesce($1, backup_enabled) is distinct from backup_enabled
                    or coalesce($2, backup_cron_schedule) <> backup_cron_schedule then now() else backup_schedule_anchor end,
                backup_enabled = coalesce($1, backup_enabled),
                backup_cron_schedule = coalesce($2, backup_cron_schedule),
                backup_retention_days = case when $3 then $4 else backup_retention_days end",
            &[&change.enabled, &change.cron, &change.retention.is_some(), &change.retention.flatten()],
        )
        .await?;
    let stored = Configuration::read(&client).await?.as_json(app.clock.now());
    audit.record(&caller, "DATABASE", "UPDATE_DATABASE_CONFIG", stored.clone()).await?;
    Ok(Json(stored))
}

impl Configuration {
    pub(super) async fn read(client: &ClientWrapper) -> Result<Self> {
        let row = client
            .query_opt(
                "select backup_enabled, backup_cron_schedule, backup_retention_days, backup_schedule_anchor
                 from system.database_config limit 1",
                &[],
            )
            .await?
            .ok_or_else(|| {
                let message = "Database configuration is not initialized.";
                Error::new(StatusCode::INTERNAL_SERVER_ERROR, "DATABASE_INTERNAL_ERROR", message)
            })?;
        Ok(Self { enabled: row.get(0), cron: row.get(1), retention_days: row.get(2), anchor: row.get(3) })
    }

    fn as_json(&self, now: DateTime<Utc>) -> Value {
        let schedule = Cron::from_str(&self.cron).ok().filter(|_| self.enabled);
        let next = schedule.and_then(|schedule| schedule.find_next_occurrence(&now, false).ok());
        json!({"backup": {
            "enabled": self.enabled,
            "cronSchedule": self.cron,
            "retentionDays": self.retention_days,
            "nextBackupAt": next.map(clock::iso_millis),
        }})
    }
}

struct Change {
    enabled: Option<bool>,
    cron: Option<String>,
    retention: Option<Option<i32>>,
}

impl Change {
    fn read(body: &Value) -> Result<Self> {
        let inner = match body {
            Value::Null => return Err(Error::invalid_input("(root): Required")),
            Value::Object(fields) => fields.get("backup"),
            other => {
                return Err(Error::invalid_input(format!("(root): Expected object, received {}", type_name(other))));
            }
        };
        let inner = inner.ok_or_else(|| Error::invalid_input("backup: Required"))?;
        let mut form = Form::new(inner);
        let enabled = form.optional_bool("enabled");
        let cron = form.optional_string("cronSchedule").map(str::trim);
        let retention = match form.get("retentionDays") {
            Some(Value::Null) => Some(None),
            Some(_) => {
                let days = form.optional_integer("retentionDays", 1, LONGEST_RETENTION_DAYS);
                Some(days.and_then(|days| i32::try_from(days).ok()))
            }
            None => None,
        };
        if form.issues().is_empty() && enabled.is_none() && cron.is_none() && retention.is_none() {
            form.issue("", "At least one backup setting must be provided.");
        }
        if !form.issues().is_empty() {
            let texts = form.issues().iter().map(|issue| {
                let separator = if issue.path.is_empty() { "" } else { "." };
                format!("backup{separator}{}: {}", issue.path, issue.message)
            });
            return Err(Error::invalid_input(texts.collect::<Vec<_>>().join(", ")));
        }
        if let Some(cron) = cron {
            check_schedule(cron).map_err(Error::invalid_input)?;
        }
        Ok(Self { enabled, cron: cron.map(str::to_owned), retention })
    }
}

fn check_schedule(cron: &str) -> Result<(), &'static str> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let [minute, ..] = fields.as_slice() else { return Err(FIVE_FIELDS) };
    if fields.len() != 5 {
        return Err(FIVE_FIELDS);
    }
    if minute.parse::<u8>().is_err() {
        return Err(
            "Scheduled backups can run at most once per hour: the minute field must be a single value (e.g. \"30 2 * * *\").",
        );
    }
    Cron::from_str(cron).map(|_| ()).map_err(|_| "cronSchedule is not a valid cron expression.")
}

const FIVE_FIELDS: &str =
    "cronSchedule must be a standard 5-field cron expression (minute, hour, day of month, month, day of week).";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_checked() {
        assert_eq!(check_schedule("30 2 * * *"), Ok(()));
        for cron in ["", "* * *", "0 0 0 0 0 0"] {
            assert_eq!(check_schedule(cron), Err(FIVE_FIELDS), "{cron}");
        }
        for cron in ["* 2 * * *", "*/5 * * * *", "1,2 * * * *"] {
            assert!(check_schedule(cron).is_err_and(|text| text.starts_with("Scheduled backups")), "{cron}");
        }
        assert_eq!(check_schedule("75 2 * * *"), Err("cronSchedule is not a valid cron expression."));
    }
}
