//! Totals over the projects of an organization or a partner, and the days of one project. Read from roll-ups alone.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use ids::{OrganizationId, PartnerId, ProjectId};
use model::usage::{GaugeDay, Metric, Period};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    parse,
    usage::{self, Record},
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
    let metrics = words(|metric| !metric.peak());
    let rows = sqlx::query!(
        r#"select metric, sum(amount)::bigint as "amount!" from usage_totals
           where scope = $1 and metric = any($2) and day between $3 and $4 group by metric order by metric"#,
        scope.id(),
        &metrics,
        period.start,
        period.end
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| Ok((parse(&row.metric)?, row.amount))).collect()
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

/// One day of one metric of a project, as recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectDay {
    /// Which UTC day.
    pub day: NaiveDate,
    /// What.
    pub metric: Metric,
    /// Sum, or maximum of the day's samples.
    pub amount: i64,
    /// For a gauge: what is carried into the days after.
    pub last: Option<i64>,
}

/// The recorded days of a project in a period, in their order.
pub async fn project_days(
    conn: &mut PgConnection,
    project_id: ProjectId,
    period: Period,
) -> sqlx::Result<Vec<ProjectDay>> {
    let rows = sqlx::query!(
        "select day, metric, amount, last_amount from usage_days where project_id = $1 and day between $2 and $3 order by day, metric",
        project_id.as_uuid(),
        period.start,
        period.end
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ProjectDay { day: row.day, metric: parse(&row.metric)?, amount: row.amount, last: row.last_amount })
        })
        .collect()
}

/// What a project's gauge carried into a day; 0 before its first sample.
pub async fn project_carried(
    conn: &mut PgConnection,
    project_id: ProjectId,
    metric: Metric,
    before: NaiveDate,
) -> sqlx::Result<i64> {
    let last = sqlx::query_scalar!(
        "select last_amount from usage_days where project_id = $1 and metric = $2 and day < $3 order by day desc limit 1",
        project_id.as_uuid(),
        metric.as_str(),
        before
    )
    .fetch_optional(conn)
    .await?;
    Ok(last.flatten().unwrap_or(0))
}

/// The source of what the control plane itself records.
const SOURCE: &str = "control-plane";

/// A project that is gone holds nothing from now on. A second call changes nothing.
pub async fn end_gauges(conn: &mut PgConnection, project_id: ProjectId, at: DateTime<Utc>) -> sqlx::Result<()> {
    let tomorrow = at.date_naive() + Duration::days(1);
    let mut records = Vec::new();
    for &metric in Metric::ALL.iter().filter(|metric| metric.peak()) {
        if project_carried(conn, project_id, metric, tomorrow).await? != 0 {
            records.push(Record { sequence: 0, project_id, metric, from: at, to: at, amount: 0 });
        }
    }
    if records.is_empty() {
        return Ok(());
    }
    let newest = usage::lock_source(conn, SOURCE).await?;
    for (sequence, record) in (newest + 1..).zip(&mut records) {
        record.sequence = sequence;
    }
    usage::append(conn, SOURCE, &records, at).await?;
    usage::add_days(conn, &usage::reduce(&records), at).await
}

fn words(which: impl Fn(Metric) -> bool) -> Vec<String> {
    Metric::ALL.iter().filter(|metric| which(**metric)).map(|metric| metric.as_str().to_owned()).collect()
}
