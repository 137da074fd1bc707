//! Usage: taking records in, and reporting what organizations and partners have used. Reports answer from days and totals alone.

pub(crate) mod daily;
pub(crate) mod ingest;
mod period;
pub(crate) mod report;

use std::collections::BTreeMap;

use model::usage::{Metric, Period, gauge_series};
use sqlx::PgConnection;
use store::usage_totals::{self, Scope};

pub(crate) use period::period;

use super::Failure;

/// Amounts by metric; every metric is there.
pub(crate) type Amounts = BTreeMap<Metric, i64>;

/// Nothing of anything.
pub(crate) fn zero() -> Amounts {
    Metric::ALL.iter().map(|&metric| (metric, 0)).collect()
}

/// What all projects of a scope have used in a period: of a peak metric the maximum over the days of the sum over the projects.
pub(crate) async fn total(conn: &mut PgConnection, scope: Scope, period: Period) -> Result<Amounts, Failure> {
    let mut total = zero();
    total.extend(usage_totals::counters(conn, scope, period).await?);
    for &metric in Metric::ALL.iter().filter(|metric| metric.peak()) {
        let (carried, changes) = usage_totals::gauge(conn, scope, metric, period).await?;
        let peak = gauge_series(carried, &changes, period).into_iter().map(|(_, amount)| amount).max();
        total.insert(metric, peak.unwrap_or(0));
    }
    Ok(total)
}

/// What came too late to count, by when it came; only what there is.
pub(crate) async fn late(conn: &mut PgConnection, scope: Scope, period: Period) -> Result<Amounts, Failure> {
    Ok(usage_totals::late(conn, scope, period).await?.into_iter().collect())
}
