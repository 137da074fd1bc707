//! Usage records, an append-only log numbered without gaps per source, and its daily roll-ups, kept in the same transaction.

use chrono::{DateTime, NaiveDate, Utc};
use ids::{OrganizationId, ProjectId};
use model::usage::{DayAmount, Last, Metric, Period, Sample, day_of};
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

/// What a project's records of a day and a metric amount to.
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
    /// For a peak metric: the day's newest value.
    pub last: Option<Last>,
}

/// Adds what records amount to, one entry per project, day and metric, to the roll-ups of projects, organizations and partners.
pub async fn add_days(conn: &mut PgConnection, days: &[Day], at: DateTime<Utc>) -> sqlx::Result<()> {
    let (gauges, counters): (Vec<Day>, Vec<Day>) = days.iter().partition(|day| day.metric.peak());
    if !counters.is_empty() {
        add_counters(conn, &counters, at).await?;
    }
    if gauges.is_empty() {
        return Ok(());
    }
    lock_gauges(conn, &gauges).await?;
    let mut dates: Vec<NaiveDate> = gauges.iter().map(|day| day.day).collect();
    dates.sort_unstable();
    dates.dedup();
    for date in dates {
        let of_date: Vec<Day> = gauges.iter().filter(|day| day.day == date).copied().collect();
        add_gauges(conn, date, &of_date, at).await?;
    }
    Ok(())
}

async fn add_counters(conn: &mut PgConnection, days: &[Day], at: DateTime<Utc>) -> sqlx::Result<()> {
    let projects: Vec<Uuid> = days.iter().map(|day| day.project_id.as_uuid()).collect();
    let dates: Vec<NaiveDate> = days.iter().map(|day| day.day).collect();
    let metrics: Vec<String> = days.iter().map(|day| day.metric.as_str().to_owned()).collect();
    let amounts: Vec<i64> = days.iter().map(|day| day.amount).collect();
    sqlx::query!(
        "with given as (
             select * from unnest($1::uuid[], $2::date[], $3::text[], $4::bigint[]) as r (project_id, day, metric, amount)
         ), days as (
             insert into usage_days as d (project_id, day, metric, amount, updated_at)
             select project_id, day, metric, amount, $5 from given order by project_id, metric, day
             on conflict (project_id, metric, day) do update set amount = d.amount + excluded.amount, updated_at = excluded.updated_at
         )
         insert into usage_totals as t (scope, metric, day, shard, amount)
         select s.scope, g.metric, g.day, abs(hashtext(g.project_id::text) % 16), sum(g.amount)
         from given g
         left join projects p on p.id = g.project_id
         cross join lateral (values (coalesce(p.organization_id, $6)), (p.partner_id)) as s (scope)
         where s.scope is not null
         group by 1, 2, 3, 4 order by 1, 2, 3, 4
         on conflict (scope, metric, day, shard) do update set amount = t.amount + excluded.amount",
        &projects,
        &dates,
        &metrics,
        &amounts,
        at,
        Uuid::nil()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is added to a gauge depends on its neighbouring days, so one writer at a time looks at a project's.
async fn lock_gauges(conn: &mut PgConnection, days: &[Day]) -> sqlx::Result<()> {
    let projects: Vec<Uuid> = days.iter().map(|day| day.project_id.as_uuid()).collect();
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('usage_days', 0) # hashtextextended(g.project_id::text, 0))
         from (select distinct project_id from unnest($1::uuid[]) as p (project_id) order by project_id) g",
        &projects
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

async fn add_gauges(conn: &mut PgConnection, date: NaiveDate, days: &[Day], at: DateTime<Utc>) -> sqlx::Result<()> {
    let projects: Vec<Uuid> = days.iter().map(|day| day.project_id.as_uuid()).collect();
    let metrics: Vec<String> = days.iter().map(|day| day.metric.as_str().to_owned()).collect();
    let amounts: Vec<i64> = days.iter().map(|day| day.amount).collect();
    let lasts: Vec<i64> = days.iter().map(|day| day.last.map_or(day.amount, |last| last.amount)).collect();
    let moments: Vec<DateTime<Utc>> = days.iter().map(|day| day.last.map_or(at, |last| last.at)).collect();
    sqlx::query!(
        "with given as (
             select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[])
                  as r (project_id, metric, amount, last_amount, last_at)
         ), known as (
             select g.*, o.project_id is not null as had, o.amount as old_amount, o.last_amount as old_last, o.last_at as old_last_at,
                    coalesce(b.last_amount, 0) as carried, n.day as next_day, n.amount as next_amount
             from given g
             left join usage_days o on o.project_id = g.project_id and o.metric = g.metric and o.day = $6
             left join lateral (
                 select d.last_amount from usage_days d
                 where d.project_id = g.project_id and d.metric = g.metric and d.day < $6 order by d.day desc limit 1) b on true
             left join lateral (
                 select d.day, d.amount from usage_days d
                 where d.project_id = g.project_id and d.metric = g.metric and d.day > $6 order by d.day limit 1) n on true
         ), merged as (
             select k.*, greatest(k.amount, k.old_amount) as new_amount, greatest(k.last_at, k.old_last_at) as new_last_at,
                    case when k.had and (k.old_last_at, k.old_last) > (k.last_at, k.last_amount) then k.old_last else k.last_amount end
                        as new_last,
                    case when k.had then k.old_last else k.carried end as before_last
             from known k
         ), days as (
             insert into usage_days (project_id, day, metric, amount, last_amount, last_at, updated_at)
             select project_id, $6, metric, new_amount, new_last, new_last_at, $7 from merged order by project_id, metric
             on conflict (project_id, metric, day) do update
             set amount = excluded.amount, last_amount = excluded.last_amount, last_at = excluded.last_at, updated_at = excluded.updated_at
         ), changes as (
             select project_id, metric, $6::date as day,
                    greatest(new_amount, carried) - carried
                        - case when had then greatest(old_amount, carried) - carried else 0 end as excess,
                    new_last - before_last as step
             from merged
             union all
             select project_id, metric, next_day,
                    (greatest(next_amount, new_last) - new_last) - (greatest(next_amount, before_last) - before_last),
                    before_last - new_last
             from merged where next_day is not null and new_last <> before_last
         )
         insert into usage_totals as t (scope, metric, day, shard, amount, step)
         select s.scope, c.metric, c.day, abs(hashtext(c.project_id::text) % 16), sum(c.excess), sum(c.step)
         from changes c
         left join projects p on p.id = c.project_id
         cross join lateral (values (coalesce(p.organization_id, $8)), (p.partner_id)) as s (scope)
         where s.scope is not null and (c.excess <> 0 or c.step <> 0)
         group by 1, 2, 3, 4 order by 1, 2, 3, 4
         on conflict (scope, metric, day, shard) do update set amount = t.amount + excluded.amount, step = t.step + excluded.step",
        &projects,
        &metrics,
        &amounts,
        &lasts,
        &moments,
        date,
        at,
        Uuid::nil()
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
        "select d.project_id, d.day, d.metric, d.amount, d.last_amount, d.last_at
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
            let last = row.last_at.zip(row.last_amount).map(|(at, amount)| Last { at, amount });
            let metric = parse(&row.metric)?;
            Ok(Day { project_id: row.project_id.into(), day: row.day, metric, amount: row.amount, last })
        })
        .collect()
}

/// The newest size of each kind of an organization's live projects.
pub async fn current_sizes(conn: &mut PgConnection, organization_id: OrganizationId) -> sqlx::Result<Vec<Total>> {
    let peaks: Vec<String> =
        Metric::ALL.iter().filter(|metric| metric.peak()).map(|metric| metric.as_str().to_owned()).collect();
    let rows = sqlx::query!(
        "select p.id as project_id, m.metric as \"metric!\", r.last_amount as \"amount!\"
         from projects p
         cross join unnest($2::text[]) as m (metric)
         cross join lateral (
             select d.last_amount from usage_days d
             where d.project_id = p.id and d.metric = m.metric
             order by d.day desc limit 1) r
         where p.organization_id = $1 and p.deleted_at is null and p.intent <> 'deleted' and r.last_amount is not null",
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

/// Reduces records to one entry per project, day and metric.
#[must_use]
pub fn reduce(records: &[Record]) -> Vec<Day> {
    let mut days: std::collections::BTreeMap<_, DayAmount> = std::collections::BTreeMap::new();
    for record in records {
        let Record { metric, from, to, amount, .. } = *record;
        let one = DayAmount::of(&Sample { metric, from, to, amount });
        days.entry((record.project_id, day_of(from), metric))
            .and_modify(|day| *day = day.and(metric, one))
            .or_insert(one);
    }
    days.into_iter()
        .map(|((project_id, day, metric), DayAmount { amount, last })| Day { project_id, day, metric, amount, last })
        .collect()
}
