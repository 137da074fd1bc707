//! The reconciler of idle projects: those of plans that pause them are paused when nobody has used them for long, and announced before that.
//! Only projects whose time has come are looked at; a project that is used has its time moved when it comes.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use ids::OperationId;
use model::{
    events::EventType,
    projects::{Intent, Observed, PauseReason},
};
use saga::{OperationKind, operations::ProjectInput};
use serde_json::json;
use sqlx::PgConnection;
use store::{
    audit_log,
    events::NewEvent,
    idle_projects::{self, Candidate},
    operations::NewOperation,
    projects::Project,
};

use crate::{
    World,
    activities::{Outcome, store_failed},
    reconciler::Reconciler,
};

/// When a project that is busy is looked at again.
const BUSY: TimeDelta = TimeDelta::minutes(10);

/// Pace and patience.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How often it looks.
    pub every: Duration,
    /// For how long nobody must have used a project; absent pauses none.
    pub idle_after: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { every: Duration::from_secs(60), idle_after: Some(Duration::from_secs(7 * 24 * 3600)) }
    }
}

/// Looks again and again until told to stop.
#[must_use]
pub fn start(world: Arc<World>, settings: Settings) -> Reconciler {
    Reconciler::every("idle_pause", settings.every, move || {
        let world = Arc::clone(&world);
        async move {
            match settings.idle_after {
                Some(idle_after) => once(&world, idle_after).await,
                None => Ok(()),
            }
        }
    })
}

/// Looks at every project whose time has come.
///
/// # Errors
/// The control database does not answer.
pub async fn once(world: &World, idle_after: Duration) -> Outcome {
    loop {
        let mut transaction = world.pool.begin().await.map_err(store_failed)?;
        let now = world.clock.now();
        let Some(candidate) = idle_projects::take(&mut transaction, now).await.map_err(store_failed)? else {
            return Ok(());
        };
        let next = look(&mut transaction, candidate, idle_after, now).await.map_err(store_failed)?;
        idle_projects::look_again(&mut transaction, candidate.project_id, next).await.map_err(store_failed)?;
        transaction.commit().await.map_err(store_failed)?;
    }
}

/// Does what is due about one project, and says when it is looked at next.
async fn look(
    conn: &mut PgConnection,
    candidate: Candidate,
    idle_after: Duration,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    let id = candidate.project_id;
    let Some(project) = store::projects::find_for_operation(conn, id).await? else { return Ok(None) };
    let serves = project.intent == Intent::Active && project.observed == Observed::Serving;
    // Branches go with their parents.
    if !serves || project.parent_id.is_some() || !candidate.plan.pauses_idle_projects() {
        return Ok(None);
    }
    let idle_after = TimeDelta::from_std(idle_after).unwrap_or(TimeDelta::MAX);
    let pause_at = candidate.used_at + idle_after;
    // A day before, of a week; of another time as much of it.
    let announce_at = candidate.used_at + idle_after * 6 / 7;
    if now < announce_at {
        return Ok(Some(announce_at));
    }
    if now < pause_at {
        let event = event(&project, json!({ "used_at": candidate.used_at, "pause_at": pause_at }));
        store::events::insert(conn, &event, now).await?;
        return Ok(Some(pause_at));
    }
    let busy = store::operations::running_for_project(conn, id).await?.is_some()
        || store::activities::branch_running(conn, id).await?;
    if busy {
        return Ok(Some(now + BUSY));
    }
    pause(conn, &project, candidate.used_at, now).await?;
    Ok(None)
}

fn event(project: &Project, mut data: serde_json::Value) -> NewEvent {
    data["project_id"] = json!(project.id);
    data["organization_id"] = json!(project.organization_id);
    data["name"] = json!(project.name);
    NewEvent {
        kind: EventType::ProjectIdle,
        organization_id: project.organization_id,
        partner_id: project.partner_id,
        project_id: Some(project.id),
        data,
    }
}

/// Records the intent, the operation and why. The project's row is locked, and nothing runs on it.
async fn pause(
    conn: &mut PgConnection,
    project: &Project,
    used_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let operation_id = OperationId::generate();
    let opening = audit_log::Opening {
        id: ids::AuditId::generate(),
        actor: None,
        partner_id: None,
        action: "project.pause_idle",
        organization_id: Some(project.organization_id),
        project_id: Some(project.id),
        request_id: None,
        detail: json!({ "operation_id": operation_id, "used_at": used_at }),
        at: now,
    };
    audit_log::open(conn, &opening).await?;
    store::projects::set_intent(conn, project.id, Intent::Paused).await?;
    idle_projects::set_pause_reason(conn, project.id, PauseReason::Idle).await?;
    let operation = NewOperation {
        id: operation_id,
        kind: OperationKind::ProjectPause,
        organization_id: Some(project.organization_id),
        project_id: Some(project.id),
        input: serde_json::to_value(ProjectInput { project_id: project.id }).expect("ids are plain JSON"),
        started_by: None,
        request_id: None,
        deadline_at: None,
    };
    store::operations::insert(conn, &operation).await?;
    audit_log::close(conn, opening.id, "started", now).await
}
