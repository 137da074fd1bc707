//! Quotas: what an organization may use, how near it is, and caps in place of its plan's numbers.

use chrono::{DateTime, Utc};
use ids::OrganizationId;
use model::{
    Error, billing,
    limits::Plan,
    quotas::{self, QuotaAction, QuotaSubject, percent},
    usage::{Period, current_period},
};
use serde_json::json;
use sqlx::PgConnection;
use store::usage_totals::{self, Scope};

use super::{
    Ctx, Failure,
    audit::{self, Subject},
    organizations,
};
use crate::state::State;

/// One quota and how near usage is to it.
#[derive(Clone, Debug)]
pub(crate) struct QuotaView {
    pub(crate) subject: QuotaSubject,
    pub(crate) allowed: i64,
    /// Whether a cap stands in place of the plan's number.
    pub(crate) capped: bool,
    /// What the organization used of it; absent where each project has it for itself.
    pub(crate) used: Option<i64>,
    pub(crate) action: QuotaAction,
}

/// All quotas of an organization.
pub(crate) struct Quotas {
    pub(crate) plan: Plan,
    pub(crate) period: Period,
    pub(crate) quotas: Vec<QuotaView>,
}

/// What a caller changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    /// For operators.
    pub(crate) plan: Option<Plan>,
    /// A cap, or none in place of one.
    pub(crate) caps: Vec<(QuotaSubject, Option<i64>)>,
}

/// The quotas of an organization that the caller may see.
pub(crate) async fn get(state: &State, ctx: &Ctx, id: OrganizationId) -> Result<Quotas, Failure> {
    let mut conn = state.snapshot().await?;
    let membership = organizations::find(&mut conn, ctx, id).await?;
    read(&mut conn, id, membership.organization.plan, state.clock.now()).await
}

async fn read(conn: &mut PgConnection, id: OrganizationId, plan: Plan, now: DateTime<Utc>) -> Result<Quotas, Failure> {
    let (caps, period) = (store::quotas::caps(conn, id).await?, current_period(now));
    let (total, _) = usage_totals::used(conn, Scope::Organization(id), period).await?;
    let spent = billing::beyond_plan(plan, &total, period.start);
    let view = |quota: quotas::Quota| {
        let subject = quota.subject;
        let used = match subject {
            subject if subject.per_project() => None,
            QuotaSubject::Metric(metric) => Some(total.metrics.get(&metric).copied().unwrap_or(0)),
            QuotaSubject::Spend => Some(spent),
        };
        let acting = used.filter(|_| subject.acts());
        QuotaView {
            subject,
            allowed: quota.allowed,
            capped: caps.iter().any(|(capped, _)| *capped == subject),
            action: acting.map_or(QuotaAction::None, |used| QuotaAction::at(percent(used, quota.allowed))),
            used,
        }
    };
    Ok(Quotas { plan, period, quotas: quotas::of(plan, &caps, period.start).into_iter().map(view).collect() })
}

/// Changes caps and, for operators, the plan. What was restricted is looked at again at once.
pub(crate) async fn update(state: &State, ctx: &Ctx, id: OrganizationId, changes: Changes) -> Result<Quotas, Failure> {
    let mut tx = state.begin().await?;
    let membership = organizations::find(&mut tx, ctx, id).await?;
    if !membership.role.may_administer() {
        return Err(Error::forbidden("Only administrators may change caps").into());
    }
    let operator = ctx.user()?.operator;
    if changes.plan.is_some() && !operator {
        return Err(Error::forbidden("Only an operator of this cloud may change the plan").into());
    }
    store::organizations::lock(&mut tx, id).await?;
    let now = state.clock.now();
    let detail = json!({ "plan": changes.plan, "caps": changes.caps });
    let subject = Subject { organization_id: Some(id), detail, ..Subject::default() };
    let audit_id = audit::open(&mut tx, state, ctx, "organization.set_quotas", subject).await?;
    let plan = changes.plan.unwrap_or(membership.organization.plan);
    if changes.plan.is_some() {
        store::organizations::set_plan(&mut tx, id, plan, now).await?;
    }
    for (subject, allowed) in changes.caps {
        check_cap(plan, subject, allowed, operator, now)?;
        store::quotas::set_cap(&mut tx, id, subject, allowed).await?;
    }
    limits_changed(&mut tx, id, now).await?;
    let quotas = read(&mut tx, id, plan, now).await?;
    audit::close_done(&mut tx, state, audit_id).await?;
    tx.commit().await?;
    Ok(quotas)
}

/// An organization's plan or caps are others now: what depends on them is looked at.
pub(crate) async fn limits_changed(
    conn: &mut PgConnection,
    id: OrganizationId,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    store::quotas::note_limits(conn, id, now).await?;
    Ok(store::idle_projects::look_at_all(conn, id, now).await?)
}

/// Whoever pays may allow less than the plan does; more is the operator's to allow.
fn check_cap(
    plan: Plan,
    subject: QuotaSubject,
    allowed: Option<i64>,
    operator: bool,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let Some(allowed) = allowed else { return Ok(()) };
    if allowed < 1 {
        return Err(Error::invalid(format!("caps.{subject}"), "A cap must be at least 1; null removes it"));
    }
    let on = current_period(now).start;
    let planned = quotas::of(plan, &[], on).into_iter().find(|quota| quota.subject == subject);
    match planned {
        Some(planned) if allowed > planned.allowed && !operator => {
            Err(Error::forbidden(format!("The plan allows {} {subject}; a cap cannot be higher", planned.allowed)))
        }
        _ => Ok(()),
    }
}
