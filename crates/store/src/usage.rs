//! Usage records: an append-only log, numbered without gaps per source, and beside it what came too late to count.

use chrono::{DateTime, NaiveDate, Utc};
use ids::ProjectId;
use model::{
    instances::InstanceType,
    usage::{Counted, DayAmount, Last, Metric, Sample, roll_up},
};
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
    /// What, and for which day it counts; for a late record the day for which it would have.
    pub counted: Counted,
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

/// Records what of a locked source is stored, in the log or beside it.
pub async fn advance_source(conn: &mut PgConnection, source: &str, sequence: i64) -> sqlx::Result<()> {
    sqlx::query!("update usage_sources set sequence = $2 where source = $1", source, sequence).execute(conn).await?;
    Ok(())
}

/// Columns of records, each as an array.
struct Columns {
    sequences: Vec<i64>,
    days: Vec<NaiveDate>,
    projects: Vec<Uuid>,
    metrics: Vec<String>,
    instance_types: Vec<String>,
    starts: Vec<DateTime<Utc>>,
    ends: Vec<DateTime<Utc>>,
    amounts: Vec<i64>,
}

impl Columns {
    fn of(records: &[Record]) -> Self {
        Self {
            sequences: records.iter().map(|record| record.sequence).collect(),
            days: records.iter().map(|record| record.counted.day).collect(),
            projects: records.iter().map(|record| record.project_id.as_uuid()).collect(),
            metrics: records.iter().map(|record| record.counted.metric.as_str().to_owned()).collect(),
            instance_types: records.iter().map(|record| instance_word(record.counted.instance_type)).collect(),
            starts: records.iter().map(|record| record.from).collect(),
            ends: records.iter().map(|record| record.to).collect(),
            amounts: records.iter().map(|record| record.amount).collect(),
        }
    }
}

/// Appends records of a locked source that count. The caller has dropped what is known already.
pub async fn append(conn: &mut PgConnection, source: &str, records: &[Record], at: DateTime<Utc>) -> sqlx::Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(records);
    sqlx::query!(
        "select usage_records_prepare(m.month)
         from (select distinct date_trunc('month', d.day)::date as month from unnest($1::date[]) as d (day)) m",
        &columns.days
    )
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into usage_records (source, sequence, day, project_id, metric, instance_type, from_at, to_at, amount, received_at)
         select $1, r.sequence, r.day, r.project_id, r.metric, r.instance_type, r.from_at, r.to_at, r.amount, $10
         from unnest($2::bigint[], $3::date[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::bigint[])
              as r (sequence, day, project_id, metric, instance_type, from_at, to_at, amount)",
        source,
        &columns.sequences,
        &columns.days,
        &columns.projects,
        &columns.metrics,
        &columns.instance_types,
        &columns.starts,
        &columns.ends,
        &columns.amounts,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps records of a locked source that came too late to count, and adds them to what reports call late.
pub async fn append_late(
    conn: &mut PgConnection,
    source: &str,
    records: &[Record],
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(records);
    sqlx::query!(
        "with given as (
             insert into usage_late_records (source, sequence, project_id, metric, instance_type, from_at, to_at, amount, received_at)
             select $1, r.sequence, r.project_id, r.metric, r.instance_type, r.from_at, r.to_at, r.amount, $9
             from unnest($2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::bigint[])
                  as r (sequence, project_id, metric, instance_type, from_at, to_at, amount)
             returning project_id, metric, amount
         )
         insert into usage_late_days as t (scope, metric, day, amount)
         select s.scope, g.metric, ($9::timestamptz at time zone 'UTC')::date, sum(g.amount)
         from given g
         left join projects p on p.id = g.project_id
         cross join lateral (values (coalesce(p.organization_id, $10)), (p.partner_id)) as s (scope)
         where s.scope is not null
         group by 1, 2, 3 order by 1, 2, 3
         on conflict (scope, metric, day) do update set amount = t.amount + excluded.amount",
        source,
        &columns.sequences,
        &columns.projects,
        &columns.metrics,
        &columns.instance_types,
        &columns.starts,
        &columns.ends,
        &columns.amounts,
        at,
        Uuid::nil()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a project's records of a day amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Whose usage.
    pub project_id: ProjectId,
    /// What, on which day.
    pub counted: Counted,
    /// How much.
    pub amount: i64,
    /// For a peak metric: the day's newest value.
    pub last: Option<Last>,
}

/// Reduces records to one entry per project and what is counted apart.
#[must_use]
pub fn reduce(records: &[Record]) -> Vec<Day> {
    let mut by_project: std::collections::BTreeMap<ProjectId, Vec<Sample>> = std::collections::BTreeMap::new();
    for record in records {
        let Record { counted, to, amount, .. } = *record;
        by_project.entry(record.project_id).or_default().push(Sample { counted, to, amount });
    }
    let days = by_project.into_iter().flat_map(|(project_id, samples)| {
        roll_up(samples).into_iter().map(move |(counted, DayAmount { amount, last })| Day {
            project_id,
            counted,
            amount,
            last,
        })
    });
    days.collect()
}

/// All counted records of a project, in the order of their windows: what its days are a function of.
pub async fn records(conn: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Vec<Record>> {
    let rows = sqlx::query!(
        "select sequence, day, metric, instance_type, from_at, to_at, amount from usage_records
         where project_id = $1 order by from_at, source, sequence",
        project_id.as_uuid()
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let counted = counted(row.day, &row.metric, &row.instance_type)?;
            let (from, to, amount) = (row.from_at, row.to_at, row.amount);
            Ok(Record { sequence: row.sequence, project_id, counted, from, to, amount })
        })
        .collect()
}

/// The recorded word of an instance type; empty for what has none.
pub(crate) fn instance_word(instance_type: Option<InstanceType>) -> String {
    instance_type.map_or("", InstanceType::as_str).to_owned()
}

pub(crate) fn counted(day: NaiveDate, metric: &str, instance_type: &str) -> sqlx::Result<Counted> {
    let metric: Metric = parse(metric)?;
    let instance_type = (!instance_type.is_empty()).then(|| parse(instance_type)).transpose()?;
    Ok(Counted { day, metric, instance_type })
}
