//! Pausing, restoring, restarting, resizing and deleting: each records the intent and an operation, and returns.

use ids::ProjectId;
use model::{
    Error,
    instances::InstanceType,
    projects::{Intent, Status},
    versions::Version,
};
use saga::{
    OperationKind,
    operations::{ProjectInput, ProjectRestartInput},
};
use serde_json::{Value, json};
use sqlx::PgConnection;
use store::projects::Project;

use super::{ProjectView, create::check_active_quota, find, find_locked, not_found, restorable_until, view};
use crate::{
    app::{
        Ctx, Failure, Started, branches,
        operations::{self, Recorded, Work, project_busy},
        partners,
    },
    state::State,
};

fn work(project: &Project, kind: OperationKind, action: &'static str, input: Value, detail: Value) -> Work {
    Work { kind, action, organization_id: project.organization_id, project_id: project.id, input, detail }
}

fn only_id(project: &Project) -> Value {
    operations::input(&ProjectInput { project_id: project.id })
}

/// The locked project, provided that nothing runs on it or through it and its status is the one needed.
async fn find_idle(conn: &mut PgConnection, ctx: &Ctx, id: ProjectId, needed: Status) -> Result<Project, Failure> {
    let project = find_locked(conn, ctx, id).await?;
    let present = view(conn, project).await?;
    if present.running.is_some() || store::activities::branch_running(conn, id).await? {
        return Err(project_busy().into());
    }
    if present.status() == needed {
        return Ok(present.project);
    }
    let (code, text) = match needed {
        Status::Paused => ("project.not_paused", "Only a paused project can be restored"),
        _ => ("project.not_active", "The project is not active"),
    };
    Err(Error::conflict(code, text).into())
}

async fn finish(
    mut tx: sqlx::Transaction<'static, sqlx::Postgres>,
    state: &State,
    ctx: &Ctx,
    id: ProjectId,
    recorded: Recorded,
) -> Result<Started<ProjectView>, Failure> {
    let project = find(&mut tx, ctx, id).await?;
    let value = view(&mut tx, project).await?;
    tx.commit().await?;
    Ok(Started { value, operation_id: Some(operations::start(state, recorded).await) })
}

/// Stops a project and keeps its data.
pub(crate) async fn pause(state: &State, ctx: &Ctx, id: ProjectId) -> Result<Started<ProjectView>, Failure> {
    let mut tx = state.begin().await?;
    let project = find_idle(&mut tx, ctx, id, Status::Active).await?;
    store::projects::set_intent(&mut tx, id, Intent::Paused).await?;
    let work = work(&project, OperationKind::ProjectPause, "project.pause", only_id(&project), json!({}));
    let recorded = operations::record(&mut tx, state, ctx, work).await?;
    finish(tx, state, ctx, id, recorded).await
}

/// Brings a paused project back, if the plan allows another active one.
pub(crate) async fn restore(state: &State, ctx: &Ctx, id: ProjectId) -> Result<Started<ProjectView>, Failure> {
    let mut tx = state.begin().await?;
    let organization_id = find(&mut tx, ctx, id).await?.organization_id;
    store::organizations::lock(&mut tx, organization_id).await?;
    let project = find_idle(&mut tx, ctx, id, Status::Paused).await?;
    check_restorable(state, ctx, &project)?;
    if project.parent_id.is_none() {
        let plan = store::organizations::plan(&mut tx, organization_id).await?.ok_or_else(not_found)?;
        check_active_quota(&mut tx, plan, organization_id).await?;
        if let Some(partner_id) = project.partner_id {
            partners::check_project_limit(&mut tx, partner_id).await?;
        }
    }
    store::projects::set_intent(&mut tx, id, Intent::Active).await?;
    let work = work(&project, OperationKind::ProjectRestore, "project.restore", only_id(&project), json!({}));
    let recorded = operations::record(&mut tx, state, ctx, work).await?;
    finish(tx, state, ctx, id, recorded).await
}

/// What was paused because nobody used it, long ago, is restored by an operator only.
fn check_restorable(state: &State, ctx: &Ctx, project: &Project) -> Result<(), Error> {
    let operator = ctx.user().is_ok_and(|user| user.operator);
    let until = restorable_until(project);
    if operator || until.is_none_or(|until| state.clock.now() <= until) {
        return Ok(());
    }
    let text = "The project was paused because nobody used it, and the time to restore it is over. Its data is kept: ask the operator.";
    Err(Error::conflict("project.archived", text))
}

/// Restarts a project, with another backend version if one is given.
pub(crate) async fn restart(
    state: &State,
    ctx: &Ctx,
    id: ProjectId,
    version: Option<&str>,
) -> Result<Started<ProjectView>, Failure> {
    let mut tx = state.begin().await?;
    let project = find_idle(&mut tx, ctx, id, Status::Active).await?;
    let service_version = version.map(|text| wanted_version(state, &project, text)).transpose()?.flatten();
    let detail = json!({ "service_version": service_version });
    let input = ProjectRestartInput { project_id: id, service_version, instance_type: None };
    let work = work(&project, OperationKind::ProjectRestart, "project.restart", operations::input(&input), detail);
    let recorded = operations::record(&mut tx, state, ctx, work).await?;
    finish(tx, state, ctx, id, recorded).await
}

/// The version to change to; absent when it is the present one.
fn wanted_version(state: &State, project: &Project, text: &str) -> Result<Option<String>, Failure> {
    let wanted: Version = text
        .parse()
        .map_err(|_| Error::invalid("insforgeOssVersion", "insforgeOssVersion must be a version such as v2.2.2"))?;
    if wanted.to_string() == project.service_version {
        return Ok(None);
    }
    let present = project.service_version.parse::<Version>().map_err(Error::internal)?;
    if wanted < present {
        let text = format!("The project runs {}; going back to {} is not possible", present.tag(), wanted.tag());
        return Err(Error::unprocessable("project.version_downgrade", text).into());
    }
    if wanted != state.config.latest_version {
        let text =
            format!("Version {} is not available; the newest is {}", wanted.tag(), state.config.latest_version.tag());
        return Err(Error::unprocessable("project.version_unavailable", text).into());
    }
    Ok(Some(wanted.to_string()))
}

/// A resized project: what it was, and what it will be.
pub(crate) struct Resized {
    pub(crate) previous: InstanceType,
    pub(crate) new: InstanceType,
    pub(crate) disk_gib: i64,
    pub(crate) view: ProjectView,
}

/// Changes the instance type, which restarts the project.
pub(crate) async fn upgrade_instance(
    state: &State,
    ctx: &Ctx,
    id: ProjectId,
    wanted: &str,
) -> Result<Started<Resized>, Failure> {
    let mut tx = state.begin().await?;
    let project = find(&mut tx, ctx, id).await?;
    let new = InstanceType::wanted("instanceType", wanted)?;
    let plan = store::organizations::plan(&mut tx, project.organization_id).await?.ok_or_else(not_found)?;
    new.check_plan(plan)?;
    let project = find_idle(&mut tx, ctx, id, Status::Active).await?;
    let previous = project.instance_type;
    if new == previous {
        return Err(Error::conflict(
            "project.same_instance_type",
            format!("The project is a {} already", new.as_str()),
        )
        .into());
    }
    let disk_gib = store::projects::disk_gib(&mut tx, id).await?;
    let input =
        ProjectRestartInput { project_id: id, service_version: None, instance_type: Some(new.as_str().to_owned()) };
    let detail = json!({ "previous": previous.as_str(), "new": new.as_str() });
    let work =
        work(&project, OperationKind::ProjectRestart, "project.upgrade_instance", operations::input(&input), detail);
    let recorded = operations::record(&mut tx, state, ctx, work).await?;
    let started = finish(tx, state, ctx, id, recorded).await?;
    Ok(Started { value: Resized { previous, new, disk_gib, view: started.value }, operation_id: started.operation_id })
}

/// Deletes a project with its branches, or a branch. It is gone for clients at once.
pub(crate) async fn delete(state: &State, ctx: &Ctx, id: ProjectId) -> Result<Started<()>, Failure> {
    let mut tx = state.begin().await?;
    let project = find_locked(&mut tx, ctx, id).await?;
    if project.parent_id.is_some() {
        drop(tx);
        return branches::lifecycle::delete(state, ctx, id).await;
    }
    let recorded = record_delete(&mut tx, state, ctx, &project).await?;
    tx.commit().await?;
    Ok(Started { value: (), operation_id: Some(operations::start(state, recorded).await) })
}

/// Records that a project and its branches are to go.
pub(crate) async fn record_delete(
    conn: &mut PgConnection,
    state: &State,
    ctx: &Ctx,
    project: &Project,
) -> Result<Recorded, Failure> {
    store::projects::lock(conn, project.id).await?;
    if store::activities::branch_running(conn, project.id).await? {
        return Err(project_busy().into());
    }
    let detail = json!({ "name": project.name });
    let work = work(project, OperationKind::ProjectDelete, "project.delete", only_id(project), detail);
    let recorded = operations::record(conn, state, ctx, work).await?;
    for branch in store::projects::live_branches(conn, project.id).await? {
        store::projects::set_intent(conn, branch.id, Intent::Deleted).await?;
    }
    store::projects::set_intent(conn, project.id, Intent::Deleted).await?;
    Ok(recorded)
}
