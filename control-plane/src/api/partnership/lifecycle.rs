//! Pausing, restoring, resizing, restarting, deleting and entering a partner's project.

use axum::{Json, extract::State as AxumState};
use http::StatusCode;
use ids::{OperationId, ProjectId};
use model::{Error, projects::Status, versions::Version};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::PartnerProjectEnvelope;
use crate::{
    api::{Answer, WithOperation},
    app::{
        Ctx, operations,
        partners::{partner, projects as partner_projects},
        projects::{self, ProjectView, change, lifecycle},
    },
    http::extract::{Body, ProjectPath},
    state::State,
};

/// Whether to answer only when it is done.
#[derive(Deserialize, ToSchema)]
pub(crate) struct WaitIn {
    #[serde(default)]
    wait_for_completion: bool,
}

/// A project and how it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartnerProjectStatus {
    id: uuid::Uuid,
    #[schema(value_type = String)]
    status: Status,
}

/// Waits for the operation if that was asked for, and says how the project is then.
async fn waited(
    state: &State,
    ctx: &Ctx,
    id: ProjectId,
    wait: bool,
    operation_id: Option<OperationId>,
) -> Answer<ProjectView> {
    if let (true, Some(operation_id)) = (wait, operation_id) {
        operations::wait_for_success(state, operation_id).await?;
    }
    projects::get(state, ctx, id).await
}

fn status_of(
    view: &ProjectView,
    operation_id: Option<OperationId>,
) -> WithOperation<PartnerProjectEnvelope<PartnerProjectStatus>> {
    let project = PartnerProjectStatus { id: view.project.id.as_uuid(), status: view.status() };
    WithOperation { status: StatusCode::OK, body: PartnerProjectEnvelope { project }, operation_id }
}

/// Stops a project and keeps its data. One that is stopped already stays so.
#[utoipa::path(post, path = "/partnership/v1/{partner}/{id}/pause", tag = "partnership",
    params(("partner" = String, Path), ("id" = uuid::Uuid, Path, description = "The project")), request_body = WaitIn,
    security(("partner" = [])),
    responses((status = 200, body = PartnerProjectEnvelope<PartnerProjectStatus>), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn pause_partner_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
    Body(input): Body<WaitIn>,
) -> Answer<WithOperation<PartnerProjectEnvelope<PartnerProjectStatus>>> {
    let present = projects::get(&state, &ctx, id).await?;
    if present.status() == Status::Paused && present.running.is_none() {
        return Ok(status_of(&present, None));
    }
    let operation_id = lifecycle::pause(&state, &ctx, id).await?.operation_id;
    let view = waited(&state, &ctx, id, input.wait_for_completion, operation_id).await?;
    Ok(status_of(&view, operation_id))
}

/// Brings a paused project back. One that is active already stays so.
#[utoipa::path(post, path = "/partnership/v1/{partner}/{id}/restore", tag = "partnership",
    params(("partner" = String, Path), ("id" = uuid::Uuid, Path, description = "The project")), request_body = WaitIn,
    security(("partner" = [])),
    responses((status = 200, body = PartnerProjectEnvelope<PartnerProjectStatus>), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn restore_partner_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
    Body(input): Body<WaitIn>,
) -> Answer<WithOperation<PartnerProjectEnvelope<PartnerProjectStatus>>> {
    let present = projects::get(&state, &ctx, id).await?;
    if present.status() == Status::Active && present.running.is_none() {
        return Ok(status_of(&present, None));
    }
    let operation_id = lifecycle::restore(&state, &ctx, id).await?.operation_id;
    let view = waited(&state, &ctx, id, input.wait_for_completion, operation_id).await?;
    Ok(status_of(&view, operation_id))
}

/// That a project is gone.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartnerProjectDeleted {
    message: &'static str,
    request_id: String,
}

/// Deletes a project and its branches, for good.
#[utoipa::path(delete, path = "/partnership/v1/{partner}/{id}", tag = "partnership",
    params(("partner" = String, Path), ("id" = uuid::Uuid, Path, description = "The project")), security(("partner" = [])),
    responses((status = 200, body = PartnerProjectDeleted), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn delete_partner_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
) -> Answer<WithOperation<PartnerProjectDeleted>> {
    let operation_id = lifecycle::delete(&state, &ctx, id).await?.operation_id;
    let body = PartnerProjectDeleted { message: "Project deleted successfully", request_id: ctx.request_id };
    Ok(WithOperation { status: StatusCode::OK, body, operation_id })
}

/// A code for a project's dashboard.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuthorizationCode {
    code: String,
    /// Seconds.
    expires_in: i64,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// Makes a code by which the bearer enters a project's dashboard as its administrator.
#[utoipa::path(post, path = "/partnership/v1/{partner}/{id}/authorization", tag = "partnership",
    params(("partner" = String, Path), ("id" = uuid::Uuid, Path, description = "The project")), security(("partner" = [])),
    responses((status = 200, body = AuthorizationCode), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn authorize_partner_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
) -> Answer<Json<AuthorizationCode>> {
    let code = partner_projects::authorize(&state, &ctx, id).await?;
    Ok(Json(AuthorizationCode {
        code: code.expose_secret().to_owned(),
        expires_in: model::limits::AUTHORIZATION_CODE_SECONDS,
        kind: "Bearer",
    }))
}

/// The wanted size.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpgradePartnerProjectIn {
    instance_type: Option<String>,
    /// Only grows.
    volume_size_gib: Option<i64>,
    #[serde(default)]
    wait_for_completion: bool,
}

/// What it was and what it will be.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartnerProjectUpgrade {
    message: &'static str,
    previous_instance_type: &'static str,
    new_instance_type: &'static str,
    #[serde(rename = "previousVolumeSizeGiB")]
    previous_volume_size_gib: i64,
    #[serde(rename = "newVolumeSizeGiB")]
    new_volume_size_gib: i64,
}

/// Changes a project's instance type, which restarts it, or its volume.
#[utoipa::path(post, path = "/partnership/v1/{partner}/{id}/upgrade", tag = "partnership",
    params(("partner" = String, Path), ("id" = uuid::Uuid, Path, description = "The project")), request_body = UpgradePartnerProjectIn,
    security(("partner" = [])),
    responses((status = 200, body = PartnerProjectUpgrade), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn upgrade_partner_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
    Body(input): Body<UpgradePartnerProjectIn>,
) -> Answer<WithOperation<PartnerProjectUpgrade>> {
    if input.instance_type.is_none() && input.volume_size_gib.is_none() {
        return Err(Error::invalid("instance_type", "Give instance_type or volume_size_gib").into());
    }
    let before = projects::get(&state, &ctx, id).await?;
    let wanted = match input.instance_type.as_deref() {
        Some(name) => Some(partner(&ctx)?.allowances.instance_type(Some(name))?),
        None => None,
    };
    let volume = change::resize_disk(&state, &ctx, id, input.volume_size_gib).await?;
    let previous = before.project.instance_type;
    let mut operation_id = None;
    if let Some(new) = wanted.filter(|new| *new != previous) {
        operation_id = lifecycle::upgrade_instance(&state, &ctx, id, new.as_str()).await?.operation_id;
        waited(&state, &ctx, id, input.wait_for_completion, operation_id).await?;
    }
    let body = PartnerProjectUpgrade {
        message: if operation_id.is_some() { "The project is being upgraded" } else { "The project is upgraded" },
        previous_instance_type: previous.as_str(),
        new_instance_type: wanted.unwrap_or(previous).as_str(),
        previous_volume_size_gib: volume.previous_gib,
        new_volume_size_gib: volume.new_gib,
    };
    Ok(WithOperation { status: StatusCode::OK, body, operation_id })
}

/// How to restart.
#[derive(Deserialize, ToSchema)]
pub(crate) struct RestartPartnerProjectIn {
    /// Version to run from now on, such as `v2.2.2`.
    insforge_oss_version: Option<String>,
    #[serde(default)]
    wait_for_completion: bool,
}

/// What runs then.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartnerProjectRestart {
    message: &'static str,
    insforge_oss_version: String,
}

/// Restarts a project, with another backend version if one is given.
#[utoipa::path(post, path = "/partnership/v1/{partner}/{id}/restart", tag = "partnership",
    params(("partner" = String, Path), ("id" = uuid::Uuid, Path, description = "The project")), request_body = RestartPartnerProjectIn,
    security(("partner" = [])),
    responses((status = 200, body = PartnerProjectRestart), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub(crate) async fn restart_partner_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
    Body(input): Body<RestartPartnerProjectIn>,
) -> Answer<WithOperation<PartnerProjectRestart>> {
    let wanted = input.insforge_oss_version.as_deref();
    let begun = lifecycle::restart(&state, &ctx, id, wanted).await?;
    let view = waited(&state, &ctx, id, input.wait_for_completion, begun.operation_id).await?;
    let version = wanted.unwrap_or(&view.project.service_version).parse::<Version>().map_err(Error::internal)?;
    let body = PartnerProjectRestart {
        message: if input.wait_for_completion { "The project is restarted" } else { "The project is being restarted" },
        insforge_oss_version: version.tag(),
    };
    Ok(WithOperation { status: StatusCode::OK, body, operation_id: begun.operation_id })
}
