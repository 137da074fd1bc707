//! Scans: one at a time, in a session of their own, started by an administrator or by the clock.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use deadpool_postgres::{ClientWrapper, Object};
use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::rules::{Finding, RULES, Scope};
use crate::{
    authentication::RequireAdmin,
    http::{Error, Result},
    state::App,
};

/// The lock that a scan holds, by the session.
const LOCK: (i32, i32) = (14_589_230, 1);
const RULE_TIMEOUT: &str = "15s";

/// `POST /scan`
pub(super) async fn start(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<(StatusCode, Json<Value>)> {
    let Some(scan) = Scan::begin(&app, "manual").await? else {
        return Err(Error::conflict(
            "DATABASE_CONSTRAINT_VIOLATION",
            "A database advisor scan is already in progress.",
        ));
    };
    let id = scan.id;
    tokio::spawn(scan.run());
    Ok((StatusCode::CREATED, Json(json!({"scanId": id, "message": "Scan started"}))))
}

/// `GET /latest`
pub(super) async fn latest(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let newest = client
        .query_opt(
            "select id, status, scan_type, scanned_at, error_message from system.advisor_scans
             order by scanned_at desc, id desc limit 1",
            &[],
        )
        .await?;
    let Some(newest) = newest else { return Ok(Json(Value::Null)) };
    let counted = client
        .query_one(
            &format!(
                "select count(*), count(*) filter (where f.severity = 'critical'), count(*) filter (where f.severity = 'warning'),
                    count(*) filter (where f.severity = 'info')
                 from system.advisor_findings f where {}",
                super::issues::SHOWN
            ),
            &[],
        )
        .await?;
    Ok(Json(json!({
        "scanId": newest.get::<_, Uuid>(0),
        "status": newest.get::<_, String>(1),
        "scanType": newest.get::<_, String>(2),
        "scannedAt": clock::iso_millis(newest.get::<_, DateTime<Utc>>(3)),
        "errorMessage": newest.get::<_, Option<String>>(4),
        "summary": {
            "total": counted.get::<_, i64>(0),
            "critical": counted.get::<_, i64>(1),
            "warning": counted.get::<_, i64>(2),
            "info": counted.get::<_, i64>(3),
        },
    })))
}

/// A scan that has begun; its session holds the lock, and the lock goes with the session.
pub(super) struct Scan {
    id: Uuid,
    client: ClientWrapper,
    long_seconds: f64,
}

impl Scan {
    /// Enters a scan as running; `None` while another runs.
    pub(super) async fn begin(app: &App, scan_type: &str) -> Result<Option<Self>> {
        let client = Object::take(app.pools.internal().await?);
        client
            .batch_execute(&format!("set statement_timeout = '{RULE_TIMEOUT}'; set search_path = pg_catalog"))
            .await?;
        let locked: bool = client.query_one("select pg_try_advisory_lock($1, $2)", &[&LOCK.0, &LOCK.1]).await?.get(0);
        if !locked {
            return Ok(None);
        }
        // Whoever holds the lock knows that others, still called running, are dead.
        client
            .execute(
                "update system.advisor_scans set status = 'failed', error_message = 'Interrupted by a server restart.'
                 where status = 'running'",
                &[],
            )
            .await?;
        let row = client
            .query_one(
                "insert into system.advisor_scans (status, scan_type) values ('running', $1) returning id",
                &[&scan_type],
            )
            .await?;
        Ok(Some(Self { id: row.get(0), client, long_seconds: app.config.advisor.advisor_long_seconds }))
    }

    /// Asks every rule and writes down what they found.
    pub(super) async fn run(self) {
        if let Err(error) = self.scan().await {
            tracing::warn!(cause = telemetry::chain(&error), "a scan of the database advisor failed");
            let _next_scan_cleans_up = self.finish("failed", Some("The scan could not be completed.")).await;
        }
    }

    async fn scan(&self) -> Result<(), tokio_postgres::Error> {
        let scope = Scope::read(&self.client, self.long_seconds).await?;
        let mut findings = Vec::new();
        let mut failed = Vec::new();
        for rule in RULES {
            match rule.find(&self.client, &scope).await {
                Ok(found) => findings.extend(found),
                Err(error) if error.is_closed() => return Err(error),
                Err(error) => {
                    tracing::warn!(
                        rule = rule.id,
                        cause = telemetry::chain(&error),
                        "a rule of the database advisor failed"
                    );
                    failed.push(rule.id);
                }
            }
        }
        for finding in &findings {
            self.write(finding).await?;
        }
        if failed.len() == RULES.len() {
            return self.finish("failed", Some("Every rule failed.")).await;
        }
        let warning = format!("Scan completed with warnings. Failed rules: {}", failed.join(", "));
        self.finish("completed", (!failed.is_empty()).then_some(warning.as_str())).await
    }

    async fn write(&self, finding: &Finding) -> Result<(), tokio_postgres::Error> {
        let sql = "insert into system.advisor_findings
                (scan_id, rule_id, severity, category, title, description, affected_object, recommendation)
             values ($1, $2, $3, $4, $5, $6, $7, $8)";
        self.client
            .execute(
                sql,
                &[
                    &self.id,
                    &finding.rule_id,
                    &finding.severity,
                    &finding.category,
                    &finding.title,
                    &finding.description,
                    &finding.affected_object,
                    &finding.recommendation,
                ],
            )
            .await?;
        Ok(())
    }

    async fn finish(&self, status: &str, message: Option<&str>) -> Result<(), tokio_postgres::Error> {
        let sql = "update system.advisor_scans set status = $2, error_message = $3 where id = $1";
        self.client.execute(sql, &[&self.id, &status, &message]).await?;
        Ok(())
    }
}

/// Scans by the clock, when something was requested since the last time.
pub(crate) async fn run_scheduled(app: Arc<App>) {
    let project = app.config.project_id.clone().unwrap_or_default();
    let Some(schedule) = app.config.advisor.schedule(&project) else { return };
    let mut last: Option<DateTime<Utc>> = None;
    loop {
        let now = app.clock.now();
        let Ok(next) = schedule.find_next_occurrence(&now, false) else { return };
        tokio::time::sleep((next - now).to_std().unwrap_or(Duration::ZERO)).await;
        let active = app.activity.last_request_at().is_some_and(|at| last.is_none_or(|last| at > last));
        if !active {
            continue;
        }
        last = Some(app.clock.now());
        match Scan::begin(&app, "scheduled").await {
            Ok(Some(scan)) => scan.run().await,
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(cause = error.message(), "a scheduled scan of the database advisor did not start")
            }
        }
    }
}
