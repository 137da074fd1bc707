//! The effects of a merge, and what they learn from each other. All use of `schema-merge` is here.

use std::collections::HashSet;

use data_plane_contract::schema::{ApplyPlan, ApplyRefused, PlanApplied, SchemaSnapshot};
use ids::ProjectId;
use saga::{StepContext, StepError, operations::BranchMergeInput};
use schema_merge::Snapshot;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Outcome,
    data_plane::{self, Platform},
    database, project, project_row, schema, store_failed,
};
use crate::World;

/// Longest wait for one lock of the parent.
const LOCK_TIMEOUT_MS: u32 = 400;

/// Attempts to get the parent's locks before the parent is called busy.
const LOCK_ATTEMPTS: u32 = 10;

/// What the steps of a merge learn.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct MergeState {
    plan: Option<Planned>,
    /// The parent is no longer what the plan was made for.
    outdated: bool,
    /// A throw-away clone may exist.
    cloned: bool,
    /// The parent is being changed; only its refusal says that it was not.
    pub(crate) committing: bool,
    /// The parent was changed.
    pub(crate) applied: bool,
    /// Nothing is left to do but to record.
    finished: bool,
}

/// A plan, its report, and the base of the next merge.
#[derive(Debug, Serialize, Deserialize)]
struct Planned {
    plan_hash: String,
    expected_hash: String,
    predicted_hash: String,
    statements: Value,
    diff: Value,
    conflicts: usize,
    unsupported: usize,
    empty: bool,
    next_base: Value,
    next_base_hash: String,
}

impl MergeState {
    /// What the operation reports.
    #[must_use]
    pub fn report(&self) -> Value {
        self.plan.as_ref().map_or(
            Value::Null,
            |plan| json!({ "diff": plan.diff, "applied": self.applied, "plan_hash": plan.plan_hash }),
        )
    }

    /// Whether the branch counts as merged now, and with it the base of its next merge.
    #[must_use]
    pub fn merged(&self, input: &BranchMergeInput) -> Option<Option<(&Value, &str)>> {
        let plan = self.plan.as_ref()?;
        (!input.dry_run && (self.applied || plan.empty))
            .then_some(Some((&plan.next_base, plan.next_base_hash.as_str())))
    }

    /// The plan that is to be tried, if one is.
    fn current(&self) -> Option<&Planned> {
        self.plan.as_ref().filter(|_| !self.outdated && !self.finished)
    }

    /// The parent has changed: the next round plans again.
    fn outdate(&mut self, last: bool) -> Outcome {
        self.outdated = true;
        self.committing = false;
        if last {
            return Err(StepError::refused(
                "branch.parent_changed",
                "The parent keeps changing while the merge is prepared. Try again later.",
            ));
        }
        Ok(())
    }
}

/// Makes sure a project answers, unless its owner wants it to rest. One without visitors may have been put to sleep since it last did.
pub async fn wake(world: &World, project_id: ProjectId) -> Outcome {
    project::require_active(world, project_id).await?;
    database::start(world, project_id).await?;
    data_plane::ensure(world, project_id).await.map(drop)
}

/// Plans the merge from the base and both sides as they are now, unless a plan still stands.
pub async fn plan(world: &World, input: &BranchMergeInput, state: &mut MergeState) -> Outcome {
    if state.finished || state.current().is_some() {
        return Ok(());
    }
    wake(world, input.parent_id).await?;
    wake(world, input.branch_id).await?;
    let base = base(world, input.branch_id).await?;
    let target = schema::snapshot(world, input.parent_id).await?;
    let source = schema::snapshot(world, input.branch_id).await?;
    let generated_at = clock::iso_millis(world.clock.now());
    let planned = tokio::task::spawn_blocking(move || make_plan(base, target, source, &generated_at))
        .await
        .map_err(|error| StepError::transient("the merge could not be planned", error))??;
    let blocked = planned.conflicts + planned.unsupported > 0;
    let refusal = refusal(&planned, input);
    state.finished = planned.empty || blocked;
    state.outdated = false;
    state.plan = Some(planned);
    refusal.map_or(Ok(()), Err)
}

/// Why the merge must not go on with this plan. A dry run shows what blocks instead.
fn refusal(plan: &Planned, input: &BranchMergeInput) -> Option<StepError> {
    if let Some(expected) = input.expected_plan_hash.as_ref().filter(|expected| **expected != plan.plan_hash) {
        let text = format!(
            "The merge is no longer the one that was reviewed: its plan hash is not {expected}. Review it again."
        );
        return Some(StepError::refused("branch.plan_changed", text));
    }
    if input.dry_run {
        return None;
    }
    if plan.conflicts > 0 {
        let text = format!("The merge has {} conflicts between the branch and its parent.", plan.conflicts);
        return Some(StepError::refused("branch.merge_conflict", text));
    }
    if plan.unsupported > 0 {
        let text = format!("The merge contains {} changes that cannot be merged automatically.", plan.unsupported);
        return Some(StepError::refused("branch.merge_unsupported", text));
    }
    None
}

/// Makes sure the throw-away clone of the parent exists.
pub async fn clone_parent(world: &World, input: &BranchMergeInput, state: &mut MergeState) -> Outcome {
    if state.current().is_none() {
        return Ok(());
    }
    database::ensure_clone(world, input.rehearsal_id, input.parent_id).await?;
    state.cloned = true;
    Ok(())
}

/// Makes sure the clone's backend runs.
pub async fn boot_clone(world: &World, input: &BranchMergeInput, state: &mut MergeState) -> Outcome {
    if state.current().is_none() {
        return Ok(());
    }
    data_plane::ensure_rehearsal(world, input.rehearsal_id, input.parent_id).await.map(drop)
}

/// Applies the plan to the clone; what it leads to must be what was predicted.
pub async fn rehearse(
    context: StepContext,
    world: &World,
    input: &BranchMergeInput,
    state: &mut MergeState,
    last: bool,
) -> Outcome {
    let Some(plan) = state.current() else { return Ok(()) };
    let platform = data_plane::rehearsal_platform(world, input.rehearsal_id, input.parent_id).await?;
    let Err(refused) = try_plan(context, world, &platform, plan).await? else { return Ok(()) };
    match refused {
        ApplyRefused::TargetChanged { .. } => state.outdate(last),
        ApplyRefused::Locked => Err(StepError::again("the copy of the parent is busy")),
        ApplyRefused::StatementFailed { index, sqlstate, message } => Err(StepError::refused(
            "branch.merge_rehearsal_failed",
            format!("Statement {} of the merge fails on a copy of the parent ({sqlstate}): {message}", index + 1),
        )),
        ApplyRefused::PredictionFailed { differences } => Err(mispredicted(context, &differences)),
    }
}

/// Removes the clone. From here on the parent is changed, unless this is a dry run or the plan is outdated.
pub async fn discard_clone(world: &World, input: &BranchMergeInput, state: &mut MergeState) -> Outcome {
    if state.cloned {
        data_plane::drop(world, input.rehearsal_id).await?;
        database::drop(world, input.rehearsal_id).await?;
        state.cloned = false;
    }
    if state.current().is_some() {
        state.finished = input.dry_run;
        state.committing = !input.dry_run;
    }
    Ok(())
}

/// Applies the plan to the parent, in one transaction that checks what it starts from and what it leads to.
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
    // Once a plan may have reached the parent, only the parent's own refusal is a reason to turn back.
    let insist = |error| if context.attempt > 1 { insist(error) } else { error };
    wake(world, input.parent_id).await.map_err(insist)?;
    let platform = data_plane::platform(world, input.parent_id).await.map_err(insist)?;
    match try_plan(context, world, &platform, plan).await.map_err(insist)? {
        Ok(_) => {
            (state.applied, state.committing, state.finished) = (true, false, true);
            Ok(())
        }
        Err(ApplyRefused::TargetChanged { .. }) => state.outdate(last),
        Err(ApplyRefused::Locked) if context.attempt < LOCK_ATTEMPTS => Err(StepError::again("the parent is busy")),
        Err(ApplyRefused::Locked) => Err(StepError::refused(
            "branch.parent_busy",
            "The parent is busy: its tables stayed locked by other transactions. Nothing was changed. Try again later.",
        )),
        Err(ApplyRefused::StatementFailed { index, sqlstate, message }) => Err(StepError::refused(
            "branch.merge_failed",
            format!(
                "Statement {} of the merge failed on the parent ({sqlstate}): {message}. Nothing was changed.",
                index + 1
            ),
        )),
        Err(ApplyRefused::PredictionFailed { differences }) => Err(mispredicted(context, &differences)),
    }
}

async fn try_plan(
    context: StepContext,
    world: &World,
    platform: &Platform,
    plan: &Planned,
) -> Outcome<Result<PlanApplied, ApplyRefused>> {
    let request = ApplyPlan {
        operation_id: context.operation_id,
        statements: plan.statements.clone(),
        expected_hash: plan.expected_hash.clone(),
        predicted_hash: plan.predicted_hash.clone(),
        lock_timeout_ms: LOCK_TIMEOUT_MS,
    };
    schema::apply(world, platform, &request).await
}

/// A failure that says nothing about the parent, as one to try again.
fn insist(error: StepError) -> StepError {
    if error.retryable() { error } else { StepError::again(error.to_string()).because(error) }
}

fn mispredicted(context: StepContext, differences: &[String]) -> StepError {
    let detail = differences.join("; ");
    tracing::error!(operation.id = %context.operation_id, differences = detail, "a merge plan led elsewhere than predicted; the parent is unchanged");
    StepError::refused(
        "branch.merge_unproven",
        "The merge could not be proven to give the expected result. Nothing was changed.",
    )
    .because(detail)
}

async fn base(world: &World, branch_id: ProjectId) -> Outcome<Value> {
    let branch = project_row(world, branch_id).await?;
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    let base = store::branches::base(&mut conn, branch.id).await.map_err(store_failed)?;
    let (base, _hash) =
        base.ok_or_else(|| StepError::refused("branch.not_ready", "The branch is not ready to be merged."))?;
    Ok(base)
}

fn make_plan(base: Value, target: SchemaSnapshot, source: SchemaSnapshot, generated_at: &str) -> Outcome<Planned> {
    let (base, target, source) =
        (read("base", base)?, read("parent", target.snapshot)?, read("branch", source.snapshot)?);
    let plan = schema_merge::merge(&base, &target, &source);
    let diff = schema_merge::render::diff_result(&plan, generated_at);
    let next_base = next_base(&base, source);
    Ok(Planned {
        conflicts: plan.conflicts.len(),
        unsupported: plan.unsupported.len(),
        empty: plan.changes.is_empty() && plan.conflicts.is_empty() && plan.unsupported.is_empty(),
        statements: write("plan", &plan.statements)?,
        diff: write("report", &diff)?,
        next_base_hash: next_base.catalog.hash(),
        next_base: write("base", &next_base)?,
        plan_hash: plan.plan_hash,
        expected_hash: plan.target_hash,
        predicted_hash: plan.predicted_hash,
    })
}

/// The base of the branch's next merge: the branch as it is merged now. It is not the parent: what only the parent has, the branch never had,
/// and would seem to have dropped. Objects made on the branch since its creation keep no lineage, because the parent numbers its own anew.
fn next_base(base: &Snapshot, mut source: Snapshot) -> Snapshot {
    let shared: HashSet<&str> = base.catalog.iter().filter_map(|fact| fact.lineage.object.as_deref()).collect();
    let own: Vec<_> = source
        .catalog
        .iter()
        .filter(|fact| fact.lineage.object.as_deref().is_some_and(|object| !shared.contains(object)))
        .map(|fact| fact.identity.clone())
        .collect();
    for identity in own {
        if let Some(mut fact) = source.catalog.remove(&identity) {
            fact.lineage.object = None;
            source.catalog.insert(fact);
        }
    }
    source
}

fn read(what: &str, snapshot: Value) -> Outcome<Snapshot> {
    serde_json::from_value(snapshot).map_err(|error| {
        StepError::refused("branch.schema_unreadable", format!("The schema of the {what} cannot be read."))
            .because(error)
    })
}

fn write<T: Serialize>(what: &str, value: &T) -> Outcome<Value> {
    serde_json::to_value(value).map_err(|error| {
        StepError::refused("branch.schema_unreadable", format!("The {what} cannot be written.")).because(error)
    })
}
