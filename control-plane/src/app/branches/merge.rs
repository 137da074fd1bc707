//! Merging a branch into its parent, or showing what that would do. The request is held until the operation is finished.

use ids::{OperationId, ProjectId};
use model::{Error, branches::Action, projects::Status};
use saga::{OperationKind, operations::BranchMergeInput};
use serde_json::{Value, json};
use store::operations::{Operation, OperationState};

use super::find_locked;
use crate::{
    app::{Ctx, Failure, Started, operations, projects},
    state::State,
};

/// How a caller wants to merge.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) dry_run: bool,
    /// Refuse unless the plan still has this hash.
    pub(crate) expected_plan_hash: Option<String>,
}

/// How a merge ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A dry run: what a merge would do, conflicts included.
    Planned { diff: Value },
    /// The parent has the branch's changes.
    Merged { diff: Value },
    /// Nothing was changed, because of what the diff shows: conflicts, for example.
    Refused { diff: Value, error: Error },
}

/// Merges, and waits for the end.
pub(crate) async fn merge(
    state: &State,
    ctx: &Ctx,
    id: ProjectId,
    options: Options,
) -> Result<Started<Outcome>, Failure> {
    let dry_run = options.dry_run;
    // A client takes every 409 on execute for a conflict with a diff, so that route says 423 instead.
    let operation_id = begin(state, ctx, id, options)
        .await
        .map_err(|failure| if dry_run { failure } else { Failure(failure.0.conflict_as_locked()) })?;
    let value = outcome(state, operation_id, dry_run).await?;
    Ok(Started { value, operation_id: Some(operation_id) })
}

async fn begin(state: &State, ctx: &Ctx, id: ProjectId, options: Options) -> Result<OperationId, Failure> {
    let mut tx = state.begin().await?;
    let branch = find_locked(&mut tx, ctx, id).await?;
    branch.permit(Action::Merge)?;
    let parent_id = branch.parent_id();
    let parent = projects::find(&mut tx, ctx, parent_id).await?;
    let parent = projects::view(&mut tx, parent).await?;
    if parent.running.is_some() {
        return Err(Error::conflict("branch.busy", "The parent project is busy. Try again when it is done.").into());
    }
    for (what, status) in [("parent project", parent.status()), ("branch", branch.status())] {
        if status != Status::Active {
            return Err(
                Error::conflict("branch.not_ready", format!("The {what} is not active (it is {status}).")).into()
            );
        }
    }
    let Options { dry_run, expected_plan_hash } = options;
    let detail = json!({ "dry_run": dry_run, "parent_id": parent_id, "plan_hash": expected_plan_hash });
    let input =
        BranchMergeInput { branch_id: id, parent_id, rehearsal_id: ProjectId::generate(), dry_run, expected_plan_hash };
    let work = operations::Work {
        kind: OperationKind::BranchMerge,
        action: if dry_run { "branch.merge_dry_run" } else { "branch.merge" },
        organization_id: parent.project.organization_id,
        project_id: id,
        input: operations::input(&input),
        detail,
    };
    let recorded = operations::record(&mut tx, state, ctx, work).await?;
    tx.commit().await?;
    Ok(operations::start(state, recorded).await)
}

/// Waits for a merge that was begun and says how it ended. Also answers a repeated request whose first answer was lost.
pub(crate) async fn outcome(state: &State, operation_id: OperationId, dry_run: bool) -> Result<Outcome, Failure> {
    let Some(operation) = operations::wait(state, operation_id).await? else {
        let text = format!("The merge is still running. Follow it at /operations/v1/{operation_id}.");
        return Err(Error::unavailable("operation.unfinished", text).into());
    };
    let diff = operation.result.as_ref().and_then(|result| result.get("diff")).filter(|diff| diff.is_object()).cloned();
    match (operation.state, diff) {
        (OperationState::Succeeded, Some(diff)) if dry_run => Ok(Outcome::Planned { diff }),
        (OperationState::Succeeded, Some(diff)) => Ok(Outcome::Merged { diff }),
        (OperationState::Succeeded, None) => Err(Error::internal("a merge succeeded without a diff").into()),
        (_, Some(diff)) => Ok(Outcome::Refused { diff, error: refusal(operation) }),
        (_, None) => Err(no_conflict(refusal(operation)).into()),
    }
}

/// A conflict cannot be told without its diff: on this route a client would look for one in vain.
fn no_conflict(error: Error) -> Error {
    error.conflict_as_locked()
}

/// What a failed merge means. The codes are the saga's own.
fn refusal(operation: Operation) -> Error {
    let text = operation.error.unwrap_or_else(|| "The merge failed; nothing was changed.".to_owned());
    match operation.error_code.as_deref() {
        Some("branch.merge_conflict") => Error::conflict("branch.merge_conflict", text),
        Some("branch.plan_changed") => Error::precondition_failed("branch.plan_changed", text),
        Some("branch.parent_busy") => Error::locked("branch.parent_busy", text),
        Some("branch.parent_changed") => Error::locked("branch.parent_changed", text),
        Some("branch.not_ready") => Error::locked("branch.not_ready", text),
        Some("branch.merge_unsupported") => Error::unprocessable("branch.merge_unsupported", text),
        Some("branch.merge_rehearsal_failed") => Error::unprocessable("branch.merge_rehearsal_failed", text),
        Some("branch.merge_unproven") => Error::unprocessable("branch.merge_unproven", text),
        Some("branch.schema_unreadable") => Error::unprocessable("branch.schema_unreadable", text),
        _ => Error::unprocessable("branch.merge_failed", text),
    }
}
