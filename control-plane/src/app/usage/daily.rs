//! Usage day by day and project by project, with what is nobody's, so that the parts of every day and metric are its total.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use ids::ProjectId;
use model::usage::{GaugeDay, Metric, Period, gauge_series};
use sqlx::{Postgres, Transaction};
use store::{
    usage::Day,
    usage_days::{self, NamedProject},
    usage_totals::{self, Scope},
};

use super::{Amounts, zero};
use crate::app::Failure;

/// Projects read at once.
const PAGE: i64 = 500;

/// Amounts by day.
pub(crate) type Days = BTreeMap<NaiveDate, Amounts>;

/// Whose day it is.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// A project's.
    Project(NamedProject),
    /// The total without the projects.
    Unattributed,
    /// All of it.
    Total,
}

/// One day of one part.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) day: NaiveDate,
    pub(crate) part: Part,
    pub(crate) amounts: Amounts,
}

/// Reads a report page by page, all of it as of one moment: projects in the order of their creation, then what is nobody's, then the total.
pub(crate) struct Daily {
    snapshot: Transaction<'static, Postgres>,
    scope: Scope,
    period: Period,
    after: Option<(DateTime<Utc>, ProjectId)>,
    /// The total of each day, less the projects that were read.
    rest: Days,
    total: Days,
    ended: bool,
}

impl Daily {
    /// Begins a report; the caller has made sure that it may be seen.
    pub(crate) async fn begin(
        mut snapshot: Transaction<'static, Postgres>,
        scope: Scope,
        period: Period,
    ) -> Result<Self, Failure> {
        let total = total(&mut snapshot, scope, period).await?;
        Ok(Self { snapshot, scope, period, after: None, rest: total.clone(), total, ended: false })
    }

    /// The next rows; none after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Row>>, Failure> {
        if self.ended {
            return Ok(None);
        }
        let projects = usage_days::projects_of(&mut self.snapshot, self.scope, self.after, PAGE).await?;
        let Some(last) = projects.last() else {
            self.ended = true;
            let rows = |days: &Days, part: Part| {
                days.iter()
                    .map(|(day, amounts)| Row { day: *day, part: part.clone(), amounts: amounts.clone() })
                    .collect::<Vec<_>>()
            };
            let mut last_rows = rows(&self.rest, Part::Unattributed);
            last_rows.extend(rows(&self.total, Part::Total));
            return Ok(Some(last_rows));
        };
        self.after = Some((last.created_at, last.id.into()));
        self.page(projects).await.map(Some)
    }

    async fn page(&mut self, projects: Vec<NamedProject>) -> Result<Vec<Row>, Failure> {
        let ids: Vec<ProjectId> = projects.iter().map(|project| project.id.into()).collect();
        let mut recorded: BTreeMap<ProjectId, Vec<Day>> = BTreeMap::new();
        for day in usage_days::of_projects(&mut self.snapshot, &ids, self.period).await? {
            recorded.entry(day.project_id).or_default().push(day);
        }
        let mut carried: BTreeMap<ProjectId, Amounts> = BTreeMap::new();
        for held in usage_days::carried(&mut self.snapshot, &ids, self.period.start).await? {
            carried.entry(held.project_id).or_default().insert(held.metric, held.amount);
        }
        let mut rows = Vec::new();
        for (id, project) in ids.iter().zip(projects) {
            let (recorded, carried) = (recorded.remove(id).unwrap_or_default(), carried.remove(id).unwrap_or_default());
            if recorded.is_empty() && carried.is_empty() {
                continue;
            }
            for (day, amounts) in days(&recorded, &carried, self.period) {
                let rest = self.rest.entry(day).or_default();
                for (metric, amount) in &amounts {
                    *rest.entry(*metric).or_insert(0) -= amount;
                }
                // A day of which nothing is to be said, before the project or after it, says nothing.
                if amounts.values().any(|&amount| amount != 0) {
                    rows.push(Row { day, part: Part::Project(project.clone()), amounts });
                }
            }
        }
        Ok(rows)
    }
}

async fn total(snapshot: &mut Transaction<'static, Postgres>, scope: Scope, period: Period) -> Result<Days, Failure> {
    let mut days: Days = period.days().map(|day| (day, zero())).collect();
    for (day, metric, amount) in usage_totals::counter_days(snapshot, scope, period).await? {
        days.entry(day).or_default().insert(metric, amount);
    }
    for &metric in Metric::ALL.iter().filter(|metric| metric.peak()) {
        let (carried, changes) = usage_totals::gauge(snapshot, scope, metric, period).await?;
        for (day, amount) in gauge_series(carried, &changes, period) {
            days.entry(day).or_default().insert(metric, amount);
        }
    }
    Ok(days)
}

/// Every day of a period, from those of a project that are recorded and what its gauges carried into the first.
pub(crate) fn days(recorded: &[Day], carried: &Amounts, period: Period) -> Days {
    let mut days: Days = period.days().map(|day| (day, zero())).collect();
    for day in recorded.iter().filter(|day| !day.counted.metric.peak()) {
        *days.entry(day.counted.day).or_default().entry(day.counted.metric).or_insert(0) += day.amount;
    }
    for &metric in Metric::ALL.iter().filter(|metric| metric.peak()) {
        let first = carried.get(&metric).copied().unwrap_or(0);
        let mut before = first;
        let changes = recorded.iter().filter(|day| day.counted.metric == metric).map(|day| {
            let last = day.last.map_or(day.amount, |last| last.amount);
            let change =
                GaugeDay { day: day.counted.day, excess: day.amount.max(before) - before, step: last - before };
            before = last;
            change
        });
        let changes: Vec<GaugeDay> = changes.collect();
        for (day, amount) in gauge_series(first, &changes, period) {
            days.entry(day).or_default().insert(metric, amount);
        }
    }
    days
}
