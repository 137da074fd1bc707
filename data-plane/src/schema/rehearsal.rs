//! Rehearses a merge plan on a throw-away clone: runs it as it will be run, and reports what it took, what it would block, which rows are in
//! its way, and whether a second observer sees what the catalogs say.

use std::time::Instant;

use data_plane_contract::schema::{ApplyRefused, RehearsalReport, RehearsePlan, Rehearsed};
use deadpool_postgres::Object;
use tokio::sync::oneshot;

use super::{
    meter::{Meter, milliseconds},
    observer::Observer,
    probes,
    runner::{Completed, Failure, Onlooker, Result, Runner},
};
use crate::{http::Error, state::App};

/// Rehearses, or repeats what an earlier rehearsal of this operation showed.
pub(super) async fn run(app: &App, request: &RehearsePlan) -> Result<Rehearsed> {
    let runner = Runner::new(&request.plan, request.exact)?;
    if let Some(earlier) = earlier(app, request).await? {
        return Ok(earlier);
    }
    let client = Object::take(app.pools.internal().await?);
    let mut meter = Meter::new(runner.len());
    let started = Instant::now();
    let (looked, unchanged) = oneshot::channel();
    let (committed, changed) = oneshot::channel();
    // Observer and probes look at the clone while its catalog is read; the first statement waits for them. The observer looks again while
    // the catalog is read the second time.
    let looking = async {
        let (mut observer, violations) =
            tokio::join!(Observer::look(app, request.observe), probes::ask(app, &request.probes));
        looked.send(()).unwrap_or(());
        if changed.await.is_ok() {
            observer.look_again(app).await;
        }
        (observer, violations)
    };
    let running = async {
        // What tells the observer ends with the run.
        let mut onlooker = Onlooker { meter: &mut meter, may_change: Some(unchanged), changed: Some(committed) };
        runner.run(&client, Some(&mut onlooker)).await
    };
    let ((observer, violations), outcome) = tokio::join!(looking, running);
    let mut report = RehearsalReport { violations: violations?, ..RehearsalReport::default() };
    report.duration_ms =
        milliseconds(outcome.as_ref().map_or_else(|_| started.elapsed(), |completed| completed.blocked));
    report.blocking_ms = meter.blocking_ms();
    (report.slowest, report.locks, report.rewritten) = (meter.slowest(), meter.locks(), meter.rewritten());
    let completed = match outcome {
        Ok(completed) => completed,
        Err(Failure::Refused(refused)) => {
            return Ok(Rehearsed { refused: Some(refused), report, ..Rehearsed::default() });
        }
        Err(failure) => return Err(failure),
    };
    let Completed { before: Some(before), after: Some(after), .. } = &completed else {
        // Another rehearsal was interrupted between its commit and its report; a fresh clone shows it all again.
        let refused = Some(ApplyRefused::TargetChanged { catalog_hash: completed.catalog_hash });
        return Ok(Rehearsed { refused, ..Rehearsed::default() });
    };
    report.observer = observer.compare(before, &after.catalog);
    let segments = serde_json::to_value(&completed.segments)
        .map_err(|error| Error::internal("write the segments of a rehearsal", &error))?;
    let rehearsed = Rehearsed { refused: None, segments, report };
    keep(app, request, &rehearsed).await?;
    Ok(rehearsed)
}

async fn earlier(app: &App, request: &RehearsePlan) -> Result<Option<Rehearsed>> {
    let sql = "select report from system.branch_merges where operation_id = $1 and report is not null";
    let client = app.pools.internal().await?;
    let Some(row) = client.query_opt(sql, &[&request.plan.operation_id.as_uuid()]).await? else { return Ok(None) };
    let report: serde_json::Value = row.try_get(0)?;
    let report =
        serde_json::from_value(report).map_err(|error| Error::internal("read a rehearsal's report", &error))?;
    Ok(Some(report))
}

async fn keep(app: &App, request: &RehearsePlan, rehearsed: &Rehearsed) -> Result<()> {
    let report =
        serde_json::to_value(rehearsed).map_err(|error| Error::internal("write a rehearsal's report", &error))?;
    let sql = "update system.branch_merges set report = $2 where operation_id = $1";
    let client = app.pools.internal().await?;
    client.execute(sql, &[&request.plan.operation_id.as_uuid(), &report]).await?;
    Ok(())
}
