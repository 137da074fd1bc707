//! Merging a branch into its parent, updating it from its parent, and taking a merge back.

use axum::{
    Router,
    extract::State as AxumState,
    response::{IntoResponse as _, Response},
    routing::post,
};
use http::{HeaderMap, StatusCode, header};
use ids::{OperationId, ProjectId};
use model::Error;
use saga::operations::MergeDirection;
use schema_merge::Resolutions;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{Answer, WithOperation};
use crate::{
    app::{Ctx, branches::merge},
    http::{
        extract::{Body, BranchPath, Query},
        problem::status as status_of,
    },
    state::State,
};

/// Approvals taken in one request.
const APPROVALS_MAX: usize = 1000;

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/projects/v1/branches/{id}/merge", post(merge_branch))
        .route("/projects/v1/branches/{id}/merge/undo", post(undo_branch_merge))
        .route("/projects/v1/branches/{id}/update", post(update_branch))
}

/// Whether to change anything.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct MergeQuery {
    /// Shows what would be done. Whoever writes `dry_run` must not have merged.
    #[serde(default, alias = "dry_run")]
    dry_run: bool,
}

/// Conditions and decisions.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MergeIn {
    /// `plan_hash` of a dry run: refuse when the plan is another by now. May also be given as `If-Match`.
    #[serde(alias = "expected_plan_hash", alias = "expectedPlanHash")]
    plan_hash: Option<String>,
    /// A resolution file: `{"plan_hash": …, "choices": {"<conflict id>": "take_target" | "take_source" | {"custom_sql": {"sql": …}}}}`.
    resolutions: Option<Value>,
    /// Hazards that are approved, by id or class; `all` approves every one.
    #[serde(default)]
    approve: Vec<String>,
}

impl MergeIn {
    fn options(
        self,
        direction: MergeDirection,
        query: &MergeQuery,
        headers: &HeaderMap,
    ) -> Result<merge::Options, Error> {
        let expected_plan_hash = expected_plan_hash(headers, self.plan_hash)?;
        if self.approve.len() > APPROVALS_MAX || !self.approve.iter().all(|text| is_word(text)) {
            let text = format!("approve must be at most {APPROVALS_MAX} ids or classes of hazards");
            return Err(Error::invalid("approve", text));
        }
        if let Some(resolutions) = &self.resolutions {
            let text = "resolutions must hold plan_hash, and in choices for each conflict id take_target, take_source or custom_sql with sql";
            serde_json::from_value::<Resolutions>(resolutions.clone())
                .map_err(|_| Error::invalid("resolutions", text))?;
        }
        let (dry_run, resolutions, approve) = (query.dry_run, self.resolutions, self.approve);
        Ok(merge::Options { direction, dry_run, expected_plan_hash, resolutions, approve })
    }
}

fn is_word(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn expected_plan_hash(headers: &HeaderMap, body: Option<String>) -> Result<Option<String>, Error> {
    let matched =
        headers.get(header::IF_MATCH).map(|value| value.to_str().unwrap_or_default().trim().trim_matches('"'));
    let hash = body.or_else(|| matched.filter(|text| *text != "*").map(str::to_owned));
    if hash.as_deref().is_some_and(|text| !is_word(text)) {
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
    let options = input.options(MergeDirection::IntoParent, &query, &headers)?;
    let ended = merge::merge(&state, &ctx, id, options).await?;
    Ok(merge_response(id, &ctx, ended.value, ended.operation_id))
}

/// Merges a branch's parent into the branch, or shows what that would do. Answers when it is done.
#[utoipa::path(post, path = "/projects/v1/branches/{id}/update", tag = "branches", params(("id" = uuid::Uuid, Path), MergeQuery), request_body = MergeIn,
    responses((status = 200, description = "DiffResult for a dry run, else `branchId`, `status` and `diff`"), (status = 401), (status = 403), (status = 404),
        (status = 409, description = "Conflicts, with `diff`; on a dry run the branch is busy"), (status = 412, description = "The plan has changed"),
        (status = 422), (status = 423, description = "Busy or not ready")))]
pub(crate) async fn update_branch(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    BranchPath(id): BranchPath,
    Query(query): Query<MergeQuery>,
    headers: HeaderMap,
    Body(input): Body<MergeIn>,
) -> Answer<Response> {
    let options = input.options(MergeDirection::IntoBranch, &query, &headers)?;
    let ended = merge::merge(&state, &ctx, id, options).await?;
    Ok(merge_response(id, &ctx, ended.value, ended.operation_id))
}

/// A condition.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UndoIn {
    /// `plan_hash` of a dry run: refuse when the plan is another by now. May also be given as `If-Match`.
    #[serde(alias = "expected_plan_hash", alias = "expectedPlanHash")]
    plan_hash: Option<String>,
}

/// Takes the branch's last merge back, or shows what that would do: the parent becomes what it was, with every row written since. Answers
/// when it is done.
#[utoipa::path(post, path = "/projects/v1/branches/{id}/merge/undo", tag = "branches", params(("id" = uuid::Uuid, Path), MergeQuery), request_body = UndoIn,
    responses((status = 200, description = "DiffResult for a dry run, else `branchId`, `status`, `diff` and `lost`"), (status = 401), (status = 404),
        (status = 409, description = "The parent has changed the same things since, with `diff`; or there is no merge to undo"), (status = 412, description = "The plan has changed"),
        (status = 422), (status = 423, description = "Busy or not ready, or there is no merge to undo")))]
pub(crate) async fn undo_branch_merge(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    BranchPath(id): BranchPath,
    Query(query): Query<MergeQuery>,
    headers: HeaderMap,
    Body(input): Body<UndoIn>,
) -> Answer<Response> {
    let input = MergeIn { plan_hash: input.plan_hash, resolutions: None, approve: Vec::new() };
    let options = input.options(MergeDirection::Undo, &query, &headers)?;
    let ended = merge::merge(&state, &ctx, id, options).await?;
    Ok(merge_response(id, &ctx, ended.value, ended.operation_id))
}

/// The contract's body of each outcome.
pub(crate) fn merge_response(
    id: ProjectId,
    ctx: &Ctx,
    outcome: merge::Outcome,
    operation_id: Option<OperationId>,
) -> Response {
    let (status, body): (StatusCode, Value) = match outcome {
        merge::Outcome::Planned { diff } => (StatusCode::OK, diff),
        merge::Outcome::Merged { direction, diff, lost } => {
            let body = match direction {
                MergeDirection::IntoParent => json!({ "branchId": id, "status": "merged", "diff": diff }),
                MergeDirection::IntoBranch => json!({ "branchId": id, "status": "updated", "diff": diff }),
                MergeDirection::Undo => json!({ "branchId": id, "status": "undone", "diff": diff, "lost": lost }),
            };
            (StatusCode::OK, body)
        }
        merge::Outcome::Refused { diff, error } => {
            let text = error.message();
            let body = json!({ "code": error.code(), "error": text, "requestId": ctx.request_id, "diff": diff });
            (status_of(error.meaning()), body)
        }
    };
    WithOperation { status, body, operation_id }.into_response()
}
