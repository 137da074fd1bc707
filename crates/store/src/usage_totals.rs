//! Totals over the projects of an organization or a partner. What they cost to read depends on days and not on projects.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use ids::{OrganizationId, PartnerId, ProjectId};
use model::{
    billing::Used,
    instances::InstanceType,
    usage::{Counted, GaugeDay, Metric, Period, gauge_series},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    parse,
    usage::{self, Record},
    usage_days::{self, words},
};

/// Whose total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every project of an organization.
    Organization(OrganizationId),
    /// Every project made through a partner.
    Partner(PartnerId),
    /// Records of projects that nobody knows.
    Unattributed,
}

impl Scope {
    fn id(self) -> Uuid {
        match self {
            Self::Organization(id) => id.as_uuid(),
            Self::Partner(id) => id.as_uuid(),
            Self::Unattributed => Uuid::nil(),
        }
    }
}

/// The sum of every counter over a period.
pub async fn counters(conn: &mut PgConnection, scope: Scope, period: Period) -> sqlx::Result<Vec<(Metric, i64)>> {
    let rows = sqlx::query!(
        r#"select metric, sum(amount)::bigint as "amount!" from usage_totals
           where scope = $1 and metric = any($2) and day between $3 and $4 group by metric order by metric"#,
        scope.id(),
        &words(|metric| !metric.peak()),
        period.start,
        period.end
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| Ok((parse(&row.metric)?, row.amount))).collect()
}

/// Seconds of compute over a period, by instance type. What a source told without one is in no entry.
pub async fn compute(conn: &mut PgConnection, scope: Scope, period: Period) -> sqlx::Result<Vec<(InstanceType, i64)>> {
    let rows = sqlx::query!(
        r#"select instance_type, sum(amount)::bigint as "amount!" from usage_totals
           where scope = $1 and metric = $2 and day between $3 and $4 and instance_type <> ''
           group by instance_type order by instance_type"#,
        scope.id(),
        Metric::ComputeSeconds.as_str(),
        period.start,
        period.end
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| Ok((parse(&row.instance_type)?, row.amount))).collect()
}

/// Every counter of every day of a period that has one.
pub async fn counter_days(
    conn: &mut PgConnection,
    scope: Scope,
    period: Period,
) -> sqlx::Result<Vec<(NaiveDate, Metric, i64)>> {
    let rows = sqlx::query!(
        r#"select day, metric, sum(amount)::bigint as "amount!" from usage_totals
           where scope = $1 and metric = any($2) and day between $3 and $4 group by day, metric order by day, metric"#,
        scope.id(),
        &words(|metric| !metric.peak()),
        period.start,
        period.end
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| Ok((row.day, parse(&row.metric)?, row.amount))).collect()
}

/// What a gauge's projects carried into a period, and the days of it that changed that.
pub async fn gauge(
    conn: &mut PgConnection,
    scope: Scope,
    metric: Metric,
    period: Period,
) -> sqlx::Result<(i64, Vec<GaugeDay>)> {
    let carried = sqlx::query_scalar!(
        r#"select coalesce(sum(step), 0)::bigint as "carried!" from usage_totals where scope = $1 and metric = $2 and day < $3"#,
        scope.id(),
        metric.as_str(),
        period.start
    )
    .fetch_one(&mut *conn)
    .await?;
    let rows = sqlx::query!(
        r#"select day, sum(amount)::bigint as "excess!", sum(step)::bigint as "step!" from usage_totals
           where scope = $1 and metric = $2 and day between $3 and $4 group by day order by day"#,
        scope.id(),
        metric.as_str(),
        period.start,
        period.end
    )
    .fetch_all(conn)
    .await?;
    let changes = rows.into_iter().map(|row| GaugeDay { day: row.day, excess: row.excess, step: row.step });
    Ok((carried, changes.collect()))
}

/// What came too late to count in a period, by the day on which it came.
pub async fn late(conn: &mut PgConnection, scope: Scope, period: Period) -> sqlx::Result<Vec<(Metric, i64)>> {
    let rows = sqlx::query!(
        r#"select metric, sum(amount)::bigint as "amount!" from usage_late_days
           where scope = $1 and metric = any($2) and day between $3 and $4 group by metric order by metric"#,
        scope.id(),
        &words(|_| true),
        period.start,
        period.end
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| Ok((parse(&row.metric)?, row.amount))).collect()
}

/// The source of what the control plane itself records.
const SOURCE: &str = "control-plane";

/// A project that is gone holds nothing from now on. A second call changes nothing.
pub async fn end_gauges(conn: &mut PgConnection, project_id: ProjectId, at: DateTime<Utc>) -> sqlx::Result<()> {
    let day = at.date_naive();
    let held = usage_days::carried(conn, &[project_id], day + Duration::days(1)).await?;
    if held.is_empty() {
        return Ok(());
    }
    let newest = usage::lock_source(conn, SOURCE).await?;
    let records: Vec<Record> = (newest + 1..)
        .zip(&held)
        .map(|(sequence, held)| {
            let counted = Counted { day, metric: held.metric, instance_type: None };
            Record { sequence, project_id, counted, from: at, to: at, amount: 0 }
        })
        .collect();
    usage::append(conn, SOURCE, &records, at).await?;
    usage::advance_source(conn, SOURCE, records.last().map_or(newest, |record| record.sequence)).await?;
    usage_days::add(conn, &usage::reduce(&records)).await
}

/// What a scope used in a period, for an invoice: of each gauge the largest total of a day, and that day, the first of equals.
pub async fn used(
    conn: &mut PgConnection,
    scope: Scope,
    period: Period,
) -> sqlx::Result<(Used, BTreeMap<Metric, NaiveDate>)> {
    let mut used = Used {
        metrics: counters(conn, scope, period).await?.into_iter().collect(),
        compute: compute(conn, scope, period).await?.into_iter().collect(),
    };
    let mut peaks = BTreeMap::new();
    for &metric in Metric::ALL.iter().filter(|metric| metric.peak()) {
        let (carried, changes) = gauge(conn, scope, metric, period).await?;
        let series = gauge_series(carried, &changes, period);
        if let Some((day, amount)) = series.into_iter().reduce(|best, day| if day.1 > best.1 { day } else { best }) {
            used.metrics.insert(metric, amount);
            peaks.insert(metric, day);
        }
    }
    Ok((used, peaks))
}
