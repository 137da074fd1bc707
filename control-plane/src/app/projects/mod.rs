//! Projects: reading them, and what all their use-cases share.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod database_access;
pub(crate) mod lifecycle;

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use ids::{OrganizationId, ProjectId};
use model::{
    Error, limits,
    projects::{Activity, PauseReason, Status, operation_status, status},
    quotas::Restriction,
};
use secrecy::SecretString;
use sqlx::PgConnection;
use store::{activities::Running, projects::Project};

use super::{
    Caller, Ctx, Failure,
    audit::{self, Subject},
    organizations,
};
use crate::state::State;

/// A project with what runs on it now.
#[derive(Clone, Debug)]
pub(crate) struct ProjectView {
    pub(crate) project: Project,
    pub(crate) running: Option<Running>,
    /// What is done about it for using too much.
    pub(crate) restriction: Option<Restriction>,
}

impl ProjectView {
    fn activity(&self) -> Option<Activity> {
        self.running.map(|running| running.activity)
    }

    pub(crate) fn status(&self) -> Status {
        status(self.project.intent, self.project.observed, self.activity())
    }

    pub(crate) fn operation_status(&self) -> Option<&'static str> {
        operation_status(self.activity())
    }
}

pub(crate) fn not_found() -> Error {
    Error::not_found("project.not_found", "Project")
}

/// The project or branch, if the caller may see it.
pub(crate) async fn find(conn: &mut PgConnection, ctx: &Ctx, id: ProjectId) -> Result<Project, Failure> {
    let found = match &ctx.caller {
        Caller::User(user) => store::projects::find_owned(conn, user.id, id).await?,
        Caller::Partner(partner) => store::projects::find_of_partner(conn, partner.id, id).await?,
    };
    Ok(found.ok_or_else(not_found)?)
}

/// As [`find`], and nobody else takes a decision about it before this transaction ends.
pub(crate) async fn find_locked(conn: &mut PgConnection, ctx: &Ctx, id: ProjectId) -> Result<Project, Failure> {
    find(conn, ctx, id).await?;
    store::projects::lock(conn, id).await?;
    find(conn, ctx, id).await
}

/// Adds what runs on each. The caller's transaction is a snapshot: an operation that ends between two moments would look as if it had
/// never been, on a row it had not yet changed.
pub(crate) async fn views(conn: &mut PgConnection, projects: Vec<Project>) -> Result<Vec<ProjectView>, Failure> {
    let ids: Vec<ProjectId> = projects.iter().map(|project| project.id).collect();
    let running = store::activities::running(conn, &ids).await?;
    let restrictions: HashMap<ProjectId, Restriction> =
        store::quotas::restrictions(conn, &ids).await?.into_iter().collect();
    Ok(projects
        .into_iter()
        .map(|project| ProjectView {
            running: running.get(&project.id).copied(),
            restriction: restrictions.get(&project.id).copied(),
            project,
        })
        .collect())
}

/// Adds what runs on it. The row is read again afterwards, because an operation may have ended since it was read.
pub(crate) async fn view(conn: &mut PgConnection, project: Project) -> Result<ProjectView, Failure> {
    let running = store::activities::running(conn, &[project.id]).await?.remove(&project.id);
    let project = store::projects::find_for_operation(conn, project.id).await?.unwrap_or(project);
    let restriction = store::quotas::restrictions(conn, &[project.id]).await?.into_iter().next();
    Ok(ProjectView { project, running, restriction: restriction.map(|(_, restriction)| restriction) })
}

/// The project as it is now.
pub(crate) async fn get(state: &State, ctx: &Ctx, id: ProjectId) -> Result<ProjectView, Failure> {
    let mut snapshot = state.snapshot().await?;
    let project = find(&mut snapshot, ctx, id).await?;
    view(&mut snapshot, project).await
}

/// The projects of an organization, without branches.
pub(crate) async fn list(
    state: &State,
    ctx: &Ctx,
    organization_id: OrganizationId,
) -> Result<Vec<ProjectView>, Failure> {
    let mut snapshot = state.snapshot().await?;
    organizations::find(&mut snapshot, ctx, organization_id).await?;
    let projects = store::projects::list(&mut snapshot, organization_id).await?;
    views(&mut snapshot, projects).await
}

/// The admin key. Every reading is audited, because it is the master key of a project's data.
pub(crate) async fn access_api_key(state: &State, ctx: &Ctx, id: ProjectId) -> Result<SecretString, Failure> {
    let mut tx = state.begin().await?;
    let project = find(&mut tx, ctx, id).await?;
    let sealed = store::project_secrets::find(&mut tx, id).await?.ok_or_else(not_found)?;
    let subject =
        Subject { organization_id: Some(project.organization_id), project_id: Some(id), ..Subject::default() };
    let audit_id = audit::open(&mut tx, state, ctx, "project.read_api_key", subject).await?;
    let key = sealed.open_api_key(&state.master_key, id).map_err(Error::internal)?;
    audit::close_done(&mut tx, state, audit_id).await?;
    tx.commit().await?;
    Ok(key)
}

/// Until when its owner can restore a project, where that ends: it was paused because nobody used it.
pub(crate) fn restorable_until(project: &Project) -> Option<DateTime<Utc>> {
    let paused_at = project.paused_at.filter(|_| project.pause_reason == Some(PauseReason::Idle))?;
    Some(paused_at + Duration::days(limits::IDLE_RESTORE_DAYS))
}
