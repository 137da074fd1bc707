//! Projects. Branches are projects too, so routes by project id take a branch's.

use axum::{
    Json, Router,
    extract::State as AxumState,
    routing::{get, post},
};
use http::StatusCode;
use model::{
    projects::{PauseReason, Status, host},
    quotas::{QuotaAction, QuotaSubject, Restriction},
};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use store::projects::Project;
use utoipa::{IntoParams, ToSchema};

use super::{Answer, WithOperation, time};
use crate::{
    app::{
        Ctx, Started, operations,
        projects::{self, ProjectView, change, create, lifecycle, restorable_until},
    },
    http::extract::{Body, OrganizationPath, ProjectPath, Query},
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/organizations/v1/{org}/projects", get(list_projects).post(create_project))
        .route("/projects/v1/{id}", get(get_project).put(update_project).delete(delete_project))
        .route("/projects/v1/{id}/access-api-key", get(get_access_api_key))
        .route("/projects/v1/{id}/pause", post(pause_project))
        .route("/projects/v1/{id}/restore", post(restore_project))
        .route("/projects/v1/{id}/restart", post(restart_project))
        .route("/projects/v1/{id}/upgrade-instance", post(upgrade_instance))
}

/// A project.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectOut {
    id: uuid::Uuid,
    organization_id: uuid::Uuid,
    /// Set for a branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_project_id: Option<uuid::Uuid>,
    name: String,
    appkey: String,
    region: &'static str,
    #[schema(value_type = String)]
    status: Status,
    operation_status: Option<&'static str>,
    last_operation_error: Option<String>,
    instance_type: &'static str,
    /// Without a leading v.
    service_version: String,
    customized_domain: Option<String>,
    /// Origin on the gateway.
    access_host: String,
    /// The data plane's own loopback address, once it is known.
    direct_url: Option<String>,
    /// `idle`, when it was paused because nobody used it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pause_reason: Option<PauseReason>,
    /// Until when such a project can be restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    restorable_until: Option<String>,
    /// What is done about it for using more than it is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    restriction: Option<RestrictionOut>,
    created_at: String,
    updated_at: String,
}

/// What is done about usage beyond what is allowed. Nothing is deleted; a raised limit ends it.
#[derive(Serialize, ToSchema)]
pub(crate) struct RestrictionOut {
    /// `throttle`, `read_only` or `sleep`.
    #[schema(value_type = String)]
    action: QuotaAction,
    /// A metric, or `spend`.
    #[schema(value_type = String)]
    subject: QuotaSubject,
    used: i64,
    allowed: i64,
    /// For people, as the refused requests say it.
    reason: String,
    since: String,
}

impl From<Restriction> for RestrictionOut {
    fn from(restriction: Restriction) -> Self {
        let Restriction { action, subject, used, allowed, since } = restriction;
        Self { action, subject, used, allowed, reason: restriction.reason(), since: time(since) }
    }
}

impl ProjectOut {
    pub(crate) fn new(state: &State, view: ProjectView) -> Self {
        let (status, operation_status) = (view.status(), view.operation_status());
        let restorable_until = restorable_until(&view.project).map(time);
        let restriction = view.restriction.map(RestrictionOut::from);
        let project = view.project;
        Self {
            id: project.id.as_uuid(),
            organization_id: project.organization_id.as_uuid(),
            parent_project_id: project.parent_id.map(uuid::Uuid::from),
            access_host: access_host(state, &project),
            direct_url: project.address.map(|address| format!("http://{address}")),
            name: project.name,
            appkey: project.app_key.into(),
            region: project.region.as_str(),
            status,
            operation_status,
            last_operation_error: project.last_operation_error,
            instance_type: project.instance_type.as_str(),
            service_version: project.service_version,
            customized_domain: project.customized_domain,
            pause_reason: project.pause_reason,
            restorable_until,
            restriction,
            created_at: time(project.created_at),
            updated_at: time(project.updated_at),
        }
    }
}

/// The origin of a project on the gateway.
pub(crate) fn access_host(state: &State, project: &Project) -> String {
    state.config.gateway.origin(&host(&project.app_key, project.region, &state.config.base_domain))
}

/// The projects of an organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectList {
    projects: Vec<ProjectOut>,
}

/// One project.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectEnvelope {
    project: ProjectOut,
}

impl ProjectEnvelope {
    pub(crate) fn new(state: &State, view: ProjectView) -> Self {
        Self { project: ProjectOut::new(state, view) }
    }
}

fn started(state: &State, started: Started<ProjectView>) -> WithOperation<ProjectEnvelope> {
    let body = ProjectEnvelope::new(state, started.value);
    WithOperation { status: StatusCode::OK, body, operation_id: started.operation_id }
}

/// Whether to hold the request until its work is finished.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    #[serde(default)]
    wait_for_completion: bool,
}

/// After the wait, if there is one: the project as it is then.
async fn waited(
    state: &State,
    ctx: &Ctx,
    wait: bool,
    mut begun: Started<ProjectView>,
) -> Answer<WithOperation<ProjectEnvelope>> {
    if let (true, Some(id)) = (wait, begun.operation_id) {
        operations::wait_for_success(state, id).await?;
        begun.value = projects::get(state, ctx, begun.value.project.id).await?;
    }
    Ok(started(state, begun))
}

/// Lists an organization's projects, without branches.
#[utoipa::path(get, path = "/organizations/v1/{org}/projects", tag = "projects", params(("org" = uuid::Uuid, Path)),
    responses((status = 200, body = ProjectList), (status = 401), (status = 404)))]
pub(crate) async fn list_projects(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OrganizationPath(id): OrganizationPath,
) -> Answer<Json<ProjectList>> {
    let views = projects::list(&state, &ctx, id).await?;
    Ok(Json(ProjectList { projects: views.into_iter().map(|view| ProjectOut::new(&state, view)).collect() }))
}

/// A project to make.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateProjectIn {
    name: String,
    /// `us-east` when absent.
    region: Option<String>,
}

/// Makes a project and returns at once. It is `active` when it answers through the gateway.
#[utoipa::path(post, path = "/organizations/v1/{org}/projects", tag = "projects", params(("org" = uuid::Uuid, Path)), request_body = CreateProjectIn,
    responses((status = 201, body = ProjectEnvelope), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn create_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OrganizationPath(id): OrganizationPath,
    Body(input): Body<CreateProjectIn>,
) -> Answer<WithOperation<ProjectEnvelope>> {
    let input = create::NewProject { name: input.name, region: input.region };
    let created = create::create(&state, &ctx, id, input).await?;
    Ok(WithOperation { status: StatusCode::CREATED, ..started(&state, created) })
}

/// Shows a project.
#[utoipa::path(get, path = "/projects/v1/{id}", tag = "projects", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = ProjectEnvelope), (status = 401), (status = 404)))]
pub(crate) async fn get_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
) -> Answer<Json<ProjectEnvelope>> {
    let view = projects::get(&state, &ctx, id).await?;
    Ok(Json(ProjectEnvelope::new(&state, view)))
}

/// What to change.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpdateProjectIn {
    name: Option<String>,
    /// Empty text removes it.
    customized_domain: Option<String>,
    /// GiB; only grows.
    storage_disk_size: Option<i64>,
}

/// Changes a project's name, custom domain or disk.
#[utoipa::path(put, path = "/projects/v1/{id}", tag = "projects", params(("id" = uuid::Uuid, Path)), request_body = UpdateProjectIn,
    responses((status = 200, body = ProjectEnvelope), (status = 400), (status = 401), (status = 404), (status = 409)))]
pub(crate) async fn update_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
    Body(input): Body<UpdateProjectIn>,
) -> Answer<Json<ProjectEnvelope>> {
    let UpdateProjectIn { name, customized_domain, storage_disk_size: disk_gib } = input;
    let view = change::update(&state, &ctx, id, change::Changes { name, customized_domain, disk_gib }).await?;
    Ok(Json(ProjectEnvelope::new(&state, view)))
}

/// That something is deleted.
#[derive(Serialize, ToSchema)]
pub(crate) struct Deleted {
    pub(crate) message: &'static str,
    pub(crate) id: uuid::Uuid,
}

/// Deletes a project and its branches, or a branch.
#[utoipa::path(delete, path = "/projects/v1/{id}", tag = "projects", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = Deleted), (status = 401), (status = 404), (status = 409)))]
pub(crate) async fn delete_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
) -> Answer<WithOperation<Deleted>> {
    let operation_id = lifecycle::delete(&state, &ctx, id).await?.operation_id;
    let body = Deleted { message: "Project deleted successfully", id: id.as_uuid() };
    Ok(WithOperation { status: StatusCode::OK, body, operation_id })
}

/// A project's admin key.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccessApiKey {
    access_api_key: String,
}

/// Shows the admin key of a project or a branch.
#[utoipa::path(get, path = "/projects/v1/{id}/access-api-key", tag = "projects", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = AccessApiKey), (status = 401), (status = 404)))]
pub(crate) async fn get_access_api_key(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
) -> Answer<Json<AccessApiKey>> {
    let key = projects::access_api_key(&state, &ctx, id).await?;
    Ok(Json(AccessApiKey { access_api_key: key.expose_secret().to_owned() }))
}

/// Stops a project and keeps its data.
#[utoipa::path(post, path = "/projects/v1/{id}/pause", tag = "projects", params(("id" = uuid::Uuid, Path), WaitQuery),
    responses((status = 200, body = ProjectEnvelope), (status = 401), (status = 404), (status = 409)))]
pub(crate) async fn pause_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
    Query(query): Query<WaitQuery>,
) -> Answer<WithOperation<ProjectEnvelope>> {
    let begun = lifecycle::pause(&state, &ctx, id).await?;
    waited(&state, &ctx, query.wait_for_completion, begun).await
}

/// Brings a paused project back.
#[utoipa::path(post, path = "/projects/v1/{id}/restore", tag = "projects", params(("id" = uuid::Uuid, Path), WaitQuery),
    responses((status = 200, body = ProjectEnvelope), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn restore_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
    Query(query): Query<WaitQuery>,
) -> Answer<WithOperation<ProjectEnvelope>> {
    let begun = lifecycle::restore(&state, &ctx, id).await?;
    waited(&state, &ctx, query.wait_for_completion, begun).await
}

/// How to restart.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct RestartQuery {
    /// Version to run from now on, such as `v2.2.2`.
    insforge_oss_version: Option<String>,
    /// Holds the request until the restart is finished.
    #[serde(default)]
    wait_for_completion: bool,
}

/// Restarts a project, with another backend version if one is given.
#[utoipa::path(post, path = "/projects/v1/{id}/restart", tag = "projects", params(("id" = uuid::Uuid, Path), RestartQuery),
    responses((status = 200, body = ProjectEnvelope), (status = 400), (status = 401), (status = 404), (status = 409), (status = 422)))]
pub(crate) async fn restart_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
    Query(query): Query<RestartQuery>,
) -> Answer<WithOperation<ProjectEnvelope>> {
    let begun = lifecycle::restart(&state, &ctx, id, query.insforge_oss_version.as_deref()).await?;
    waited(&state, &ctx, query.wait_for_completion, begun).await
}

/// The wanted size.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpgradeInstanceIn {
    instance_type: String,
}

/// What changes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstanceUpgrade {
    message: &'static str,
    project: ProjectOut,
    previous_instance_type: &'static str,
    new_instance_type: &'static str,
    #[serde(rename = "previousVolumeSizeGiB")]
    previous_volume_size_gib: i64,
    #[serde(rename = "newVolumeSizeGiB")]
    new_volume_size_gib: i64,
}

/// Changes a project's instance type, which restarts it.
#[utoipa::path(post, path = "/projects/v1/{id}/upgrade-instance", tag = "projects", params(("id" = uuid::Uuid, Path)), request_body = UpgradeInstanceIn,
    responses((status = 200, body = InstanceUpgrade), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn upgrade_instance(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
    Body(input): Body<UpgradeInstanceIn>,
) -> Answer<WithOperation<InstanceUpgrade>> {
    let begun = lifecycle::upgrade_instance(&state, &ctx, id, &input.instance_type).await?;
    let resized = begun.value;
    let body = InstanceUpgrade {
        message: "The instance type is being changed",
        previous_instance_type: resized.previous.as_str(),
        new_instance_type: resized.new.as_str(),
        previous_volume_size_gib: resized.disk_gib,
        new_volume_size_gib: resized.disk_gib,
        project: ProjectOut::new(&state, resized.view),
    };
    Ok(WithOperation { status: StatusCode::OK, body, operation_id: begun.operation_id })
}
