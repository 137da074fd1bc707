//! Taking usage records in: each exactly once, in the sequence of its source.

use chrono::{DateTime, TimeDelta, Utc};
use ids::ProjectId;
use model::{
    Error,
    instances::InstanceType,
    limits,
    usage::{Counted, Metric, day_of},
};
use store::{
    usage::{self, Record, reduce},
    usage_days,
};

use crate::{
    app::{Failure, reporters::Reporter},
    state::State,
};

/// How far a source's clock may be ahead without being wrong.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// Records of one source in sequence order.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) source: String,
    pub(crate) records: Vec<Measured>,
}

/// One record as its source tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) sequence: i64,
    pub(crate) project_id: ProjectId,
    pub(crate) metric: Metric,
    pub(crate) instance_type: Option<InstanceType>,
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
    pub(crate) amount: i64,
}

impl Measured {
    /// As it is kept, and whether it comes too late to count.
    fn received(self, at: DateTime<Utc>) -> (Record, bool) {
        let Self { sequence, project_id, metric, instance_type, from, to, amount } = self;
        // Nothing is measured after it was received: a sample from the future would stay the newest of its day, whatever follows it. Clocks that
        // are apart by little keep the order of theirs.
        let wrong = to > at + SKEW;
        let (from, to) = if wrong { (from.min(at), at) } else { (from, to) };
        let day = day_of(from, at);
        let counted = Counted { day: day.unwrap_or_else(|| from.date_naive()), metric, instance_type };
        (Record { sequence, project_id, counted, from, to, amount }, day.is_none())
    }
}

/// The project of a source named `data-plane:<project id>` or `data-plane:<project id>:<series>`.
pub(crate) fn claimed_project(source: &str) -> Option<ProjectId> {
    let rest = source.strip_prefix("data-plane:")?;
    rest.split_once(':').map_or(rest, |(id, _)| id).parse().ok()
}

fn check(reporter: Reporter, batch: &Batch) -> Result<(), Error> {
    if batch.source.is_empty() || batch.source.len() > 128 {
        return Err(Error::invalid("source", "source must be 1 to 128 characters"));
    }
    if matches!(reporter, Reporter::DataPlane(own) if claimed_project(&batch.source) != Some(own)) {
        return Err(Error::forbidden("A data plane reports only under its own name"));
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
        if record.instance_type.is_some() && record.metric != Metric::ComputeSeconds {
            return invalid("only compute has an instance type");
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
    let now = state.clock.now();
    let mut tx = state.begin().await?;
    let known = usage::lock_source(&mut tx, &batch.source).await?;
    let new: Vec<Measured> = batch.records.into_iter().filter(|record| record.sequence > known).collect();
    let newest = new.last().map_or(known, |record| record.sequence);
    let continues = new.first().is_some_and(|first| first.sequence == known + 1);
    if !continues {
        tx.commit().await?;
        return Ok(known);
    }
    let (late, counted): (Vec<_>, Vec<_>) = new.into_iter().map(|one| one.received(now)).partition(|(_, late)| *late);
    let [late, counted] =
        [late, counted].map(|records| records.into_iter().map(|(record, _)| record).collect::<Vec<_>>());
    usage::append(&mut tx, &batch.source, &counted, now).await?;
    usage_days::add(&mut tx, &reduce(&counted)).await?;
    if !late.is_empty() {
        tracing::warn!(source = batch.source, records = late.len(), "usage records came too late to count");
        usage::append_late(&mut tx, &batch.source, &late, now).await?;
    }
    let answered: Vec<_> = counted
        .iter()
        .filter(|record| matches!(record.counted.metric, Metric::Requests | Metric::EgressBytes) && record.amount > 0)
        .map(|record| (record.project_id, record.to.min(now)))
        .collect();
    if !answered.is_empty() {
        store::project_activity::record(&mut tx, &answered).await?;
    }
    // In the transaction of the records, so that no usage is missed.
    let mut used: Vec<ProjectId> = counted.iter().map(|record| record.project_id).collect();
    used.sort_unstable();
    used.dedup();
    store::quotas::note_usage(&mut tx, &used, now).await?;
    usage::advance_source(&mut tx, &batch.source, newest).await?;
    tx.commit().await?;
    Ok(newest)
}
