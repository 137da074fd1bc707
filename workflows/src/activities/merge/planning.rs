//! Planning: what both sides are now, what they were, and the statements that follow from it.

use ids::ProjectId;
use saga::{
    StepContext, StepError,
    operations::{BranchMergeInput, MergeDirection},
};
use schema_merge::{Base, MergePlan, Options, Prediction, ResolutionError, Resolutions, Shadow, Snapshot, render};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{MergeState, Planned, documents, probes, read, read_text, wake, write, write_text};
use crate::{
    World,
    activities::{Outcome, project_row, schema, store_failed},
};

/// Everything a plan is made from.
struct Material {
    direction: MergeDirection,
    base: Base,
    target: Snapshot,
    /// The other side; for an undo what the target was before the merge.
    source: Snapshot,
    options: Options,
    /// What the merge that is undone keeps.
    shadow: Shadow,
    forget: Vec<String>,
    relaxed: bool,
    generated_at: String,
}

/// A plan with what is to be written down of it.
struct Made {
    planned: Planned,
    target: Snapshot,
    source: Snapshot,
    predicted: Snapshot,
}

/// Plans from the base and both sides as they are now.
pub(super) async fn plan(
    context: StepContext,
    world: &World,
    input: &BranchMergeInput,
    state: &mut MergeState,
) -> Outcome {
    let material = material(world, input, state.relaxed).await?;
    let made = tokio::task::spawn_blocking(move || make(material))
        .await
        .map_err(|error| StepError::transient("the merge could not be planned", error))??;
    let refusal = refusal(&made.planned, input);
    if !input.dry_run && refusal.is_none() {
        let documents = [
            (documents::BEFORE, write_text("schema", &made.target)?),
            (documents::SOURCE, write_text("schema", &made.source)?),
            (documents::PREDICTED, write_text("schema", &made.predicted)?),
        ];
        documents::keep(context, world, &documents).await?;
    }
    let planned = made.planned;
    state.finished = planned.empty || planned.conflicts + planned.unsupported > 0;
    state.outdated = false;
    state.plan = Some(planned);
    refusal.map_or(Ok(()), Err)
}

async fn material(world: &World, input: &BranchMergeInput, relaxed: bool) -> Outcome<Material> {
    wake(world, input.parent_id).await?;
    if input.direction != MergeDirection::Undo {
        wake(world, input.branch_id).await?;
    }
    let mut options = Options { approve: input.approve.clone(), segments: true, ..Options::default() };
    if let Some(resolutions) = &input.resolutions {
        options.resolutions = Some(resolutions_of(resolutions)?);
    }
    let base = base(world, input.branch_id).await?;
    let (base, target, source, shadow) = match input.direction {
        MergeDirection::IntoParent => {
            if !world.merge_undo.is_zero() {
                options.keep_in = Some(shadow_name("hearth_undo", input.branch_id, &base));
            }
            let (target, source) = both(world, input.parent_id, input.branch_id, &mut options).await?;
            (base, target, source, Shadow::default())
        }
        MergeDirection::IntoBranch => {
            let (target, source) = both(world, input.branch_id, input.parent_id, &mut options).await?;
            (base.swapped(), target, source, Shadow::default())
        }
        MergeDirection::Undo => {
            let (before, after, shadow) = undone(world, input).await?;
            options.keep_in = Some(shadow_name("hearth_redo", input.branch_id, &base));
            (Base::one(after), snapshot(world, input.parent_id).await?.0, before, shadow)
        }
    };
    let forget = forgettable(world, input).await?;
    let generated_at = clock::iso_millis(world.clock.now());
    Ok(Material { direction: input.direction, base, target, source, options, shadow, forget, relaxed, generated_at })
}

/// Target and source; the target's large tables are noted.
async fn both(
    world: &World,
    target_id: ProjectId,
    source_id: ProjectId,
    options: &mut Options,
) -> Outcome<(Snapshot, Snapshot)> {
    let (target, source) = tokio::try_join!(snapshot(world, target_id), snapshot(world, source_id))?;
    options.large_tables = target.1;
    Ok((target.0, source.0))
}

/// What a project is, and its large tables.
async fn snapshot(world: &World, project_id: ProjectId) -> Outcome<(Snapshot, Vec<String>)> {
    let answer = schema::snapshot(world, project_id).await?;
    Ok((read_text("project", &answer.snapshot)?, answer.large_tables))
}

/// What both sides of a branch's merges started from, parent first.
pub(super) async fn base(world: &World, branch_id: ProjectId) -> Outcome<Base> {
    let branch = project_row(world, branch_id).await?;
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    let base = store::branches::base(&mut conn, branch.id).await.map_err(store_failed)?;
    let (base, _hash) =
        base.ok_or_else(|| StepError::refused("branch.not_ready", "The branch is not ready to be merged."))?;
    read_text("base", &base)
}

/// What the parent was before and after the merge that is undone, and what it keeps.
async fn undone(world: &World, input: &BranchMergeInput) -> Outcome<(Snapshot, Snapshot, Shadow)> {
    let gone = || StepError::refused("branch.undo_unavailable", "The merge cannot be undone any more.");
    let operation_id = input.undoes.ok_or_else(gone)?;
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    let merge = store::merges::find_open(&mut conn, operation_id).await.map_err(store_failed)?.ok_or_else(gone)?;
    drop(conn);
    let shadow = merge.shadow.map_or(Ok(Shadow::default()), |shadow| read("merge", shadow))?;
    let before = documents::snapshot(world, operation_id, documents::BEFORE).await?;
    let after = documents::snapshot(world, operation_id, documents::AFTER).await?;
    Ok((before, after, shadow))
}

/// Statements that remove what earlier merges keep in the target, because it may hold on to what this one drops.
async fn forgettable(world: &World, input: &BranchMergeInput) -> Outcome<Vec<String>> {
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    let kept = match input.direction {
        MergeDirection::IntoBranch => store::merges::inherited_by_branch(&mut conn, input.branch_id).await,
        _ => store::merges::kept_by_parent(&mut conn, input.parent_id).await,
    };
    let mut statements = Vec::new();
    for merge in kept.map_err(store_failed)? {
        if Some(merge.operation_id) != input.undoes {
            statements.extend(super::cleanup(&merge)?);
        }
    }
    Ok(statements)
}

/// The same for a dry run and the merge that follows it, because it is part of the plan; another for every base.
fn shadow_name(prefix: &str, branch_id: ProjectId, base: &Base) -> String {
    let state = format!("{branch_id} {} {}", base.target.catalog.hash(), base.of_source().catalog.hash());
    format!("{prefix}_{}", &hex::encode(Sha256::digest(state))[..12])
}

fn resolutions_of(value: &Value) -> Outcome<Resolutions> {
    serde_json::from_value(value.clone()).map_err(|error| {
        StepError::refused("branch.resolution_invalid", format!("The resolutions cannot be read: {error}."))
    })
}

fn make(material: Material) -> Outcome<Made> {
    let Material { direction, base, target, source, options, shadow, forget, relaxed, generated_at } = material;
    let (plan, lost) = match direction {
        MergeDirection::Undo => {
            let keep_in = options.keep_in.unwrap_or_default();
            let undo = schema_merge::undo(&source, &base.target, &target, &shadow, &keep_in).map_err(unresolved)?;
            let plan = if relaxed { undo.relaxed.unwrap_or(undo.strict) } else { undo.strict };
            (plan, undo.lost)
        }
        _ => (schema_merge::merge_with(&base, &target, &source, &options).map_err(unresolved)?, Vec::new()),
    };
    let diff = write("report", &render::diff_result(&plan, &generated_at))?;
    let probes = probes::of(&target.catalog, &plan.predicted);
    let planned = planned(&plan, diff, forget, lost, probes)?;
    let predicted = Snapshot { catalog: plan.predicted, ..Snapshot::default() };
    Ok(Made { planned, target, source, predicted })
}

fn planned(
    plan: &MergePlan,
    diff: Value,
    forget: Vec<String>,
    lost: Vec<String>,
    probes: Vec<data_plane_contract::schema::Probe>,
) -> Outcome<Planned> {
    let unapproved = plan.unapproved().into_iter().map(|hazard| format!("{} ({})", hazard.id, hazard.class));
    Ok(Planned {
        conflicts: plan.conflicts.len(),
        unsupported: plan.unsupported.len(),
        unapproved: unapproved.collect(),
        empty: plan.is_empty() && plan.conflicts.is_empty() && plan.unsupported.is_empty(),
        statements: write("plan", &plan.statements)?,
        segments: write("plan", &plan.segments)?,
        forget,
        exact: plan.prediction == Prediction::Exact,
        restated: plan.prediction == Prediction::Restated,
        probes,
        diff,
        plan_hash: plan.plan_hash.clone(),
        expected_hash: plan.target_hash.clone(),
        predicted_hash: plan.predicted_hash.clone(),
        rows_hash: Some(plan.rows_hash.clone()).filter(|hash| !hash.is_empty()),
        shadow: plan.shadow.as_ref().map(|shadow| write("plan", shadow)).transpose()?,
        lost,
    })
}

fn unresolved(error: ResolutionError) -> StepError {
    match error {
        ResolutionError::Stale { .. } => StepError::refused(
            "branch.plan_changed",
            "The resolutions were made for another state of both sides. Look at the conflicts again.",
        ),
        other => StepError::refused("branch.resolution_invalid", format!("The resolutions cannot be used: {other}.")),
    }
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
        let count = plan.conflicts;
        return Some(match input.direction {
            MergeDirection::Undo => {
                let text = format!(
                    "The merge cannot be undone: the parent has since changed {count} of the things it would take back."
                );
                StepError::refused("branch.undo_conflict", text)
            }
            _ => {
                let text = format!("The merge has {count} conflicts between the branch and its parent.");
                StepError::refused("branch.merge_conflict", text)
            }
        });
    }
    if plan.unsupported > 0 {
        let text = format!("The merge contains {} changes that cannot be merged automatically.", plan.unsupported);
        return Some(StepError::refused("branch.merge_unsupported", text));
    }
    if !plan.unapproved.is_empty() && input.direction != MergeDirection::Undo {
        let text = format!("The merge waits for approval of: {}.", plan.unapproved.join(", "));
        return Some(StepError::refused("branch.approval_needed", text));
    }
    None
}
