//! What partners' projects have used, from roll-ups alone.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use ids::ProjectId;
use model::{
    Error, limits,
    usage::{GaugeDay, Metric, Period, gauge_series},
};
use sqlx::PgConnection;
use store::{
    partners::Partner,
    usage_totals::{self, Scope},
};

use super::partner;
use crate::{
    app::{
        Ctx, Failure,
        projects::{self, ProjectView},
        usage::{Amounts, zero},
    },
    state::State,
};

/// Days without a start, counted back from the last one.
const DEFAULT_DAYS: i64 = 7;

/// What a project has used, day by day.
pub(crate) struct ProjectReport {
    pub(crate) view: ProjectView,
    pub(crate) last_activity_at: Option<DateTime<Utc>>,
    /// Maximum over the days of a peak metric, sum of the others.
    pub(crate) total: Amounts,
    pub(crate) days: Vec<(NaiveDate, Amounts)>,
}

/// What all projects of a partner have used, deleted ones included.
pub(crate) struct PartnerReport {
    pub(crate) partner: Partner,
    pub(crate) period: Period,
    /// Of a peak metric the maximum over the days of the sum over the projects.
    pub(crate) total: Amounts,
}

/// The period asked for: whole UTC days, none of them in the future, a year at most.
pub(crate) fn period(start: Option<&str>, end: Option<&str>, now: DateTime<Utc>) -> Result<Period, Error> {
    let read = |field: &str, text: &str| {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| date.to_string() == text);
        date.ok_or_else(|| Error::invalid(field, format!("{field} must be a date such as 2026-01-31")))
    };
    let today = now.date_naive();
    let end = end.map_or(Ok(today), |text| read("end_date", text))?;
    let start = start.map_or(Ok(end - Duration::days(DEFAULT_DAYS)), |text| read("start_date", text))?;
    if end > today {
        return Err(Error::invalid("end_date", "end_date must not be in the future"));
    }
    if start > end {
        return Err(Error::invalid("start_date", "start_date must not be after end_date"));
    }
    if (end - start).num_days() >= limits::USAGE_PERIOD_DAYS_MAX {
        let text = format!("A period may have up to {} days", limits::USAGE_PERIOD_DAYS_MAX);
        return Err(Error::invalid("start_date", text));
    }
    Ok(Period { start, end })
}

/// What a project of the partner has used.
pub(crate) async fn of_project(
    state: &State,
    ctx: &Ctx,
    id: ProjectId,
    period: Period,
) -> Result<ProjectReport, Failure> {
    partner(ctx)?;
    let mut conn = state.snapshot().await?;
    let project = projects::find(&mut conn, ctx, id).await?;
    let days = days_of_project(&mut conn, id, period).await?;
    let mut total = zero();
    for (metric, amount) in days.iter().flat_map(|(_, amounts)| amounts) {
        let slot = total.entry(*metric).or_insert(0);
        *slot = metric.combine(*slot, *amount);
    }
    let last_activity_at = store::project_activity::find(&mut conn, id).await?;
    Ok(ProjectReport { view: projects::view(&mut conn, project).await?, last_activity_at, total, days })
}

async fn days_of_project(
    conn: &mut PgConnection,
    id: ProjectId,
    period: Period,
) -> Result<Vec<(NaiveDate, Amounts)>, Failure> {
    let recorded = usage_totals::project_days(conn, id, period).await?;
    let mut days: BTreeMap<NaiveDate, Amounts> = period.days().map(|day| (day, zero())).collect();
    for day in recorded.iter().filter(|day| !day.metric.peak()) {
        days.entry(day.day).or_default().insert(day.metric, day.amount);
    }
    for &metric in Metric::ALL.iter().filter(|metric| metric.peak()) {
        let mut carried = usage_totals::project_carried(conn, id, metric, period.start).await?;
        let first = carried;
        let changes = recorded.iter().filter(|day| day.metric == metric).map(|day| {
            let last = day.last.unwrap_or(day.amount);
            let change = GaugeDay { day: day.day, excess: day.amount.max(carried) - carried, step: last - carried };
            carried = last;
            change
        });
        let changes: Vec<GaugeDay> = changes.collect();
        for (day, amount) in gauge_series(first, &changes, period) {
            days.entry(day).or_default().insert(metric, amount);
        }
    }
    Ok(days.into_iter().collect())
}

/// What all projects of the partner have used.
pub(crate) async fn of_partner(state: &State, ctx: &Ctx, period: Period) -> Result<PartnerReport, Failure> {
    let partner = partner(ctx)?.clone();
    let scope = Scope::Partner(partner.id);
    let mut conn = state.snapshot().await?;
    let mut total = zero();
    total.extend(usage_totals::counters(&mut conn, scope, period).await?);
    for &metric in Metric::ALL.iter().filter(|metric| metric.peak()) {
        let (carried, changes) = usage_totals::gauge(&mut conn, scope, metric, period).await?;
        let peak = gauge_series(carried, &changes, period).into_iter().map(|(_, amount)| amount).max();
        total.insert(metric, peak.unwrap_or(0));
    }
    Ok(PartnerReport { partner, period, total })
}
