//! Usage: taking records in, and reporting what an organization has used.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use ids::{OrganizationId, ProjectId};
use model::{
    Error, limits,
    projects::Status,
    usage::{Metric, current_period},
};
use sqlx::PgConnection;
use store::{
    organizations::Organization,
    projects::Project,
    usage::{self, Record, reduce},
};

use super::{
    Ctx, Failure, organizations,
    projects::{self, ProjectView},
    reporters::Reporter,
};
use crate::state::State;

/// Records of one source in sequence order.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) source: String,
    pub(crate) records: Vec<Record>,
}

/// Amounts by metric; every metric is there.
pub(crate) type Amounts = BTreeMap<Metric, i64>;

/// What an organization has used in the present billing period.
pub(crate) struct Report {
    pub(crate) organization: Organization,
    pub(crate) total: Amounts,
    pub(crate) projects: Vec<(ProjectView, Amounts)>,
}

/// The project of a source named `data-plane:<project id>`.
pub(crate) fn claimed_project(source: &str) -> Option<ProjectId> {
    source.strip_prefix("data-plane:")?.parse().ok()
}

fn check(reporter: Reporter, batch: &Batch) -> Result<(), Error> {
    if batch.source.is_empty() || batch.source.len() > 128 {
        return Err(Error::invalid("source", "source must be 1 to 128 characters"));
    }
    if batch.records.len() > limits::USAGE_BATCH_MAX {
        return Err(Error::invalid("records", format!("records must be at most {}", limits::USAGE_BATCH_MAX)));
    }
    for (index, record) in batch.records.iter().enumerate() {
        let invalid = |text: &str| Err(Error::invalid(format!("records[{index}]"), text));
        let follows = index == 0 || batch.records[index - 1].sequence.checked_add(1) == Some(record.sequence);
        if record.sequence < 1 || !follows {
            return invalid("records must be numbered without gaps, from 1");
        }
        if record.amount < 0 || record.to < record.from {
            return invalid("amount must not be negative and the window must not end before it begins");
        }
        if matches!(reporter, Reporter::DataPlane(own) if own != record.project_id) {
            return Err(Error::forbidden("A data plane reports only for its own project"));
        }
    }
    Ok(())
}

/// Takes records in, ignores those already known, and returns the newest sequence that is stored. Records beyond a gap are not taken: the
/// source sees by the answer where to go on.
pub(crate) async fn accept(state: &State, reporter: Reporter, batch: Batch) -> Result<i64, Failure> {
    check(reporter, &batch)?;
    if matches!(reporter, Reporter::DataPlane(own) if claimed_project(&batch.source) != Some(own)) {
        return Err(Error::forbidden("A data plane reports only under its own name").into());
    }
    let now = state.clock.now();
    let mut tx = state.begin().await?;
    let known = usage::lock_source(&mut tx, &batch.source).await?;
    let new: Vec<Record> = batch.records.into_iter().filter(|record| record.sequence > known).collect();
    let continues = new.first().is_some_and(|first| first.sequence == known + 1);
    if !continues {
        tx.commit().await?;
        return Ok(known);
    }
    usage::append(&mut tx, &batch.source, &new, now).await?;
    usage::add_days(&mut tx, &reduce(&new), now).await?;
    let answered: Vec<_> = new
        .iter()
        .filter(|record| record.metric == Metric::Requests && record.amount > 0)
        .map(|record| (record.project_id, record.to.min(now)))
        .collect();
    if !answered.is_empty() {
        store::project_activity::record(&mut tx, &answered).await?;
    }
    note_quotas(&mut tx, &new, now).await?;
    tx.commit().await?;
    Ok(new.last().map_or(known, |record| record.sequence))
}

/// Has the quotas of whoever used something looked at. In the transaction of the records, so that none is missed.
async fn note_quotas(conn: &mut PgConnection, records: &[Record], now: DateTime<Utc>) -> Result<(), Failure> {
    let mut projects: Vec<ProjectId> = records.iter().map(|record| record.project_id).collect();
    projects.sort_unstable();
    projects.dedup();
    Ok(store::quotas::note_usage(conn, &projects, now).await?)
}

/// What an organization has used: counters of the present billing period, and present sizes. Deleted projects keep their counters.
pub(crate) async fn report(state: &State, ctx: &Ctx, organization_id: OrganizationId) -> Result<Report, Failure> {
    let mut conn = state.snapshot().await?;
    let membership = organizations::find(&mut conn, ctx, organization_id).await?;
    let mut used: HashMap<ProjectId, Amounts> = HashMap::new();
    let mut add = |project_id, metric: Metric, amount| {
        let slot = used.entry(project_id).or_default().entry(metric).or_insert(0);
        *slot = metric.combine(*slot, amount);
    };
    for day in usage::days(&mut conn, organization_id, current_period(state.clock.now())).await? {
        if !day.metric.peak() {
            add(day.project_id, day.metric, day.amount);
        }
    }
    for size in usage::current_sizes(&mut conn, organization_id).await? {
        add(size.project_id, size.metric, size.amount);
    }
    let relevant = |project: &Project| project.deleted_at.is_none() || used.contains_key(&project.id);
    let history = store::projects::history(&mut conn, organization_id).await?;
    let views = projects::views(&mut conn, history.into_iter().filter(relevant).collect()).await?;
    let mut total = zero();
    let mut reported = Vec::new();
    for view in views {
        let mut amounts = zero();
        amounts.extend(used.remove(&view.project.id).unwrap_or_default());
        for (metric, amount) in &amounts {
            *total.entry(*metric).or_insert(0) += amount;
        }
        // A failed creation that used nothing is nobody's concern.
        if view.status() != Status::Deleted || amounts.values().any(|&amount| amount > 0) {
            reported.push((view, amounts));
        }
    }
    Ok(Report { organization: membership.organization, total, projects: reported })
}

/// Nothing of anything.
pub(super) fn zero() -> Amounts {
    Metric::ALL.iter().map(|&metric| (metric, 0)).collect()
}
