//! Asks a clone how many rows violate what a plan will demand of them, in a session that holds no more rights than the developer, because
//! the questions may call the developer's functions.

use data_plane_contract::schema::{Probe, Violation};
use serde_json::Value;

use crate::{http::Result, state::App, transaction};

/// Counting stops here; that there are some is known by then.
const TIMEOUT_MS: u32 = 3000;

/// Keys that are shown of one rule.
const SAMPLE: u32 = 5;

/// Every probe that finds rows. One that cannot be asked, because it is about something the plan has yet to make, finds none.
pub(super) async fn ask(app: &App, probes: &[Probe]) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    for probe in probes {
        let sample = format!(
            "select coalesce(pg_catalog.jsonb_agg(s.key), '[]') from (select p.key from ({}) as p (key) limit {SAMPLE}) as s",
            probe.sql
        );
        let Some(Value::Array(sample)) = value(app, &sample).await? else { continue };
        if sample.is_empty() {
            continue;
        }
        let count = format!("select pg_catalog.to_jsonb(count(*)) from ({}) as p (key)", probe.sql);
        let count = value(app, &count).await?.and_then(|count| count.as_i64());
        let Probe { rule, table, what, .. } = probe.clone();
        found.push(Violation { rule, table, what, count, sample });
    }
    Ok(found)
}

/// The answer, or nothing when the question fails or takes too long.
async fn value(app: &App, sql: &str) -> Result<Option<Value>> {
    let context = transaction::Context::admin().read_only().with("statement_timeout", TIMEOUT_MS.to_string());
    let transaction = transaction::begin(&app.pools, &context).await?.discarding_connection();
    let answer = transaction.query_one(sql, &[]).await;
    transaction.rollback().await?;
    Ok(answer.ok().and_then(|row| row.try_get(0).ok()))
}
