//! Invoice previews: what the usage of a billing cycle costs so far. Read from days and totals alone; nothing is charged.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use ids::{OrganizationId, ProjectId};
use model::{
    Error,
    billing::{self, Invoice, Part, Used, edition, price_list},
    limits::Plan,
    usage::{Metric, Period, current_period, previous_period},
};
use sqlx::PgConnection;
use store::{
    usage_days::{self, NamedProject},
    usage_totals::{self, Scope},
};

use super::{Ctx, Failure, organizations, partners::partner};
use crate::state::State;

/// Projects read at once.
const PAGE: i64 = 500;

/// What a billing cycle costs so far.
pub(crate) struct Preview {
    pub(crate) plan: Plan,
    pub(crate) currency: &'static str,
    pub(crate) period: Period,
    pub(crate) invoice: Invoice<NamedProject>,
}

/// The billing cycle asked for: `current`, `previous` or a month such as `2026-01` that has begun.
pub(crate) fn cycle(text: Option<&str>, now: DateTime<Utc>) -> Result<Period, Error> {
    match text {
        None | Some("current") => Ok(current_period(now)),
        Some("previous") => Ok(previous_period(now)),
        Some(text) => {
            let period = Period::of_month(text)
                .ok_or_else(|| Error::invalid("cycle", "cycle must be current, previous or a month such as 2026-01"))?;
            if period.start > now.date_naive() {
                return Err(Error::invalid("cycle", "cycle must not be in the future"));
            }
            Ok(period)
        }
    }
}

/// What an organization pays for a cycle, shared by its projects and branches.
pub(crate) async fn of_organization(
    state: &State,
    ctx: &Ctx,
    id: OrganizationId,
    period: Period,
    by_project: bool,
) -> Result<Preview, Failure> {
    let mut conn = state.snapshot().await?;
    let membership = organizations::find(&mut conn, ctx, id).await?;
    if !membership.role.may_administer() {
        return Err(Error::forbidden("Only administrators may see what the organization pays").into());
    }
    preview(&mut conn, Scope::Organization(id), id, period, by_project).await
}

/// What the projects that were made through the partner cost by the partner's plan.
pub(crate) async fn of_partner(state: &State, ctx: &Ctx, period: Period, by_project: bool) -> Result<Preview, Failure> {
    let partner = partner(ctx)?;
    let mut conn = state.snapshot().await?;
    preview(&mut conn, Scope::Partner(partner.id), partner.organization_id, period, by_project).await
}

/// A cycle is billed by the plan that the payer has at its end, so what is over does not change any more.
async fn preview(
    conn: &mut PgConnection,
    scope: Scope,
    payer: OrganizationId,
    period: Period,
    by_project: bool,
) -> Result<Preview, Failure> {
    let plan = store::organizations::plan_before(conn, payer, period.end_at())
        .await?
        .ok_or_else(|| Error::not_found("organization.not_found", "Organization"))?;
    let edition = edition(plan, period.start)
        .ok_or_else(|| Error::invalid("cycle", format!("There are no prices for {}", period.start.format("%Y-%m"))))?;
    let (total, peaks) = usage_totals::used(conn, scope, period).await?;
    let parts = if by_project { parts(conn, scope, period, &total, &peaks).await? } else { Vec::new() };
    let invoice = billing::invoice(edition, &total, parts);
    Ok(Preview { plan, currency: &price_list(plan).currency, period, invoice })
}

/// What each project used, and at the end what is no project's.
async fn parts(
    conn: &mut PgConnection,
    scope: Scope,
    period: Period,
    total: &Used,
    peaks: &BTreeMap<Metric, NaiveDate>,
) -> Result<Vec<Part<NamedProject>>, Failure> {
    let (mut parts, mut after, mut rest) = (Vec::new(), None, total.clone());
    loop {
        let projects = usage_days::projects_of(conn, scope, after, PAGE).await?;
        let Some(last) = projects.last() else { break };
        after = Some((last.created_at, last.id.into()));
        let mut used = used_by(conn, &projects, period, peaks).await?;
        for project in projects {
            let Some(used) = used.remove(&project.id.into()) else { continue };
            for (metric, amount) in &used.metrics {
                *rest.metrics.entry(*metric).or_insert(0) -= amount;
            }
            for (instance_type, amount) in &used.compute {
                *rest.compute.entry(*instance_type).or_insert(0) -= amount;
            }
            parts.push(Part { project: Some(project), used });
        }
    }
    parts.push(Part { project: None, used: rest });
    Ok(parts)
}

async fn used_by(
    conn: &mut PgConnection,
    projects: &[NamedProject],
    period: Period,
    peaks: &BTreeMap<Metric, NaiveDate>,
) -> Result<BTreeMap<ProjectId, Used>, Failure> {
    let ids: Vec<ProjectId> = projects.iter().map(|project| project.id.into()).collect();
    let mut used: BTreeMap<ProjectId, Used> = BTreeMap::new();
    for sum in usage_days::sums(conn, &ids, period).await? {
        let used = used.entry(sum.project_id).or_default();
        *used.metrics.entry(sum.metric).or_insert(0) += sum.amount;
        if let Some(instance_type) = sum.instance_type {
            *used.compute.entry(instance_type).or_insert(0) += sum.amount;
        }
    }
    for day in peaks.values().copied().collect::<BTreeSet<_>>() {
        let peaks_now = |metric: Metric| peaks.get(&metric) == Some(&day);
        for held in usage_days::carried(conn, &ids, day).await?.iter().filter(|held| peaks_now(held.metric)) {
            used.entry(held.project_id).or_default().metrics.insert(held.metric, held.amount);
        }
        // A day's peak is never below what was carried into it.
        let recorded = usage_days::of_projects(conn, &ids, Period { start: day, end: day }).await?;
        for one in recorded.iter().filter(|one| peaks_now(one.counted.metric)) {
            let amount = used.entry(one.project_id).or_default().metrics.entry(one.counted.metric).or_insert(0);
            *amount = one.amount.max(*amount);
        }
    }
    Ok(used)
}
