//! Creating a project: its row, its secrets and its operation are one transaction; the rest is the operation's.

use chrono::Duration;
use ids::{AppKey, OrganizationId, ProjectId};
use model::{
    Error,
    instances::InstanceType,
    limits::{self, Plan},
    organizations::check_name,
    projects::{Intent, Observed},
    regions::Region,
    secrets::ProjectSecrets,
};
use saga::{OperationKind, operations::ProjectInput};
use serde_json::json;
use sqlx::PgConnection;
use store::projects::Project;

use super::{ProjectView, view};
use crate::{
    app::{
        Ctx, Failure, Started,
        operations::{self, Recorded},
        organizations,
    },
    state::State,
};

/// What a caller may choose.
#[derive(Clone, Debug)]
pub(crate) struct NewProject {
    pub(crate) name: String,
    pub(crate) region: Option<String>,
}

/// Creates a project and returns at once; it is active when it answers.
pub(crate) async fn create(
    state: &State,
    ctx: &Ctx,
    organization_id: OrganizationId,
    input: NewProject,
) -> Result<Started<ProjectView>, Failure> {
    let mut tx = state.begin().await?;
    let membership = organizations::find(&mut tx, ctx, organization_id).await?;
    let name = check_name("name", &input.name)?;
    let region = Region::wanted(input.region.as_deref())?;
    // Creates of one organization go one after another, so that no quota can be overrun.
    if !store::organizations::lock(&mut tx, organization_id).await? {
        return Err(Error::not_found("organization.not_found", "Organization").into());
    }
    if let Some(existing) = duplicate(&mut tx, state, ctx, organization_id, &name, region).await? {
        let view = view(&mut tx, existing).await?;
        return Ok(Started { operation_id: view.running.map(|running| running.operation_id), value: view });
    }
    check_active_quota(&mut tx, membership.organization.plan, organization_id).await?;

    let project = new_project(state, ctx, organization_id, name, region);
    let recorded = record(&mut tx, state, ctx, &project).await?;
    let value = view(&mut tx, project).await?;
    tx.commit().await?;
    Ok(Started { value, operation_id: Some(operations::start(state, recorded).await) })
}

/// Records a project, its secrets and the work of making it.
pub(crate) async fn record(
    conn: &mut PgConnection,
    state: &State,
    ctx: &Ctx,
    project: &Project,
) -> Result<Recorded, Failure> {
    let secrets = ProjectSecrets::generate().seal(&state.master_key, project.id);
    store::projects::insert(conn, project).await?;
    store::project_secrets::insert(conn, project.id, &secrets).await?;
    let work = operations::Work {
        kind: OperationKind::ProjectCreate,
        action: "project.create",
        organization_id: project.organization_id,
        project_id: project.id,
        input: operations::input(&ProjectInput { project_id: project.id }),
        detail: json!({ "name": project.name, "region": project.region }),
    };
    operations::record(conn, state, ctx, work).await
}

/// A client whose request's answer was lost asks again. Without an idempotency key, the same create by the same caller within a minute is
/// taken for that.
async fn duplicate(
    conn: &mut PgConnection,
    state: &State,
    ctx: &Ctx,
    organization_id: OrganizationId,
    name: &str,
    region: Region,
) -> Result<Option<Project>, Failure> {
    let (None, Some(caller)) = (&ctx.idempotency_key, ctx.user_id()) else { return Ok(None) };
    let since = state.clock.now() - Duration::seconds(limits::DUPLICATE_CREATE_SECONDS);
    Ok(store::projects::find_duplicate(conn, organization_id, caller, None, name, region, since).await?)
}

/// Refuses another active project beyond the plan's. The caller holds the organization's lock.
pub(crate) async fn check_active_quota(
    conn: &mut PgConnection,
    plan: Plan,
    organization_id: OrganizationId,
) -> Result<(), Failure> {
    let Some(limit) = plan.limits().active_projects else { return Ok(()) };
    if store::projects::count_active(conn, organization_id).await? < i64::from(limit) {
        return Ok(());
    }
    let name = match plan {
        Plan::Free => "Free",
        Plan::Starter => "Starter",
        Plan::Pro => "Pro",
        Plan::Team => "Team",
        Plan::Enterprise => "Enterprise",
    };
    let text =
        format!("{name} plan allows up to {limit} active projects. Please upgrade your plan to create more projects.");
    Err(Error::quota_exceeded("project.quota_exceeded", text).into())
}

/// A project that nothing is known of but what its owner wants.
pub(crate) fn new_project(
    state: &State,
    ctx: &Ctx,
    organization_id: OrganizationId,
    name: String,
    region: Region,
) -> Project {
    let now = state.clock.now();
    Project {
        id: ProjectId::generate(),
        organization_id,
        parent_id: None,
        name,
        app_key: AppKey::generate(),
        region,
        instance_type: InstanceType::Nano,
        service_version: state.config.latest_version.to_string(),
        customized_domain: None,
        sleep_after_seconds: state.config.sleep_after_seconds,
        intent: Intent::Active,
        observed: Observed::Absent,
        address: None,
        last_operation_error: None,
        created_by: ctx.user_id(),
        partner_id: None,
        partner_user_id: None,
        created_at: now,
        updated_at: now,
        paused_at: None,
        pause_reason: None,
        deleted_at: None,
    }
}
