//! Branches: create, list, show, reset, merge, delete.

use axum::{
    Json, Router,
    extract::State as AxumState,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use http::{HeaderMap, StatusCode, header};
use ids::OperationId;
use model::{
    Error,
    branches::BranchState,
    projects::{Status, host},
};
use saga::operations::BranchMode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{Answer, WithOperation, projects::Deleted, time};
use crate::{
    app::{
        Ctx,
        branches::{self, BranchView, create, lifecycle, merge},
    },
    http::{
        extract::{Body, BranchPath, ProjectPath, Query},
        problem::status as status_of,
    },
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/projects/v1/{id}/branches", get(list_branches).post(create_branch))
        .route("/projects/v1/branches/{id}", get(get_branch).delete(delete_branch))
        .route("/projects/v1/branches/{id}/reset", post(reset_branch))
        .route("/projects/v1/branches/{id}/merge", post(merge_branch))
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

/// Whether to change anything.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct MergeQuery {
    /// Shows what a merge would do.
    #[serde(default)]
    dry_run: bool,
}

/// A condition on the merge, which may also be given as `If-Match`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MergeIn {
    /// `plan_hash` of a dry run: refuse when the plan is another by now.
    plan_hash: Option<String>,
}

fn expected_plan_hash(headers: &HeaderMap, body: MergeIn) -> Result<Option<String>, Error> {
    let matched =
        headers.get(header::IF_MATCH).map(|value| value.to_str().unwrap_or_default().trim().trim_matches('"'));
    let hash = body.plan_hash.or_else(|| matched.filter(|text| *text != "*").map(str::to_owned));
    let valid = |text: &String| (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if hash.as_ref().is_some_and(|text| !valid(text)) {
        return Err(Error::invalid("planHash", "planHash must be the plan_hash of a dry run"));
    }
    Ok(hash)
}

/// Merges a branch into its parent, or shows what that would do. Answers when it is done.
#[utoipa::path(post, path = "/projects/v1/branches/{id}/merge", tag = "branches", params(("id" = uuid::Uuid, Path), MergeQuery), request_body = MergeIn,
    responses((status = 200, description = "DiffResult for a dry run, else MergeResult"), (status = 401), (status = 404),
        (status = 409, description = "Conflicts, with `diff`; on a dry run the branch is busy"), (status = 412, description = "The plan has changed"),
        (status = 422), (status = 423, description = "Busy or not ready")))]
pub(crate) async fn merge_branch(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    BranchPath(id): BranchPath,
    Query(query): Query<MergeQuery>,
    headers: HeaderMap,
    Body(input): Body<MergeIn>,
) -> Answer<Response> {
    let options = merge::Options { dry_run: query.dry_run, expected_plan_hash: expected_plan_hash(&headers, input)? };
    let ended = merge::merge(&state, &ctx, id, options).await?;
    Ok(merge_response(id, &ctx, ended.value, ended.operation_id))
}

/// The contract's body of each outcome.
pub(crate) fn merge_response(
    id: ids::ProjectId,
    ctx: &Ctx,
    outcome: merge::Outcome,
    operation_id: Option<OperationId>,
) -> Response {
    let (status, body): (StatusCode, Value) = match outcome {
        merge::Outcome::Planned { diff } => (StatusCode::OK, diff),
        merge::Outcome::Merged { diff } => {
            (StatusCode::OK, json!({ "branchId": id, "status": "merged", "diff": diff }))
        }
        merge::Outcome::Refused { diff, error } => {
            let text = error.message();
            let body = json!({ "code": error.code(), "error": text, "requestId": ctx.request_id, "diff": diff });
            (status_of(error.meaning()), body)
        }
    };
    WithOperation { status, body, operation_id }.into_response()
}
