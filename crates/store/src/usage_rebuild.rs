//! Makes days and totals of a period again, from the log alone. What comes out is what was kept with every append, byte by byte.

use chrono::NaiveDate;
use model::usage::{Metric, Period};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::usage_days::words;

/// What a rebuild found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Days of projects in the period.
    pub days: u64,
    /// Those that were not what the log says.
    pub removed: u64,
    /// Those that the log says and that were not there, or were another's.
    pub added: u64,
}

/// Whether the log of the month that a day lies in is there. One that was put away cannot be rebuilt from.
pub async fn has_log(conn: &mut PgConnection, day: NaiveDate) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select to_regclass('usage_records_' || to_char($1::date, 'YYYY_MM')) is not null as "there!""#,
        day
    )
    .fetch_one(conn)
    .await
}

/// Rebuilds the days of a period, and the totals that depend on them. Appends wait meanwhile; reports do not. The caller owns the transaction.
pub async fn rebuild(conn: &mut PgConnection, period: Period) -> sqlx::Result<Rebuilt> {
    // In the order in which appends take them.
    sqlx::query!("lock table usage_records, usage_days, usage_totals in share row exclusive mode")
        .execute(&mut *conn)
        .await?;
    let removed = remove_wrong_days(conn, period).await?;
    let (days, added) = add_missing_days(conn, period).await?;
    rebuild_counters(conn, period).await?;
    rebuild_gauges(conn, period).await?;
    Ok(Rebuilt { days, removed, added })
}

async fn remove_wrong_days(conn: &mut PgConnection, period: Period) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "with rebuilt as materialized (
             select project_id, metric, day, instance_type,
                    case when metric = any($3) then max(amount) else sum(amount)::bigint end as amount,
                    case when metric = any($3) then (array_agg(amount order by to_at desc, amount desc))[1] end as last_amount,
                    case when metric = any($3) then max(to_at) end as last_at
             from usage_records where day between $1 and $2
             group by project_id, metric, day, instance_type
         )
         delete from usage_days d
         where d.day between $1 and $2 and not exists (
             select from rebuilt r
             where r.project_id = d.project_id and r.metric = d.metric and r.day = d.day and r.instance_type = d.instance_type
               and r.amount = d.amount and (r.last_amount, r.last_at) is not distinct from (d.last_amount, d.last_at))",
        period.start,
        period.end,
        &words(Metric::peak)
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

async fn add_missing_days(conn: &mut PgConnection, period: Period) -> sqlx::Result<(u64, u64)> {
    let row = sqlx::query!(
        r#"with rebuilt as materialized (
               select project_id, metric, day, instance_type,
                      case when metric = any($3) then max(amount) else sum(amount)::bigint end as amount,
                      case when metric = any($3) then (array_agg(amount order by to_at desc, amount desc))[1] end as last_amount,
                      case when metric = any($3) then max(to_at) end as last_at
               from usage_records where day between $1 and $2
               group by project_id, metric, day, instance_type
           ), added as (
               insert into usage_days (project_id, metric, day, instance_type, amount, last_amount, last_at)
               select project_id, metric, day, instance_type, amount, last_amount, last_at from rebuilt
               on conflict (project_id, metric, day, instance_type) do nothing
               returning 1
           )
           select (select count(*) from rebuilt) as "days!", (select count(*) from added) as "added!""#,
        period.start,
        period.end,
        &words(Metric::peak)
    )
    .fetch_one(conn)
    .await?;
    Ok((row.days.unsigned_abs(), row.added.unsigned_abs()))
}

async fn rebuild_counters(conn: &mut PgConnection, period: Period) -> sqlx::Result<()> {
    let counters = words(|metric| !metric.peak());
    sqlx::query!(
        "delete from usage_totals where metric = any($3) and day between $1 and $2",
        period.start,
        period.end,
        &counters
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into usage_totals (scope, metric, day, instance_type, shard, amount)
         select s.scope, d.metric, d.day, d.instance_type, abs(hashtext(d.project_id::text) % 16), sum(d.amount)
         from usage_days d
         left join projects p on p.id = d.project_id
         cross join lateral (values (coalesce(p.organization_id, $4)), (p.partner_id)) as s (scope)
         where s.scope is not null and d.metric = any($3) and d.day between $1 and $2
         group by 1, 2, 3, 4, 5",
        period.start,
        period.end,
        &counters,
        Uuid::nil()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A gauge's total of a day depends on what is carried into it, so that all days from the period on are made again.
async fn rebuild_gauges(conn: &mut PgConnection, period: Period) -> sqlx::Result<()> {
    let gauges = words(Metric::peak);
    sqlx::query!("delete from usage_totals where metric = any($2) and day >= $1", period.start, &gauges)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "with days as (
             select d.project_id, d.metric, d.day, d.amount, d.last_amount,
                    lag(d.last_amount) over (partition by d.project_id, d.metric order by d.day) as before
             from usage_days d where d.metric = any($2) and d.day >= $1
         ), changes as (
             select d.project_id, d.metric, d.day, c.carried,
                    greatest(d.amount, c.carried) - c.carried as excess, d.last_amount - c.carried as step
             from days d
             cross join lateral (
                 select coalesce(d.before, (
                     select e.last_amount from usage_days e
                     where e.project_id = d.project_id and e.metric = d.metric and e.day < $1 order by e.day desc limit 1), 0) as carried) c
         )
         insert into usage_totals (scope, metric, day, shard, amount, step)
         select s.scope, c.metric, c.day, abs(hashtext(c.project_id::text) % 16), sum(c.excess), sum(c.step)
         from changes c
         left join projects p on p.id = c.project_id
         cross join lateral (values (coalesce(p.organization_id, $3)), (p.partner_id)) as s (scope)
         where s.scope is not null and (c.excess <> 0 or c.step <> 0)
         group by 1, 2, 3, 4",
        period.start,
        &gauges,
        Uuid::nil()
    )
    .execute(conn)
    .await?;
    Ok(())
}
