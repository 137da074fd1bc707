//! Usage records, an append-only log numbered without gaps per source, and its daily roll-ups, kept in the same transaction.

use chrono::{DateTime, NaiveDate, Utc};
use ids::{OrganizationId, ProjectId};
use model::usage::{Metric, Period, day_of};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::parse;

/// One record as it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// 1, 2, 3 … per source.
    pub sequence: i64,
    /// Whose usage.
    pub project_id: ProjectId,
    /// What.
    pub metric: Metric,
    /// Start of the window.
    pub from: DateTime<Utc>,
    /// End of the window.
    pub to: DateTime<Utc>,
    /// How much.
    pub amount: i64,
}

/// Locks a source and returns its newest sequence; a new source begins at 0.
pub async fn lock_source(conn: &mut PgConnection, source: &str) -> sqlx::Result<i64> {
    sqlx::query!("insert into usage_sources (source) values ($1) on conflict (source) do nothing", source)
        .execute(&mut *conn)
        .await?;
    sqlx::query_scalar!("select sequence from usage_sources where source = $1 for update", source).fetch_one(conn).await
}

/// Appends records of a locked source. They continue its sequence; the caller has dropped what is known already.
pub async fn append(conn: &mut PgConnection, source: &str, records: &[Record], at: DateTime<Utc>) -> sqlx::Result<()> {
    let Some(last) = records.last() else { return Ok(()) };
    let sequences: Vec<i64> = records.iter().map(|record| record.sequence).collect();
    let projects: Vec<Uuid> = records.iter().map(|record| record.project_id.as_uuid()).collect();
    let metrics: Vec<String> = records.iter().map(|record| record.metric.as_str().to_owned()).collect();
    let starts: Vec<DateTime<Utc>> = records.iter().map(|record| record.from).collect();
    let ends: Vec<DateTime<Utc>> = records.iter().map(|record| record.to).collect();
    let amounts: Vec<i64> = records.iter().map(|record| record.amount).collect();
    sqlx::query!(
        "insert into usage_records (source, sequence, project_id, metric, from_at, to_at, amount, received_at)
         select $1, r.sequence, r.project_id, r.metric, r.from_at, r.to_at, r.amount, $8
         from unnest($2::bigint[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::bigint[])
              as r (sequence, project_id, metric, from_at, to_at, amount)",
        source,
        &sequences,
        &projects,
        &metrics,
        &starts,
        &ends,
        &amounts,
        at
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("update usage_sources set sequence = $2 where source = $1", source, last.sequence)
        .execute(conn)
        .await?;
    Ok(())
}

/// An amount of a project, a day and a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Whose usage.
    pub project_id: ProjectId,
    /// Which UTC day.
    pub day: NaiveDate,
    /// What.
    pub metric: Metric,
    /// How much.
    pub amount: i64,
}

/// Adds what records amount to, one entry per project, day and metric, to the roll-ups.
pub async fn add_days(conn: &mut PgConnection, days: &[Day], at: DateTime<Utc>) -> sqlx::Result<()> {
    let projects: Vec<Uuid> = days.iter().map(|day| day.project_id.as_uuid()).collect();
    let dates: Vec<NaiveDate> = days.iter().map(|day| day.day).collect();
    let metrics: Vec<String> = days.iter().map(|day| day.metric.as_str().to_owned()).collect();
    let peaks: Vec<String> =
        Metric::ALL.iter().filter(|metric| metric.peak()).map(|metric| metric.as_str().to_owned()).collect();
    let amounts: Vec<i64> = days.iter().map(|day| day.amount).collect();
    sqlx::query!(
        "insert into usage_days as d (project_id, day, metric, amount, updated_at)
         select r.project_id, r.day, r.metric, r.amount, $5
         from unnest($1::uuid[], $2::date[], $3::text[], $4::bigint[]) as r (project_id, day, metric, amount)
         order by r.project_id, r.day, r.metric
         on conflict (project_id, day, metric) do update
         set amount = case when excluded.metric = any($6) then greatest(d.amount, excluded.amount) else d.amount + excluded.amount end,
             updated_at = excluded.updated_at",
        &projects,
        &dates,
        &metrics,
        &amounts,
        at,
        &peaks
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Amounts of a project, roll-ups of the days of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// Whose usage.
    pub project_id: ProjectId,
    /// What.
    pub metric: Metric,
    /// Maximum over the days for a peak metric, sum for the others.
    pub amount: i64,
}

/// Roll-ups of an organization's projects, branches and deleted ones included, over the days of a period.
pub async fn days(conn: &mut PgConnection, organization_id: OrganizationId, period: Period) -> sqlx::Result<Vec<Day>> {
    let rows = sqlx::query!(
        "select d.project_id, d.day, d.metric, d.amount
         from usage_days d join projects p on p.id = d.project_id
         where p.organization_id = $1 and d.day between $2 and $3
         order by d.project_id, d.day, d.metric",
        organization_id.as_uuid(),
        period.start,
        period.end
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Day { project_id: row.project_id.into(), day: row.day, metric: parse(&row.metric)?, amount: row.amount })
        })
        .collect()
}

/// The newest size of each kind of an organization's live projects.
pub async fn current_sizes(conn: &mut PgConnection, organization_id: OrganizationId) -> sqlx::Result<Vec<Total>> {
    let peaks: Vec<String> =
        Metric::ALL.iter().filter(|metric| metric.peak()).map(|metric| metric.as_str().to_owned()).collect();
    let rows = sqlx::query!(
        "select p.id as project_id, m.metric as \"metric!\", r.amount
         from projects p
         cross join unnest($2::text[]) as m (metric)
         cross join lateral (
             select u.amount from usage_records u
             where u.project_id = p.id and u.metric = m.metric
             order by u.from_at desc limit 1) r
         where p.organization_id = $1 and p.deleted_at is null and p.intent <> 'deleted'",
        organization_id.as_uuid(),
        &peaks
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| Ok(Total { project_id: row.project_id.into(), metric: parse(&row.metric)?, amount: row.amount }))
        .collect()
}

/// All records of a project, in the order of their windows: what its roll-ups are a function of.
pub async fn records(conn: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Vec<Record>> {
    let rows = sqlx::query!(
        "select sequence, metric, from_at, to_at, amount from usage_records where project_id = $1 order by from_at, source, sequence",
        project_id.as_uuid()
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let metric = parse(&row.metric)?;
            Ok(Record {
                sequence: row.sequence,
                project_id,
                metric,
                from: row.from_at,
                to: row.to_at,
                amount: row.amount,
            })
        })
        .collect()
}

/// Reduces records to one amount per project, day and metric.
#[must_use]
pub fn reduce(records: &[Record]) -> Vec<Day> {
    let mut days = std::collections::BTreeMap::new();
    for record in records {
        days.entry((record.project_id, day_of(record.from), record.metric))
            .and_modify(|amount| *amount = record.metric.combine(*amount, record.amount))
            .or_insert(record.amount);
    }
    days.into_iter().map(|((project_id, day, metric), amount)| Day { project_id, day, metric, amount }).collect()
}
