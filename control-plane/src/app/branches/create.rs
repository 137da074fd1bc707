//! Creating a branch: quotas, the parent's fitness, then row, secrets and operation in one transaction.

use chrono::Duration;
use ids::ProjectId;
use model::{
    Error, branches as rules, limits,
    projects::{Activity, Intent, Observed, Status},
    secrets::ProjectSecrets,
    versions::Version,
};
use saga::{
    OperationKind,
    operations::{BranchCreateInput, BranchMode},
};
use serde_json::json;
use sqlx::PgConnection;
use store::projects::Project;

use super::BranchView;
use crate::{
    app::{Ctx, Failure, Started, operations, organizations, projects},
    state::State,
};

/// Creates a branch and returns at once; it is ready when it answers.
pub(crate) async fn create(
    state: &State,
    ctx: &Ctx,
    parent_id: ProjectId,
    name: &str,
    mode: BranchMode,
) -> Result<Started<BranchView>, Failure> {
    let mut tx = state.begin().await?;
    let organization_id = projects::find(&mut tx, ctx, parent_id).await?.organization_id;
    rules::check_name(name)?;
    let membership = organizations::find(&mut tx, ctx, organization_id).await?;
    // Branches of one organization are decided one after another, so that no quota can be overrun.
    store::organizations::lock(&mut tx, organization_id).await?;
    let parent = projects::find_locked(&mut tx, ctx, parent_id).await?;
    if let Some(existing) = duplicate(&mut tx, state, ctx, &parent, name, mode).await? {
        return Ok(Started {
            operation_id: existing.view.running.map(|running| running.operation_id),
            value: existing,
        });
    }
    check_parent(&mut tx, &parent).await?;
    check_name_is_free(&mut tx, &parent, name).await?;
    check_quota(&mut tx, &membership.organization, &parent).await?;

    let branch = new_branch(state, ctx, &parent, name);
    insert(&mut tx, state, &parent, &branch, mode).await?;
    let input = BranchCreateInput { branch_id: branch.id, parent_id, mode };
    let work = operations::Work {
        kind: OperationKind::BranchCreate,
        action: "branch.create",
        organization_id,
        project_id: branch.id,
        input: operations::input(&input),
        detail: json!({ "name": name, "mode": mode, "parent_id": parent_id }),
    };
    let id = branch.id;
    let recorded = operations::record(&mut tx, state, ctx, work).await?;
    let value = super::find(&mut tx, ctx, id).await?;
    tx.commit().await?;
    Ok(Started { value, operation_id: Some(operations::start(state, recorded).await) })
}

/// A client whose request's answer was lost asks again; see `projects::create`.
async fn duplicate(
    conn: &mut PgConnection,
    state: &State,
    ctx: &Ctx,
    parent: &Project,
    name: &str,
    mode: BranchMode,
) -> Result<Option<BranchView>, Failure> {
    if ctx.idempotency_key.is_some() {
        return Ok(None);
    }
    let since = state.clock.now() - Duration::seconds(limits::DUPLICATE_CREATE_SECONDS);
    let (organization_id, region) = (parent.organization_id, parent.region);
    let found =
        store::projects::find_duplicate(conn, organization_id, ctx.user()?.id, Some(parent.id), name, region, since)
            .await?;
    let Some(project) = found else { return Ok(None) };
    let existing = super::find(conn, ctx, project.id).await;
    Ok(existing.ok().filter(|existing| existing.branch.mode == mode))
}

async fn check_parent(conn: &mut PgConnection, parent: &Project) -> Result<(), Failure> {
    let refuse = |text: &str| Failure(Error::unprocessable("branch.parent_not_branchable", text));
    if parent.parent_id.is_some() {
        return Err(refuse("A branch cannot be branched"));
    }
    let version = parent.service_version.parse::<Version>().map_err(Error::internal)?;
    if version < Version::FIRST_BRANCHABLE {
        return Err(refuse("Branching needs backend version 2.0.0 or newer. Update the project first."));
    }
    let view = projects::view(conn, parent.clone()).await?;
    match (view.status(), view.running.map(|running| running.activity)) {
        (Status::Active, None) => Ok(()),
        (Status::Active, Some(Activity::Restarting | Activity::UpdatingVersion | Activity::ChangingInstanceType)) => {
            Err(operations::project_busy().into())
        }
        _ => Err(refuse("Only an active project can be branched")),
    }
}

async fn check_name_is_free(conn: &mut PgConnection, parent: &Project, name: &str) -> Result<(), Failure> {
    let siblings = store::projects::live_branches(conn, parent.id).await?;
    if siblings.iter().any(|sibling| sibling.name == name) {
        return Err(name_conflict().into());
    }
    Ok(())
}

fn name_conflict() -> Error {
    Error::already_exists("branch.name_conflict", "A branch with this name already exists")
}

pub(super) async fn check_quota(
    conn: &mut PgConnection,
    organization: &store::organizations::Organization,
    parent: &Project,
) -> Result<(), Failure> {
    let exceeded = |text: String| Failure(Error::quota_exceeded("branch.quota_exceeded", text));
    let allowed = organization.plan.limits();
    let counts = store::branches::count(conn, organization.id, parent.id).await?;
    if let Some(limit) = allowed.branches_per_parent.filter(|&limit| counts.of_parent >= i64::from(limit)) {
        return Err(exceeded(format!("A project can have up to {limit} active branches. Delete or merge one first.")));
    }
    if let Some(limit) =
        allowed.branched_parents.filter(|&limit| counts.of_parent == 0 && counts.other_parents >= i64::from(limit))
    {
        return Err(exceeded(format!(
            "An organization can have branches of up to {limit} projects. Delete or merge some first."
        )));
    }
    Ok(())
}

fn new_branch(state: &State, ctx: &Ctx, parent: &Project, name: &str) -> Project {
    let now = state.clock.now();
    Project {
        id: ProjectId::generate(),
        parent_id: Some(parent.id),
        name: name.to_owned(),
        app_key: parent.app_key.generate_branch(),
        customized_domain: None,
        intent: Intent::Active,
        observed: Observed::Absent,
        address: None,
        last_operation_error: None,
        created_by: ctx.user_id(),
        created_at: now,
        updated_at: now,
        paused_at: None,
        pause_reason: None,
        deleted_at: None,
        ..parent.clone()
    }
}

async fn insert(
    conn: &mut PgConnection,
    state: &State,
    parent: &Project,
    branch: &Project,
    mode: BranchMode,
) -> Result<(), Failure> {
    let sealed = store::project_secrets::find(conn, parent.id).await?.ok_or_else(projects::not_found)?;
    let parents = ProjectSecrets::open(&sealed, &state.master_key, parent.id).map_err(Error::internal)?;
    let secrets = ProjectSecrets::for_branch(&parents).seal(&state.master_key, branch.id);
    store::projects::insert(conn, branch).await.map_err(|error| match store::violated_constraint(&error) {
        Some("projects_branch_name_key") => Failure(name_conflict()),
        _ => error.into(),
    })?;
    store::branches::insert(conn, branch.id, mode, branch.created_at).await?;
    Ok(store::project_secrets::insert(conn, branch.id, &secrets).await?)
}
