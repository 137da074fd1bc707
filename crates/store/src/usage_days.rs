//! Days of projects: what their records of a day amount to. Kept with every append, and with them the totals of organizations and partners.

use chrono::{DateTime, NaiveDate, Utc};
use ids::{OrganizationId, ProjectId};
use model::{
    instances::InstanceType,
    usage::{Counted, Last, Metric, Period},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    parse,
    usage::{Day, counted, instance_word},
    usage_totals::Scope,
};

/// Adds what records amount to, one entry per project and what is counted apart, to the days of projects and to the totals.
pub async fn add(conn: &mut PgConnection, days: &[Day]) -> sqlx::Result<()> {
    let (gauges, counters): (Vec<Day>, Vec<Day>) = days.iter().partition(|day| day.counted.metric.peak());
    if !counters.is_empty() {
        add_counters(conn, &counters).await?;
    }
    if gauges.is_empty() {
        return Ok(());
    }
    lock_gauges(conn, &gauges).await?;
    let mut dates: Vec<NaiveDate> = gauges.iter().map(|day| day.counted.day).collect();
    dates.sort_unstable();
    dates.dedup();
    for date in dates {
        let of_date: Vec<Day> = gauges.iter().filter(|day| day.counted.day == date).copied().collect();
        add_gauges(conn, date, &of_date).await?;
    }
    Ok(())
}

async fn add_counters(conn: &mut PgConnection, days: &[Day]) -> sqlx::Result<()> {
    let projects: Vec<Uuid> = days.iter().map(|day| day.project_id.as_uuid()).collect();
    let dates: Vec<NaiveDate> = days.iter().map(|day| day.counted.day).collect();
    let metrics: Vec<String> = days.iter().map(|day| day.counted.metric.as_str().to_owned()).collect();
    let instance_types: Vec<String> = days.iter().map(|day| instance_word(day.counted.instance_type)).collect();
    let amounts: Vec<i64> = days.iter().map(|day| day.amount).collect();
    sqlx::query!(
        "with given as (
             select * from unnest($1::uuid[], $2::date[], $3::text[], $4::text[], $5::bigint[])
                  as r (project_id, day, metric, instance_type, amount)
         ), days as (
             insert into usage_days as d (project_id, day, metric, instance_type, amount)
             select project_id, day, metric, instance_type, amount from given order by project_id, metric, day, instance_type
             on conflict (project_id, metric, day, instance_type) do update set amount = d.amount + excluded.amount
         )
         insert into usage_totals as t (scope, metric, day, instance_type, shard, amount)
         select s.scope, g.metric, g.day, g.instance_type, abs(hashtext(g.project_id::text) % 16), sum(g.amount)
         from given g
         left join projects p on p.id = g.project_id
         cross join lateral (values (coalesce(p.organization_id, $6)), (p.partner_id)) as s (scope)
         where s.scope is not null
         group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
         on conflict (scope, metric, day, instance_type, shard) do update set amount = t.amount + excluded.amount",
        &projects,
        &dates,
        &metrics,
        &instance_types,
        &amounts,
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

async fn add_gauges(conn: &mut PgConnection, date: NaiveDate, days: &[Day]) -> sqlx::Result<()> {
    let projects: Vec<Uuid> = days.iter().map(|day| day.project_id.as_uuid()).collect();
    let metrics: Vec<String> = days.iter().map(|day| day.counted.metric.as_str().to_owned()).collect();
    let amounts: Vec<i64> = days.iter().map(|day| day.amount).collect();
    let lasts: Vec<Last> = days.iter().filter_map(|day| day.last).collect();
    let last_amounts: Vec<i64> = lasts.iter().map(|last| last.amount).collect();
    let moments: Vec<DateTime<Utc>> = lasts.iter().map(|last| last.at).collect();
    sqlx::query!(
        "with given as (
             select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[])
                  as r (project_id, metric, amount, last_amount, last_at)
         ), known as (
             select g.*, o.project_id is not null as had, o.amount as old_amount, o.last_amount as old_last, o.last_at as old_last_at,
                    coalesce(b.last_amount, 0) as carried, n.day as next_day, n.amount as next_amount
             from given g
             left join usage_days o on o.project_id = g.project_id and o.metric = g.metric and o.day = $6 and o.instance_type = ''
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
             insert into usage_days (project_id, day, metric, amount, last_amount, last_at)
             select project_id, $6, metric, new_amount, new_last, new_last_at from merged order by project_id, metric
             on conflict (project_id, metric, day, instance_type) do update
             set amount = excluded.amount, last_amount = excluded.last_amount, last_at = excluded.last_at
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
         cross join lateral (values (coalesce(p.organization_id, $7)), (p.partner_id)) as s (scope)
         where s.scope is not null and (c.excess <> 0 or c.step <> 0)
         group by 1, 2, 3, 4 order by 1, 2, 3, 4
         on conflict (scope, metric, day, instance_type, shard) do update set amount = t.amount + excluded.amount, step = t.step + excluded.step",
        &projects,
        &metrics,
        &amounts,
        &last_amounts,
        &moments,
        date,
        Uuid::nil()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The recorded days of projects in a period, by project and day.
pub async fn of_projects(conn: &mut PgConnection, project_ids: &[ProjectId], period: Period) -> sqlx::Result<Vec<Day>> {
    let ids: Vec<Uuid> = project_ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        "select d.project_id, d.day, d.metric, d.instance_type, d.amount, d.last_amount, d.last_at
         from unnest($1::uuid[]) with ordinality as p (id, position)
         cross join unnest($4::text[]) as m (metric)
         join usage_days d on d.project_id = p.id and d.metric = m.metric and d.day between $2 and $3
         order by p.position, d.day, d.metric, d.instance_type",
        &ids,
        period.start,
        period.end,
        &words(|_| true)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let counted = counted(row.day, &row.metric, &row.instance_type)?;
            let last = row.last_at.zip(row.last_amount).map(|(at, amount)| Last { at, amount });
            Ok(Day { project_id: row.project_id.into(), counted, amount: row.amount, last })
        })
        .collect()
}

/// A counter of a project, compute by instance type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Whose usage.
    pub project_id: ProjectId,
    /// What.
    pub metric: Metric,
    /// Of compute: which instance ran.
    pub instance_type: Option<InstanceType>,
    /// How much.
    pub amount: i64,
}

/// The sums over a period of the projects' counters.
pub async fn sums(conn: &mut PgConnection, project_ids: &[ProjectId], period: Period) -> sqlx::Result<Vec<Sum>> {
    let ids: Vec<Uuid> = project_ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"select d.project_id, d.metric, d.instance_type, sum(d.amount)::bigint as "amount!"
           from unnest($1::uuid[]) as p (id)
           cross join unnest($4::text[]) as m (metric)
           join usage_days d on d.project_id = p.id and d.metric = m.metric and d.day between $2 and $3
           group by d.project_id, d.metric, d.instance_type"#,
        &ids,
        period.start,
        period.end,
        &words(|metric| !metric.peak())
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let Counted { metric, instance_type, .. } = counted(period.start, &row.metric, &row.instance_type)?;
            Ok(Sum { project_id: row.project_id.into(), metric, instance_type, amount: row.amount })
        })
        .collect()
}

/// An amount of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// Whose usage.
    pub project_id: ProjectId,
    /// What.
    pub metric: Metric,
    /// How much.
    pub amount: i64,
}

struct AmountRow {
    project_id: Uuid,
    metric: String,
    amount: i64,
}

impl TryFrom<AmountRow> for Amount {
    type Error = sqlx::Error;

    fn try_from(row: AmountRow) -> sqlx::Result<Self> {
        Ok(Self { project_id: row.project_id.into(), metric: parse(&row.metric)?, amount: row.amount })
    }
}

/// What each of the projects' gauges carries into a day, where that is something.
pub async fn carried(
    conn: &mut PgConnection,
    project_ids: &[ProjectId],
    before: NaiveDate,
) -> sqlx::Result<Vec<Amount>> {
    let ids: Vec<Uuid> = project_ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query_as!(
        AmountRow,
        r#"select p.id as "project_id!", m.metric as "metric!", b.last_amount as "amount!"
           from unnest($1::uuid[]) as p (id)
           cross join unnest($2::text[]) as m (metric)
           cross join lateral (
               select d.last_amount from usage_days d
               where d.project_id = p.id and d.metric = m.metric and d.day < $3
               order by d.day desc limit 1) b
           where b.last_amount <> 0"#,
        &ids,
        &words(Metric::peak),
        before
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Amount::try_from).collect()
}

/// The sum over a period of every counter of every project of an organization that has any, branches and deleted ones included.
pub async fn counters(
    conn: &mut PgConnection,
    organization_id: OrganizationId,
    period: Period,
) -> sqlx::Result<Vec<Amount>> {
    let rows = sqlx::query_as!(
        AmountRow,
        r#"select p.id as project_id, d.metric as "metric!", sum(d.amount)::bigint as "amount!"
           from projects p
           cross join unnest($4::text[]) as m (metric)
           join usage_days d on d.project_id = p.id and d.metric = m.metric and d.day between $2 and $3
           where p.organization_id = $1
           group by p.id, d.metric"#,
        organization_id.as_uuid(),
        period.start,
        period.end,
        &words(|metric| !metric.peak())
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Amount::try_from).collect()
}

/// The newest size of each kind of an organization's projects, where that is something. Those that are gone hold nothing.
pub async fn current_sizes(conn: &mut PgConnection, organization_id: OrganizationId) -> sqlx::Result<Vec<Amount>> {
    let rows = sqlx::query_as!(
        AmountRow,
        r#"select p.id as project_id, m.metric as "metric!", r.last_amount as "amount!"
           from projects p
           cross join unnest($2::text[]) as m (metric)
           cross join lateral (
               select d.last_amount from usage_days d
               where d.project_id = p.id and d.metric = m.metric
               order by d.day desc limit 1) r
           where p.organization_id = $1 and p.deleted_at is null and r.last_amount <> 0"#,
        organization_id.as_uuid(),
        &words(Metric::peak)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Amount::try_from).collect()
}

/// A page of the projects of a scope, deleted ones and branches included, in the order of their creation.
pub async fn projects_of(
    conn: &mut PgConnection,
    scope: Scope,
    after: Option<(DateTime<Utc>, ProjectId)>,
    limit: i64,
) -> sqlx::Result<Vec<NamedProject>> {
    let (after_at, after_id) = after.map_or((DateTime::UNIX_EPOCH, Uuid::nil()), |(at, id)| (at, id.as_uuid()));
    match scope {
        Scope::Unattributed => Ok(Vec::new()),
        Scope::Organization(id) => {
            sqlx::query_as!(
                NamedProject,
                "select id, name, parent_id, created_at from projects
                 where organization_id = $1 and (created_at, id) > ($2, $3) order by created_at, id limit $4",
                id.as_uuid(),
                after_at,
                after_id,
                limit
            )
            .fetch_all(conn)
            .await
        }
        Scope::Partner(id) => {
            sqlx::query_as!(
                NamedProject,
                "select id, name, parent_id, created_at from projects
                 where partner_id = $1 and (created_at, id) > ($2, $3) order by created_at, id limit $4",
                id.as_uuid(),
                after_at,
                after_id,
                limit
            )
            .fetch_all(conn)
            .await
        }
    }
}

/// A project as reports name it.
#[derive(Clone, Debug)]
pub struct NamedProject {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Set for a branch.
    pub parent_id: Option<Uuid>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

pub(crate) fn words(which: impl Fn(Metric) -> bool) -> Vec<String> {
    Metric::ALL.iter().filter(|metric| which(**metric)).map(|metric| metric.as_str().to_owned()).collect()
}
