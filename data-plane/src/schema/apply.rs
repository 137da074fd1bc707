//! Applies a merge plan, and removes what an earlier one kept.

use std::time::Instant;

use data_plane_contract::schema::{ApplyPlan, ForgetKept, KeptForgotten, PlanApplied};
use deadpool_postgres::Object;
use serde_json::value::to_raw_value;

use super::{
    runner::{Result, Runner, begin, refused},
    snapshot,
};
use crate::{http::Error, state::App};

/// Applies a plan, or reports that it was applied before.
pub(super) async fn run(app: &App, plan: &ApplyPlan) -> Result<PlanApplied> {
    let runner = Runner::new(plan, true)?;
    let client = Object::take(app.pools.internal().await?);
    let started = Instant::now();
    let completed = runner.run(&client, None).await?;
    let duration_ms = elapsed(started);
    let applied_now = completed.after.is_some();
    let after = match completed.after {
        Some(after) => after,
        None => snapshot::read(app).await?,
    };
    let snapshot = to_raw_value(&after).map_err(|error| Error::internal("write a schema snapshot", &error))?;
    let blocked_ms = u64::try_from(completed.blocked.as_millis()).unwrap_or(u64::MAX);
    Ok(PlanApplied { catalog_hash: completed.catalog_hash, applied_now, duration_ms, blocked_ms, snapshot })
}

/// Runs the statements that remove what was kept, all or none.
pub(super) async fn forget(app: &App, request: &ForgetKept) -> Result<KeptForgotten> {
    let client = Object::take(app.pools.internal().await?);
    let started = Instant::now();
    begin(&client, request.lock_timeout_ms).await?;
    for (index, sql) in request.statements.iter().enumerate() {
        client.batch_execute(sql).await.map_err(|error| refused(0, index, &error))?;
    }
    client.batch_execute("commit").await?;
    Ok(KeptForgotten { duration_ms: elapsed(started) })
}

fn elapsed(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
