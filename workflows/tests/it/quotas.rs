//! Usage beyond what is allowed: told of, throttled, read-only, asleep, and free again when the limit is raised.

use std::{sync::Arc, time::Duration};

use chrono::{TimeDelta, Utc};
use clock::{Clock as _, ManualClock};
use data_plane_contract::routes::Restraint;
use ids::{OrganizationId, ProjectId};
use model::{
    events::{EventType, Owner},
    limits::Plan,
    projects::{Intent, PauseReason},
    quotas::QuotaSubject,
    usage::{Counted, Metric},
};
use serde_json::{Value, json};
use store::usage::Record;
use workflows::{idle_pause, quota_enforce, webhook_delivery};

use crate::cloud::Cloud;

struct Stage {
    cloud: Cloud,
    clock: Arc<ManualClock>,
    project_id: ProjectId,
    organization_id: OrganizationId,
}

const MB: i64 = 1_000_000;

impl Stage {
    /// A serving project of the free plan.
    async fn set() -> Self {
        let mut cloud = Cloud::start().await;
        let clock = Arc::new(ManualClock::new(Utc::now()));
        cloud.world.clock = clock.clone();
        let project_id = cloud.serving_project().await;
        let organization_id = cloud.project(project_id).await.organization_id;
        Self { cloud, clock, project_id, organization_id }
    }

    /// Records usage as the control plane does.
    async fn use_up(&self, metric: Metric, amount: i64) {
        // Of two samples at one moment the larger one counts.
        self.clock.advance(TimeDelta::seconds(1));
        let mut tx = self.cloud.pool().begin().await.expect("a transaction");
        let (source, now) = ("gateway:test", self.clock.now());
        let known = store::usage::lock_source(&mut tx, source).await.expect("locked");
        let counted = Counted { day: now.date_naive(), metric, instance_type: None };
        let record = Record { sequence: known + 1, project_id: self.project_id, counted, from: now, to: now, amount };
        store::usage::append(&mut tx, source, &[record], now).await.expect("appended");
        store::usage_days::add(&mut tx, &store::usage::reduce(&[record])).await.expect("added");
        store::usage::advance_source(&mut tx, source, known + 1).await.expect("advanced");
        store::quotas::note_usage(&mut tx, &[self.project_id], now).await.expect("noted");
        tx.commit().await.expect("committed");
        self.enforce().await;
    }

    async fn enforce(&self) {
        quota_enforce::once(&self.cloud.world).await.expect("a round");
    }

    async fn set_cap(&self, subject: QuotaSubject, allowed: Option<i64>) {
        let mut tx = self.cloud.pool().begin().await.expect("a transaction");
        store::quotas::set_cap(&mut tx, self.organization_id, subject, allowed).await.expect("set");
        store::quotas::note_limits(&mut tx, self.organization_id, self.clock.now()).await.expect("noted");
        tx.commit().await.expect("committed");
        self.enforce().await;
    }

    /// What the gateway does with the project's requests.
    fn restraint(&self) -> Option<Restraint> {
        let routes = self.cloud.outside.routes.lock().expect("test lock");
        let route = routes.get(&self.project_id).expect("it has a route");
        route.restriction.as_ref().map(|restriction| {
            assert!(restriction.reason.contains("Upgrade the plan"), "{}", restriction.reason);
            restriction.restraint
        })
    }

    /// What was told since the beginning: type, and percent or action.
    async fn told(&self) -> Vec<(EventType, Value)> {
        webhook_delivery::publish(&self.cloud.world).await.expect("published");
        let mut conn = self.cloud.pool().acquire().await.expect("a connection");
        let owner = Owner::Organization(self.organization_id);
        let events = store::events::list(&mut conn, owner, 0, 100).await.expect("read");
        let about = |data: &Value| {
            let (percent, action) = (data["percent"].clone(), data["action"].clone());
            if percent.is_null() { action } else { percent }
        };
        events
            .iter()
            .filter(|event| event.kind.as_str().starts_with("usage."))
            .map(|event| (event.kind, about(&event.data)))
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_grows_is_told_of_and_restrained_step_by_step() {
    use EventType::{UsageReleased as Released, UsageRestricted as Restricted, UsageThresholdReached as Reached};
    let stage = Stage::set().await;
    stage.use_up(Metric::DatabaseBytes, 240 * MB).await;
    assert_eq!(stage.told().await, []);
    stage.use_up(Metric::DatabaseBytes, 260 * MB).await;
    stage.use_up(Metric::DatabaseBytes, 270 * MB).await;
    stage.use_up(Metric::DatabaseBytes, 245 * MB).await;
    stage.use_up(Metric::DatabaseBytes, 251 * MB).await;
    assert_eq!(stage.told().await, [(Reached, json!(50))], "once, also when it goes to and fro");
    assert_eq!(stage.restraint(), None);
    stage.use_up(Metric::DatabaseBytes, 510 * MB).await;
    assert!(matches!(stage.restraint(), Some(Restraint::Throttle { .. })));
    stage.use_up(Metric::DatabaseBytes, 560 * MB).await;
    assert_eq!(stage.restraint(), Some(Restraint::ReadOnly));
    stage.use_up(Metric::DatabaseBytes, 700 * MB).await;
    assert_eq!(stage.restraint(), Some(Restraint::Sleep));
    let expected = [
        (Reached, json!(50)),
        (Reached, json!(80)),
        (Reached, json!(100)),
        (Restricted, json!("throttle")),
        (Restricted, json!("read_only")),
        (Restricted, json!("sleep")),
    ];
    assert_eq!(stage.told().await, expected);
    assert_eq!(stage.cloud.project(stage.project_id).await.intent, Intent::Active, "nothing is deleted or paused");

    stage.set_cap(QuotaSubject::Metric(Metric::DatabaseBytes), Some(1000 * MB)).await;
    assert_eq!(stage.restraint(), None, "a raised limit ends it at once");
    assert_eq!(stage.told().await.last(), Some(&(Released, json!("none"))));
    stage.set_cap(QuotaSubject::Metric(Metric::DatabaseBytes), None).await;
    assert_eq!(stage.restraint(), Some(Restraint::Sleep));
    stage.use_up(Metric::DatabaseBytes, 10 * MB).await;
    assert_eq!(stage.restraint(), None, "less usage ends it, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_adds_up_is_the_organizations_and_begins_anew_with_each_period() {
    let stage = Stage::set().await;
    for _ in 0..4 {
        stage.use_up(Metric::FunctionCalls, 26_000).await;
    }
    assert!(matches!(stage.restraint(), Some(Restraint::Throttle { .. })));
    stage.clock.advance(TimeDelta::days(32));
    stage.enforce().await;
    assert_eq!(stage.restraint(), None);
    stage.use_up(Metric::FunctionCalls, 60_000).await;
    let told = stage.told().await;
    assert_eq!(told.last(), Some(&(EventType::UsageThresholdReached, json!(50))), "a new period is told of anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spend_cap_holds_what_usage_costs_and_not_the_plan() {
    let stage = Stage::set().await;
    let mut conn = stage.cloud.pool().acquire().await.expect("a connection");
    store::organizations::set_plan(&mut conn, stage.organization_id, Plan::Pro, chrono::Utc::now()).await.expect("set");
    stage.set_cap(QuotaSubject::Spend, Some(9_000_000)).await;
    assert_eq!(stage.restraint(), None, "the plan's own price does not count");
    // 250 GB are included; each of those beyond costs 0.09.
    stage.use_up(Metric::EgressBytes, 300_000 * MB).await;
    assert_eq!(stage.told().await, [(EventType::UsageThresholdReached, json!(50))]);
    stage.use_up(Metric::EgressBytes, 51_000 * MB).await;
    assert!(matches!(stage.restraint(), Some(Restraint::Throttle { .. })));
    stage.set_cap(QuotaSubject::Spend, Some(90_000_000)).await;
    assert_eq!(stage.restraint(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_nobody_uses_is_announced_and_paused_and_a_used_one_is_not() {
    let stage = Stage::set().await;
    let week = Duration::from_secs(7 * 24 * 3600);
    let look = async || idle_pause::once(&stage.cloud.world, week).await.expect("a round");
    look().await;
    stage.clock.advance(TimeDelta::days(5));
    look().await;
    assert_eq!(stage.cloud.project(stage.project_id).await.intent, Intent::Active);

    let mut conn = stage.cloud.pool().acquire().await.expect("a connection");
    store::project_activity::record(&mut conn, &[(stage.project_id, stage.clock.now())]).await.expect("recorded");
    stage.clock.advance(TimeDelta::days(3));
    look().await;
    assert_eq!(stage.cloud.project(stage.project_id).await.intent, Intent::Active, "a request resets the clock");

    stage.clock.advance(TimeDelta::days(3) + TimeDelta::hours(1));
    look().await;
    webhook_delivery::publish(&stage.cloud.world).await.expect("published");
    let owner = Owner::Organization(stage.organization_id);
    let idle = store::events::list(&mut conn, owner, 0, 100).await.expect("read");
    let idle = idle.iter().filter(|event| event.kind == EventType::ProjectIdle).count();
    assert_eq!((idle, stage.cloud.project(stage.project_id).await.intent), (1, Intent::Active));

    stage.clock.advance(TimeDelta::days(1));
    look().await;
    let paused = stage.cloud.project(stage.project_id).await;
    assert_eq!((paused.intent, paused.pause_reason), (Intent::Paused, Some(PauseReason::Idle)));
    let running = store::operations::running_for_project(&mut conn, stage.project_id).await.expect("read");
    let operation = running.expect("an operation pauses it");
    let worker = stage.cloud.worker(workflows::registry());
    stage.cloud.wait_end(operation.id).await;
    worker.shutdown().await;
    webhook_delivery::publish(&stage.cloud.world).await.expect("published");
    let told = store::events::list(&mut conn, owner, 0, 100).await.expect("read");
    let last = told.last().expect("something was told");
    assert_eq!((last.kind, &last.data["reason"]), (EventType::ProjectPaused, &json!("idle")));
    look().await;
}
