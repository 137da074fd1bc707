//! Rehearsing: a throw-away clone of the target on which the plan is run first.

use data_plane_contract::schema::{ApplyRefused, RehearsePlan, Rehearsed, Violation};
use saga::{
    StepContext, StepError,
    operations::{BranchMergeInput, MergeDirection},
};

use super::{MergeState, mispredicted, planning, write};
use crate::{
    World,
    activities::{Outcome, data_plane, database, schema},
};

/// A column without a value where one is demanded.
const NOT_NULL_VIOLATION: &str = "23502";

/// Plans, and meanwhile makes sure that a throw-away clone of the target runs: a plan that leads on is tried there.
pub async fn prepare(context: StepContext, world: &World, input: &BranchMergeInput, state: &mut MergeState) -> Outcome {
    if state.finished {
        return Ok(());
    }
    let (planned, cloned) = tokio::join!(planning::plan(context, world, input, state), ensure_clone(world, input));
    // Half a clone is one to remove.
    state.cloned = true;
    planned?;
    match state.current() {
        Some(_) => cloned,
        None => Ok(()),
    }
}

async fn ensure_clone(world: &World, input: &BranchMergeInput) -> Outcome {
    database::ensure_throw_away_clone(world, input.rehearsal_id, input.target_id()).await?;
    data_plane::ensure_rehearsal(world, input.rehearsal_id, input.target_id()).await.map(drop)
}

/// Removes the clone.
pub async fn drop_clone(world: &World, input: &BranchMergeInput) -> Outcome {
    data_plane::drop(world, input.rehearsal_id).await?;
    database::drop(world, input.rehearsal_id).await
}

/// Applies the plan to the clone; what it leads to must be what was predicted, and a second observer must agree.
pub async fn rehearse(
    context: StepContext,
    world: &World,
    input: &BranchMergeInput,
    state: &mut MergeState,
    last: bool,
) -> Outcome {
    let Some(plan) = state.current() else { return Ok(()) };
    let platform = data_plane::rehearsal_platform(world, input.rehearsal_id, input.target_id()).await?;
    let foretold = plan.exact || plan.restated;
    let request =
        RehearsePlan { plan: plan.request(context), exact: foretold, probes: plan.probes.clone(), observe: true };
    let Rehearsed { refused, segments, report } = schema::rehearse(world, &platform, &request).await?;
    state.rehearsal = Some(write("report", &report)?);
    match refused {
        None if report.observer.verdict == "disagrees" => Err(mispredicted(context, &report.observer.differences)),
        None => {
            if let Some(plan) = state.plan.as_mut().filter(|plan| !plan.exact) {
                // What was reached is what is asked of the target.
                let reached = segments.as_array().and_then(|segments| segments.last()).cloned().unwrap_or_default();
                if let Some(hash) = reached["predicted_hash"].as_str() {
                    plan.predicted_hash = hash.to_owned();
                }
                plan.segments = segments;
            }
            Ok(())
        }
        Some(ApplyRefused::TargetChanged { .. }) => state.outdate(input, last),
        Some(ApplyRefused::Locked) => Err(StepError::again("the copy of the target is busy")),
        Some(ApplyRefused::StatementFailed { sqlstate, .. })
            if input.direction == MergeDirection::Undo && sqlstate == NOT_NULL_VIOLATION && !state.relaxed =>
        {
            state.relaxed = true;
            state.outdate(input, last)
        }
        Some(ApplyRefused::StatementFailed { index, sqlstate, message, .. }) => Err(StepError::refused(
            "branch.merge_rehearsal_failed",
            format!(
                "Statement {} of the merge fails on a copy of the {} ({sqlstate}): {message}{}",
                index + 1,
                super::target_word(input),
                told(&report.violations)
            ),
        )),
        Some(ApplyRefused::PredictionFailed { differences, .. }) => Err(mispredicted(context, &differences)),
    }
}

/// The rows in the way, for a person.
fn told(violations: &[Violation]) -> String {
    let mut text = String::new();
    for Violation { table, what, count, sample, .. } in violations {
        let count = count.map_or_else(|| "Many".to_owned(), |count| count.to_string());
        let sample: Vec<String> = sample.iter().map(ToString::to_string).collect();
        text += &format!(". {count} rows of {table} {what}, such as {}", sample.join(", "));
    }
    text
}

/// Removes the clone, if there is one. From here on the target is changed, unless this is a dry run or the plan is outdated.
pub async fn discard_clone(world: &World, input: &BranchMergeInput, state: &mut MergeState) -> Outcome {
    if state.cloned {
        drop_clone(world, input).await?;
        state.cloned = false;
    }
    if state.current().is_some() {
        state.finished = input.dry_run;
        state.committing = !input.dry_run;
    }
    if state.finished {
        state.forget_statements();
    }
    Ok(())
}
