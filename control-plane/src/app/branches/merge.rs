//! Merging a branch into its parent, updating it from its parent, taking a merge back, or showing what that would do. The request is held
//! until the operation is finished.

use ids::{OperationId, ProjectId};
use model::{Error, branches::Action, projects::Status};
use saga::{
    OperationKind,
    operations::{BranchMergeInput, MergeDirection},
};
use serde_json::{Value, json};
use sqlx::PgConnection;
use store::operations::{Operation, OperationState};

use super::{BranchView, create, find_locked};
use crate::{
    app::{Ctx, Failure, Started, operations, organizations, projects},
    state::State,
};

/// How a caller wants to merge.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) direction: MergeDirection,
    pub(crate) dry_run: bool,
    /// Refuse unless the plan still has this hash.
    pub(crate) expected_plan_hash: Option<String>,
    /// Decisions on conflicts.
    pub(crate) resolutions: Option<Value>,
    /// Hazards that are approved.
    pub(crate) approve: Vec<String>,
}

/// How a merge ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A dry run: what a merge would do, conflicts included.
    Planned { diff: Value },
    /// The target has the changes.
    Merged { direction: MergeDirection, diff: Value, lost: Value },
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
    let (direction, dry_run) = (options.direction, options.dry_run);
    // A client takes every 409 on execute for a conflict with a diff, so that route says 423 instead.
    let operation_id = begin(state, ctx, id, options)
        .await
        .map_err(|failure| if dry_run { failure } else { Failure(failure.0.conflict_as_locked()) })?;
    let value = outcome(state, operation_id, direction, dry_run).await?;
    Ok(Started { value, operation_id: Some(operation_id) })
}

/// What each direction is called: as an action, as an operation, and in the audit log, for real and as a dry run.
const fn names(direction: MergeDirection) -> (Action, OperationKind, &'static str, &'static str) {
    match direction {
        MergeDirection::IntoParent => {
            (Action::Merge, OperationKind::BranchMerge, "branch.merge", "branch.merge_dry_run")
        }
        MergeDirection::IntoBranch => {
            (Action::Update, OperationKind::BranchUpdate, "branch.update", "branch.update_dry_run")
        }
        MergeDirection::Undo => {
            (Action::UndoMerge, OperationKind::BranchMergeUndo, "branch.merge_undo", "branch.merge_undo_dry_run")
        }
    }
}

async fn begin(state: &State, ctx: &Ctx, id: ProjectId, options: Options) -> Result<OperationId, Failure> {
    let Options { direction, dry_run, expected_plan_hash, resolutions, approve } = options;
    let (action, kind, name, dry_name) = names(direction);
    let mut tx = state.begin().await?;
    let branch = find_locked(&mut tx, ctx, id).await?;
    branch.permit(action)?;
    let parent_id = branch.parent_id();
    let parent = projects::find(&mut tx, ctx, parent_id).await?;
    let parent = projects::view(&mut tx, parent).await?;
    if parent.running.is_some() {
        return Err(Error::conflict("branch.busy", "The parent project is busy. Try again when it is done.").into());
    }
    for (what, status) in [("parent project", parent.status()), ("branch", branch.status())] {
        let needed = what != "branch" || direction != MergeDirection::Undo;
        if needed && status != Status::Active {
            return Err(
                Error::conflict("branch.not_ready", format!("The {what} is not active (it is {status}).")).into()
            );
        }
    }
    let undoes = match direction {
        MergeDirection::Undo => Some(undoable(&mut tx, state, id).await?),
        MergeDirection::IntoBranch if !dry_run && branch.branch.merged => {
            check_quota(&mut tx, ctx, &branch, &parent.project).await?;
            None
        }
        _ => None,
    };
    let detail = json!({
        "dry_run": dry_run, "parent_id": parent_id, "plan_hash": expected_plan_hash, "approve": approve, "undoes": undoes
    });
    let input = BranchMergeInput {
        dry_run,
        expected_plan_hash,
        resolutions,
        approve,
        undoes,
        ..BranchMergeInput::new(id, parent_id, direction)
    };
    let work = operations::Work {
        kind,
        action: if dry_run { dry_name } else { name },
        organization_id: parent.project.organization_id,
        project_id: id,
        input: operations::input(&input),
        detail,
    };
    let recorded = operations::record(&mut tx, state, ctx, work).await?;
    tx.commit().await?;
    Ok(operations::start(state, recorded).await)
}

/// The merge that can be undone.
async fn undoable(conn: &mut PgConnection, state: &State, id: ProjectId) -> Result<OperationId, Failure> {
    let open = store::merges::open(conn, id, state.clock.now()).await?;
    let text = "There is no merge of this branch that can be undone: it was not merged, it was updated or another branch was merged since, or the time is up.";
    open.map(|merge| merge.operation_id).ok_or_else(|| Error::conflict("branch.undo_unavailable", text).into())
}

/// A merged branch counts again once it is updated.
async fn check_quota(
    conn: &mut PgConnection,
    ctx: &Ctx,
    branch: &BranchView,
    parent: &store::projects::Project,
) -> Result<(), Failure> {
    let organization_id = branch.view.project.organization_id;
    let membership = organizations::find(conn, ctx, organization_id).await?;
    store::organizations::lock(conn, organization_id).await?;
    create::check_quota(conn, &membership.organization, parent).await
}

/// Waits for a merge that was begun and says how it ended. Also answers a repeated request whose first answer was lost.
pub(crate) async fn outcome(
    state: &State,
    operation_id: OperationId,
    direction: MergeDirection,
    dry_run: bool,
) -> Result<Outcome, Failure> {
    let Some(operation) = operations::wait(state, operation_id).await? else {
        let text = format!("The merge is still running. Follow it at /operations/v1/{operation_id}.");
        return Err(Error::unavailable("operation.unfinished", text).into());
    };
    let of_result = |name: &str| operation.result.as_ref().and_then(|result| result.get(name)).cloned();
    let diff = of_result("diff").filter(Value::is_object);
    match (operation.state, diff) {
        (OperationState::Succeeded, Some(diff)) if dry_run => Ok(Outcome::Planned { diff }),
        (OperationState::Succeeded, Some(diff)) => {
            Ok(Outcome::Merged { direction, diff, lost: of_result("lost").unwrap_or_else(|| json!([])) })
        }
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
        Some("branch.undo_conflict") => Error::conflict("branch.undo_conflict", text),
        Some("branch.undo_unavailable") => Error::locked("branch.undo_unavailable", text),
        Some("branch.approval_needed") => Error::unprocessable("branch.approval_needed", text),
        Some("branch.resolution_invalid") => Error::unprocessable("branch.resolution_invalid", text),
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
