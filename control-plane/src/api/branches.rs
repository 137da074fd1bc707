//! Branches: create, list, show, reset, delete. Merging is in [`super::merges`].

use axum::{
    Json, Router,
    extract::State as AxumState,
    routing::{get, post},
};
use http::StatusCode;
use model::{
    Error,
    branches::BranchState,
    projects::{Status, host},
};
use saga::operations::BranchMode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, WithOperation, projects::Deleted, time};
use crate::{
    app::{
        Ctx,
        branches::{self, BranchView, create, lifecycle},
    },
    http::extract::{Body, BranchPath, ProjectPath},
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/projects/v1/{id}/branches", get(list_branches).post(create_branch))
        .route("/projects/v1/branches/{id}", get(get_branch).delete(delete_branch))
        .route("/projects/v1/branches/{id}/reset", post(reset_branch))
}

/// A branch.
#[derive(Serialize, ToSchema)]
pub(crate) struct BranchOut {
    id: uuid::Uuid,
    parent_project_id: uuid::Uuid,
    organization_id: uuid::Uuid,
    name: String,
    appkey: String,
    region: &'static str,
    #[schema(value_type = String)]
    status: Status,
    #[schema(value_type = String)]
    branch_state: BranchState,
    branch_created_at: String,
    branch_metadata: BranchMetadata,
    /// Origin on the gateway.
    access_host: String,
    /// The data plane's own loopback address, once it is known.
    direct_url: Option<String>,
    last_operation_error: Option<String>,
}

/// How a branch started.
#[derive(Serialize, ToSchema)]
pub(crate) struct BranchMetadata {
    /// `full` or `schema-only`.
    #[schema(value_type = String)]
    mode: BranchMode,
}

impl BranchOut {
    fn new(state: &State, branch: BranchView) -> Self {
        let (branch_state, status, parent_id) = (branch.state(), branch.status(), branch.parent_id());
        let project = branch.view.project;
        Self {
            id: project.id.as_uuid(),
            parent_project_id: parent_id.as_uuid(),
            organization_id: project.organization_id.as_uuid(),
            access_host: state.config.gateway.origin(&host(
                &project.app_key,
                project.region,
                &state.config.base_domain,
            )),
            direct_url: project.address.map(|address| format!("http://{address}")),
            last_operation_error: project.last_operation_error,
            name: project.name,
            appkey: project.app_key.into(),
            region: project.region.as_str(),
            status,
            branch_state,
            branch_created_at: time(branch.branch.created_at),
            branch_metadata: BranchMetadata { mode: branch.branch.mode },
        }
    }
}

/// The branches of a project.
#[derive(Serialize, ToSchema)]
pub(crate) struct BranchList {
    data: Vec<BranchOut>,
}

/// One branch.
#[derive(Serialize, ToSchema)]
pub(crate) struct BranchEnvelope {
    branch: BranchOut,
}

impl BranchEnvelope {
    pub(crate) fn new(state: &State, branch: BranchView) -> Self {
        Self { branch: BranchOut::new(state, branch) }
    }
}

/// Lists a project's branches, without deleted ones.
#[utoipa::path(get, path = "/projects/v1/{id}/branches", tag = "branches", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = BranchList), (status = 401), (status = 404)))]
pub(crate) async fn list_branches(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
) -> Answer<Json<BranchList>> {
    let branches = branches::list(&state, &ctx, id).await?;
    Ok(Json(BranchList { data: branches.into_iter().map(|branch| BranchOut::new(&state, branch)).collect() }))
}

/// A branch to make.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateBranchIn {
    name: String,
    /// `full` or `schema-only`.
    mode: String,
}

/// Makes a branch and returns at once. It is `ready` when it answers through the gateway.
#[utoipa::path(post, path = "/projects/v1/{id}/branches", tag = "branches", params(("id" = uuid::Uuid, Path)), request_body = CreateBranchIn,
    responses((status = 202, body = BranchEnvelope), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub(crate) async fn create_branch(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
    Body(input): Body<CreateBranchIn>,
) -> Answer<WithOperation<BranchEnvelope>> {
    let mode = match input.mode.as_str() {
        "full" => BranchMode::Full,
        "schema-only" => BranchMode::SchemaOnly,
        _ => return Err(Error::invalid("mode", "mode must be full or schema-only").into()),
    };
    let created = create::create(&state, &ctx, id, &input.name, mode).await?;
    let body = BranchEnvelope::new(&state, created.value);
    Ok(WithOperation { status: StatusCode::ACCEPTED, body, operation_id: created.operation_id })
}

/// Shows a branch.
#[utoipa::path(get, path = "/projects/v1/branches/{id}", tag = "branches", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = BranchEnvelope), (status = 401), (status = 404)))]
pub(crate) async fn get_branch(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    BranchPath(id): BranchPath,
) -> Answer<Json<BranchEnvelope>> {
    let branch = branches::get(&state, &ctx, id).await?;
    Ok(Json(BranchEnvelope::new(&state, branch)))
}

/// Deletes a branch.
#[utoipa::path(delete, path = "/projects/v1/branches/{id}", tag = "branches", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = Deleted), (status = 401), (status = 404), (status = 409)))]
pub(crate) async fn delete_branch(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    BranchPath(id): BranchPath,
) -> Answer<WithOperation<Deleted>> {
    let operation_id = lifecycle::delete(&state, &ctx, id).await?.operation_id;
    let body = Deleted { message: "Branch deleted successfully", id: id.as_uuid() };
    Ok(WithOperation { status: StatusCode::OK, body, operation_id })
}

/// Puts a branch back to its state at creation.
#[utoipa::path(post, path = "/projects/v1/branches/{id}/reset", tag = "branches", params(("id" = uuid::Uuid, Path)),
    responses((status = 202, body = BranchEnvelope), (status = 401), (status = 404), (status = 409)))]
pub(crate) async fn reset_branch(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    BranchPath(id): BranchPath,
) -> Answer<WithOperation<BranchEnvelope>> {
    let begun = lifecycle::reset(&state, &ctx, id).await?;
    let body = BranchEnvelope::new(&state, begun.value);
    Ok(WithOperation { status: StatusCode::ACCEPTED, body, operation_id: begun.operation_id })
}
