//! The reconciler of quotas: looks at what has new usage or new limits, tells of thresholds, decides what is done about usage beyond what is
//! allowed, and has the gateway do it. Nothing is ever deleted; a raised limit ends a restriction with the next round.
//!
//! What is to be looked at, and whose gateway is to be told, are lists in the control database, so a crash at any moment is made good by the
//! next round, and work grows with what changed and not with how many projects there are.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use data_plane_contract::routes::RouteState;
use ids::PartnerId;
use model::{
    billing::{self, Used},
    events::EventType,
    limits::Plan,
    projects::{Intent, Observed},
    quotas::{self, Quota, QuotaAction, QuotaSubject},
    usage::current_period,
};
use serde_json::json;
use sqlx::PgConnection;
use store::{
    events::NewEvent,
    quotas::{Check, QuotaState},
    usage_days,
    usage_totals::{self, Scope},
};

use crate::{
    World,
    activities::{Outcome, route, store_failed},
    reconciler::Reconciler,
};

/// When a gateway is told again that was not to be told now.
const PUT_OFF: TimeDelta = TimeDelta::seconds(5);

/// How often it looks.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How often it looks.
    pub every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { every: Duration::from_millis(500) }
    }
}

/// Looks again and again until told to stop.
#[must_use]
pub fn start(world: Arc<World>, settings: Settings) -> Reconciler {
    Reconciler::every("quota_enforce", settings.every, move || {
        let world = Arc::clone(&world);
        async move { once(&world).await }
    })
}

/// Looks at everything that is noted.
///
/// # Errors
/// The control database does not answer.
pub async fn once(world: &World) -> Outcome {
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    store::quotas::note_periods(&mut conn, world.clock.now()).await.map_err(store_failed)?;
    drop(conn);
    while check_next(world).await? {}
    while push_next(world).await? {}
    Ok(())
}

/// Looks at what has waited longest. False when nothing waits.
async fn check_next(world: &World) -> Outcome<bool> {
    let mut transaction = world.pool.begin().await.map_err(store_failed)?;
    let Some(check) = store::quotas::take_check(&mut transaction).await.map_err(store_failed)? else {
        return Ok(false);
    };
    look(&mut transaction, &check, world.clock.now()).await.map_err(store_failed)?;
    transaction.commit().await.map_err(store_failed)?;
    Ok(true)
}

async fn look(conn: &mut PgConnection, check: &Check, now: DateTime<Utc>) -> sqlx::Result<()> {
    let Some(plan) = store::organizations::plan(conn, check.organization_id).await? else { return Ok(()) };
    let caps = store::quotas::caps(conn, check.organization_id).await?;
    let quotas: Vec<Quota> = quotas::of(plan, &caps, current_period(now).start)
        .into_iter()
        .filter(|quota| quota.subject.per_project() == check.project_id.is_some())
        .collect();
    let known = store::quotas::states(conn, check).await?;
    let partner_id = partner_of(conn, check).await?;
    let mut pushes = false;
    for state in &known {
        if !quotas.iter().any(|quota| quota.subject == state.subject) {
            store::quotas::forget_state(conn, check, state.subject).await?;
            pushes |= state.action != QuotaAction::None;
            tell_action(conn, check, partner_id, state, QuotaAction::None, now).await?;
        }
    }
    let used = if quotas.is_empty() { Used::default() } else { used(conn, check, now).await? };
    for quota in quotas {
        let before = known.iter().find(|state| state.subject == quota.subject);
        let after = measure(check, plan, quota, &used, before, now);
        let told = told_before(before, after.period_start);
        for threshold in quotas::untold(quotas::percent(after.used, after.allowed), told) {
            tell_threshold(conn, check, partner_id, &after, threshold, now).await?;
        }
        let was = before.map_or(QuotaAction::None, |before| before.action);
        tell_action(conn, check, partner_id, &QuotaState { action: was, ..after }, after.action, now).await?;
        pushes |= was != after.action;
        store::quotas::put_state(conn, check, &after).await?;
    }
    if pushes {
        store::quotas::note_pushes(conn, check, now).await?;
    }
    Ok(())
}

/// Whom to tell. The project is locked, so that what is told of it here and elsewhere has one order.
async fn partner_of(conn: &mut PgConnection, check: &Check) -> sqlx::Result<Option<PartnerId>> {
    let Some(id) = check.project_id else {
        return store::partners::of_organization(conn, check.organization_id).await;
    };
    store::projects::lock(conn, id).await?;
    Ok(store::projects::find_for_operation(conn, id).await?.and_then(|project| project.partner_id))
}

/// The highest threshold that was told in the same period.
fn told_before(before: Option<&QuotaState>, period_start: Option<NaiveDate>) -> i32 {
    before.filter(|before| before.period_start == period_start).map_or(0, |before| before.told)
}

/// The present state of one quota.
fn measure(
    check: &Check,
    plan: Plan,
    quota: Quota,
    used: &Used,
    before: Option<&QuotaState>,
    now: DateTime<Utc>,
) -> QuotaState {
    let period = current_period(now);
    let used = match quota.subject {
        QuotaSubject::Metric(metric) => used.metrics.get(&metric).copied().unwrap_or(0),
        QuotaSubject::Spend => billing::beyond_plan(plan, used, period.start),
    };
    let percent = quotas::percent(used, quota.allowed);
    let action = if quota.subject.acts() { QuotaAction::at(percent) } else { QuotaAction::None };
    let adds_up = check.project_id.is_none();
    let period_start = adds_up.then_some(period.start);
    QuotaState {
        subject: quota.subject,
        period_start,
        period_end_at: adds_up.then(|| period.end_at()),
        told: quotas::told(percent, told_before(before, period_start)),
        action,
        used,
        allowed: quota.allowed,
        changed_at: before.filter(|before| before.action == action).map_or(now, |before| before.changed_at),
    }
}

/// What a project holds now, or what its organization has used in the period.
async fn used(conn: &mut PgConnection, check: &Check, now: DateTime<Utc>) -> sqlx::Result<Used> {
    let Some(id) = check.project_id else {
        let scope = Scope::Organization(check.organization_id);
        return Ok(usage_totals::used(conn, scope, current_period(now)).await?.0);
    };
    let held = usage_days::carried(conn, &[id], now.date_naive() + TimeDelta::days(1)).await?;
    Ok(Used { metrics: held.into_iter().map(|held| (held.metric, held.amount)).collect(), ..Used::default() })
}

fn event(check: &Check, partner_id: Option<PartnerId>, kind: EventType, mut data: serde_json::Value) -> NewEvent {
    data["organization_id"] = json!(check.organization_id);
    if let Some(id) = check.project_id {
        data["project_id"] = json!(id);
    }
    NewEvent { kind, organization_id: check.organization_id, partner_id, project_id: check.project_id, data }
}

async fn tell_threshold(
    conn: &mut PgConnection,
    check: &Check,
    partner_id: Option<PartnerId>,
    state: &QuotaState,
    threshold: i32,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let QuotaState { subject, used, allowed, .. } = state;
    let data = json!({ "subject": subject, "percent": threshold, "used": used, "allowed": allowed });
    store::events::insert(conn, &event(check, partner_id, EventType::UsageThresholdReached, data), now).await
}

/// Tells that something else is done than `was`, or nothing more.
async fn tell_action(
    conn: &mut PgConnection,
    check: &Check,
    partner_id: Option<PartnerId>,
    was: &QuotaState,
    action: QuotaAction,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    if was.action == action {
        return Ok(());
    }
    let kind = if action == QuotaAction::None { EventType::UsageReleased } else { EventType::UsageRestricted };
    let QuotaState { subject, used, allowed, .. } = was;
    let data =
        json!({ "subject": subject, "action": action, "previous": was.action, "used": used, "allowed": allowed });
    store::events::insert(conn, &event(check, partner_id, kind, data), now).await
}

/// Tells the gateway of one project. While an operation works on it, its route is the operation's, and the gateway is told afterwards.
async fn push_next(world: &World) -> Outcome<bool> {
    let mut transaction = world.pool.begin().await.map_err(store_failed)?;
    let now = world.clock.now();
    let Some(id) = store::quotas::take_push(&mut transaction, now).await.map_err(store_failed)? else {
        return Ok(false);
    };
    store::projects::lock(&mut transaction, id).await.map_err(store_failed)?;
    let project = store::projects::find_for_operation(&mut transaction, id).await.map_err(store_failed)?;
    let serves = project.is_some_and(|project| {
        project.deleted_at.is_none() && project.intent == Intent::Active && project.observed == Observed::Serving
    });
    // What does not serve is told of when it does: whoever publishes a route adds the restriction.
    if serves {
        let busy = store::operations::running_for_project(&mut transaction, id).await.map_err(store_failed)?.is_some();
        let told = !busy && tell_gateway(world, id).await;
        if !told {
            store::quotas::put_off_push(&mut transaction, id, now + PUT_OFF).await.map_err(store_failed)?;
        }
    }
    transaction.commit().await.map_err(store_failed)?;
    Ok(true)
}

async fn tell_gateway(world: &World, id: ids::ProjectId) -> bool {
    let told = route::publish_restricted(world, id, RouteState::Serving).await;
    if let Err(error) = &told {
        tracing::warn!(
            project.id = %id,
            error = telemetry::chain(error),
            "the gateway could not be told of a restriction; the next round tries again"
        );
    }
    told.is_ok()
}
