//! Applying: the rehearsed plan on the target itself.

use data_plane_contract::schema::{ApplyRefused, PlanApplied};
use saga::{StepContext, StepError, operations::BranchMergeInput};
use schema_merge::Snapshot;

use super::{LOCK_ATTEMPTS, MergeState, documents, mispredicted, read_text, target_word, wake};
use crate::{
    World,
    activities::{Outcome, data_plane, schema},
};

/// Applies the plan to the target, in transactions that check what they start from and what they lead to.
pub async fn apply(
    context: StepContext,
    world: &World,
    input: &BranchMergeInput,
    state: &mut MergeState,
    last: bool,
) -> Outcome {
    if !state.committing {
        return Ok(());
    }
    let Some(plan) = state.current() else { return Ok(()) };
    let target_id = input.target_id();
    // Once a plan may have reached the target, only the target's own refusal is a reason to turn back.
    let insist = |error| if context.attempt > 1 { insist(error) } else { error };
    wake(world, target_id).await.map_err(insist)?;
    let platform = data_plane::platform(world, target_id).await.map_err(insist)?;
    let what = target_word(input);
    match schema::apply(world, &platform, &plan.request(context)).await.map_err(insist)? {
        Ok(applied) => {
            let blocked_ms = applied.blocked_ms;
            keep_outcome(context, world, &plan.predicted_hash, applied).await?;
            state.blocked_ms = blocked_ms;
            (state.applied, state.committing, state.finished) = (true, false, true);
            Ok(())
        }
        Err(ApplyRefused::TargetChanged { .. }) => state.outdate(input, last),
        Err(ApplyRefused::Locked) if context.attempt < LOCK_ATTEMPTS => {
            Err(StepError::again(format!("the {what} is busy")))
        }
        Err(ApplyRefused::Locked) => Err(StepError::refused(
            "branch.parent_busy",
            format!(
                "The {what} is busy: its tables stayed locked by other transactions. Nothing was changed. Try again later."
            ),
        )),
        Err(ApplyRefused::StatementFailed { index, sqlstate, message, committed_segments }) => Err(StepError::refused(
            "branch.merge_failed",
            format!(
                "Statement {} of the merge failed on the {what} ({sqlstate}): {message}. {}",
                index + 1,
                changed(committed_segments)
            ),
        )),
        Err(ApplyRefused::PredictionFailed { differences, .. }) => Err(mispredicted(context, &differences)),
    }
}

/// What a failure has left.
fn changed(committed_segments: u32) -> String {
    match committed_segments {
        0 => "Nothing was changed.".to_owned(),
        count => format!("{count} earlier parts of it were applied before and stay; another merge goes on from there."),
    }
}

/// Writes down what the target is now. When the answer to the first request was lost and the target was changed since, what was foretold
/// stands for it.
async fn keep_outcome(context: StepContext, world: &World, predicted_hash: &str, applied: PlanApplied) -> Outcome {
    let mut after: Snapshot = read_text("target", &applied.snapshot)?;
    if after.catalog.hash() != predicted_hash {
        after.catalog = documents::snapshot(world, context.operation_id, documents::PREDICTED).await?.catalog;
    }
    documents::keep_snapshot(context, world, documents::AFTER, &after).await
}

/// A failure that says nothing about the target, as one to try again.
fn insist(error: StepError) -> StepError {
    if error.retryable() { error } else { StepError::again(error.to_string()).because(error) }
}
