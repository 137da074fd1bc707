//! Quotas: caps beside a plan, what has to be looked at, how near usage is to what is allowed, and what is done about it.

use chrono::{DateTime, NaiveDate, Utc};
use ids::{OrganizationId, ProjectId};
use model::{
    limits::Plan,
    quotas::{QuotaAction, QuotaSubject, Restriction},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::parse;

/// What an organization may use in place of its plan's numbers.
pub async fn caps(conn: &mut PgConnection, organization_id: OrganizationId) -> sqlx::Result<Vec<(QuotaSubject, i64)>> {
    let rows = sqlx::query!(
        "select subject, allowed from quota_caps where organization_id = $1 order by subject",
        organization_id.as_uuid()
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| Ok((parse(&row.subject)?, row.allowed))).collect()
}

/// Sets a cap, or takes it away.
pub async fn set_cap(
    conn: &mut PgConnection,
    organization_id: OrganizationId,
    subject: QuotaSubject,
    allowed: Option<i64>,
) -> sqlx::Result<()> {
    match allowed {
        Some(allowed) => {
            sqlx::query!(
                "insert into quota_caps (organization_id, subject, allowed) values ($1, $2, $3)
                 on conflict (organization_id, subject) do update set allowed = excluded.allowed",
                organization_id.as_uuid(),
                subject.as_str(),
                allowed
            )
            .execute(conn)
            .await?
        }
        None => {
            sqlx::query!(
                "delete from quota_caps where organization_id = $1 and subject = $2",
                organization_id.as_uuid(),
                subject.as_str()
            )
            .execute(conn)
            .await?
        }
    };
    Ok(())
}

/// What is looked at: a project, or an organization as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Whose limits.
    pub organization_id: OrganizationId,
    /// The project; absent for the organization as a whole.
    pub project_id: Option<ProjectId>,
}

impl Check {
    fn scope(&self) -> Uuid {
        self.project_id.map_or(self.organization_id.as_uuid(), |id| id.as_uuid())
    }
}

/// Notes that these projects have new usage, in the transaction that records it. Those whose organization has limits, and their organizations, are looked at.
pub async fn note_usage(conn: &mut PgConnection, projects: &[ProjectId], at: DateTime<Utc>) -> sqlx::Result<()> {
    let projects: Vec<Uuid> = projects.iter().map(|id| id.as_uuid()).collect();
    sqlx::query!(
        "insert into quota_checks as c (scope, organization_id, project_id, noted_at)
         select s.scope, s.organization_id, s.project_id, $3
         from (
             select p.id as scope, p.organization_id, p.id as project_id from projects p where p.id = any($1)
             union
             select p.organization_id, p.organization_id, null from projects p where p.id = any($1)
         ) s
         join organizations o on o.id = s.organization_id
         where o.plan = any($2) or exists (select from quota_caps k where k.organization_id = o.id)
         order by s.scope
         on conflict (scope) do update set noted_at = c.noted_at",
        &projects,
        &limited_plans(at.date_naive()),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn limited_plans(on: NaiveDate) -> Vec<String> {
    let limited = Plan::ALL.iter().filter(|plan| !model::quotas::of(**plan, &[], on).is_empty());
    limited.map(|plan| plan.as_str().to_owned()).collect()
}

/// Notes that an organization's limits changed: it is looked at as a whole, and with it every project that was near a limit or has one now.
pub async fn note_limits(
    conn: &mut PgConnection,
    organization_id: OrganizationId,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into quota_checks as c (scope, organization_id, project_id, noted_at)
         select $1, $1, null::uuid, $2::timestamptz
         union all
         select p.id, p.organization_id, p.id, $2 from projects p where p.organization_id = $1 and p.deleted_at is null
         order by 1
         on conflict (scope) do update set noted_at = c.noted_at",
        organization_id.as_uuid(),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes the organizations whose billing period is over.
pub async fn note_periods(conn: &mut PgConnection, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "with over as (
             update quota_states set period_end_at = null where period_end_at <= $1 returning scope, organization_id, project_id
         )
         insert into quota_checks as c (scope, organization_id, project_id, noted_at)
         select distinct on (scope) scope, organization_id, project_id, $1::timestamptz from over order by scope
         on conflict (scope) do update set noted_at = c.noted_at",
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes what has waited longest out of the list. Until the transaction ends, whoever notes the same waits, so that no usage is missed.
pub async fn take_check(conn: &mut PgConnection) -> sqlx::Result<Option<Check>> {
    let row = sqlx::query!(
        "delete from quota_checks where scope = (
             select scope from quota_checks order by noted_at limit 1 for update skip locked)
         returning organization_id, project_id"
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Check { organization_id: row.organization_id.into(), project_id: row.project_id.map(Into::into) }))
}

/// How near usage of one kind is to what is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaState {
    /// What.
    pub subject: QuotaSubject,
    /// First day of the period it adds up over; absent for a size.
    pub period_start: Option<NaiveDate>,
    /// When that period is over.
    pub period_end_at: Option<DateTime<Utc>>,
    /// The highest share that was told of, in percent.
    pub told: i32,
    /// What is done about it.
    pub action: QuotaAction,
    /// How much is used.
    pub used: i64,
    /// How much is allowed.
    pub allowed: i64,
    /// Since when the action stands.
    pub changed_at: DateTime<Utc>,
}

/// The states of what is looked at.
pub async fn states(conn: &mut PgConnection, check: &Check) -> sqlx::Result<Vec<QuotaState>> {
    let rows = sqlx::query!(
        "select subject, period_start, period_end_at, told, action, used, allowed, changed_at
         from quota_states where scope = $1 order by subject",
        check.scope()
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(QuotaState {
                subject: parse(&row.subject)?,
                period_start: row.period_start,
                period_end_at: row.period_end_at,
                told: row.told,
                action: parse(&row.action)?,
                used: row.used,
                allowed: row.allowed,
                changed_at: row.changed_at,
            })
        })
        .collect()
}

/// Keeps a state in place of the one before.
pub async fn put_state(conn: &mut PgConnection, check: &Check, state: &QuotaState) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into quota_states (scope, subject, organization_id, project_id, period_start, period_end_at, told, action, used, allowed, changed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         on conflict (scope, subject) do update
         set period_start = excluded.period_start, period_end_at = excluded.period_end_at, told = excluded.told, action = excluded.action,
             used = excluded.used, allowed = excluded.allowed, changed_at = excluded.changed_at",
        check.scope(),
        state.subject.as_str(),
        check.organization_id.as_uuid(),
        check.project_id.map(Uuid::from),
        state.period_start,
        state.period_end_at,
        state.told,
        state.action.as_str(),
        state.used,
        state.allowed,
        state.changed_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets the state of what has no limit any more.
pub async fn forget_state(conn: &mut PgConnection, check: &Check, subject: QuotaSubject) -> sqlx::Result<()> {
    sqlx::query!("delete from quota_states where scope = $1 and subject = $2", check.scope(), subject.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// What is done about each of these projects for its own usage and for its organization's, the severest only.
pub async fn restrictions(
    conn: &mut PgConnection,
    projects: &[ProjectId],
) -> sqlx::Result<Vec<(ProjectId, Restriction)>> {
    let projects: Vec<Uuid> = projects.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        "select distinct on (p.id) p.id, s.subject, s.action, s.used, s.allowed, s.changed_at
         from projects p join quota_states s on s.scope in (p.id, p.organization_id)
         where p.id = any($1) and s.action <> 'none'
         order by p.id, array_position(array['sleep', 'read_only', 'throttle'], s.action), s.subject",
        &projects
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let restriction = Restriction {
                action: parse(&row.action)?,
                subject: parse(&row.subject)?,
                used: row.used,
                allowed: row.allowed,
                since: row.changed_at,
            };
            Ok((row.id.into(), restriction))
        })
        .collect()
}

/// Notes that the gateway has to be told anew of a project, or of all live projects of an organization.
pub async fn note_pushes(conn: &mut PgConnection, check: &Check, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into route_pushes as r (project_id, next_try_at)
         select p.id, $3 from projects p
         where (p.id = $2 or $2 is null) and p.organization_id = $1 and p.deleted_at is null order by p.id
         on conflict (project_id) do update set next_try_at = least(r.next_try_at, excluded.next_try_at)",
        check.organization_id.as_uuid(),
        check.project_id.map(Uuid::from),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes a project whose gateway has to be told out of the list until the transaction ends.
pub async fn take_push(conn: &mut PgConnection, at: DateTime<Utc>) -> sqlx::Result<Option<ProjectId>> {
    let id = sqlx::query_scalar!(
        "delete from route_pushes where project_id = (
             select project_id from route_pushes where next_try_at <= $1 order by next_try_at limit 1 for update skip locked)
         returning project_id",
        at
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(Into::into))
}

/// Puts a project back into that list.
pub async fn put_off_push(conn: &mut PgConnection, id: ProjectId, until: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into route_pushes (project_id, next_try_at) values ($1, $2) on conflict (project_id) do nothing",
        id.as_uuid(),
        until
    )
    .execute(conn)
    .await?;
    Ok(())
}
