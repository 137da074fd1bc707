//! The effects of merges, updates and undos, and what they learn from each other. All use of `schema-merge` is here.

mod applying;
mod documents;
mod planning;
mod probes;
mod recording;
mod rehearsal;

use data_plane_contract::schema::{ApplyPlan, Probe};
use ids::ProjectId;
use saga::{
    StepContext, StepError,
    operations::{BranchMergeInput, MergeDirection},
};
use serde::{Deserialize, Serialize};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

pub use applying::apply;
pub(crate) use recording::cleanup;
pub use recording::record;
pub use rehearsal::{discard_clone, drop_clone, prepare, rehearse};

use super::{Outcome, data_plane, database, project};
use crate::World;

/// Longest time that locks of a target are waited for, in all; writers wait behind whoever waits.
const LOCK_TIMEOUT_MS: u32 = 400;

/// Attempts to get the target's locks before it is called busy.
const LOCK_ATTEMPTS: u32 = 10;

/// What the steps of a merge learn.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct MergeState {
    plan: Option<Planned>,
    /// What the rehearsal showed.
    #[serde(default)]
    rehearsal: Option<Value>,
    /// The target is no longer what the plan was made for.
    outdated: bool,
    /// An undo cannot give back columns as they were, because rows have been written since: they come back without their values.
    #[serde(default)]
    relaxed: bool,
    /// A throw-away clone may exist.
    cloned: bool,
    /// The target is being changed; only its refusal says that it was not.
    pub(crate) committing: bool,
    /// The target was changed.
    pub(crate) applied: bool,
    /// How long the target's writers may have been blocked.
    #[serde(default)]
    blocked_ms: u64,
    /// Nothing is left to do but to record.
    finished: bool,
}

/// A plan with its report.
#[derive(Debug, Serialize, Deserialize)]
struct Planned {
    plan_hash: String,
    expected_hash: String,
    predicted_hash: String,
    rows_hash: Option<String>,
    statements: Value,
    segments: Value,
    forget: Vec<String>,
    exact: bool,
    /// It foretells all but texts that only Postgres can print.
    #[serde(default)]
    restated: bool,
    probes: Vec<Probe>,
    diff: Value,
    conflicts: usize,
    unsupported: usize,
    unapproved: Vec<String>,
    empty: bool,
    /// What the target keeps for an undo.
    shadow: Option<Value>,
    /// What an undo cannot give back.
    lost: Vec<String>,
}

impl MergeState {
    /// What the operation reports.
    #[must_use]
    pub fn report(&self) -> Value {
        let Some(plan) = &self.plan else { return Value::Null };
        let mut diff = plan.diff.clone();
        if let (Some(rehearsal), Some(fields)) = (&self.rehearsal, diff.as_object_mut()) {
            fields.insert("rehearsal".to_owned(), rehearsal.clone());
        }
        json!({
            "diff": diff,
            "applied": self.applied,
            "plan_hash": plan.plan_hash,
            "lost": plan.lost,
            "blocked_ms": self.blocked_ms,
        })
    }

    /// The plan that is to be tried, if one is.
    fn current(&self) -> Option<&Planned> {
        self.plan.as_ref().filter(|_| !self.outdated && !self.finished)
    }

    /// Drops what only applying needs; every further step would carry it on.
    fn forget_statements(&mut self) {
        if let Some(plan) = &mut self.plan {
            (plan.statements, plan.segments) = (Value::Null, Value::Null);
            plan.probes.clear();
        }
    }

    /// The target has changed: the next round plans again.
    fn outdate(&mut self, input: &BranchMergeInput, last: bool) -> Outcome {
        self.outdated = true;
        self.committing = false;
        if last {
            let what = target_word(input);
            return Err(StepError::refused(
                "branch.parent_changed",
                format!("The {what} keeps changing while the merge is prepared. Try again later."),
            ));
        }
        Ok(())
    }
}

impl Planned {
    fn request(&self, context: StepContext) -> ApplyPlan {
        ApplyPlan {
            operation_id: context.operation_id,
            plan_hash: self.plan_hash.clone(),
            statements: self.statements.clone(),
            segments: self.segments.clone(),
            expected_hash: self.expected_hash.clone(),
            predicted_hash: self.predicted_hash.clone(),
            rows_hash: self.rows_hash.clone(),
            forget: self.forget.clone(),
            lock_timeout_ms: LOCK_TIMEOUT_MS,
        }
    }
}

/// Makes sure a project answers, unless its owner wants it to rest. One without visitors may have been put to sleep since it last did.
pub async fn wake(world: &World, project_id: ProjectId) -> Outcome {
    project::require_active(world, project_id).await?;
    database::start(world, project_id).await?;
    data_plane::ensure(world, project_id).await.map(drop)
}

/// The word for the project that is changed.
fn target_word(input: &BranchMergeInput) -> &'static str {
    match input.direction {
        MergeDirection::IntoBranch => "branch",
        MergeDirection::IntoParent | MergeDirection::Undo => "parent",
    }
}

fn mispredicted(context: StepContext, differences: &[String]) -> StepError {
    let detail = differences.join("; ");
    tracing::error!(operation.id = %context.operation_id, differences = detail, "a merge plan led elsewhere than predicted; its target is unchanged");
    StepError::refused(
        "branch.merge_unproven",
        "The merge could not be proven to give the expected result. Nothing was changed.",
    )
    .because(detail)
}

fn read<T: serde::de::DeserializeOwned>(what: &str, value: Value) -> Outcome<T> {
    serde_json::from_value(value).map_err(|error| unreadable(what, error))
}

/// Reads a text as it came, at once into its shape: the texts of schemas are large.
fn read_text<T: serde::de::DeserializeOwned>(what: &str, text: &RawValue) -> Outcome<T> {
    serde_json::from_str(text.get()).map_err(|error| unreadable(what, error))
}

fn write_text<T: Serialize>(what: &str, value: &T) -> Outcome<Box<RawValue>> {
    to_raw_value(value).map_err(|error| unwritable(what, error))
}

fn write<T: Serialize>(what: &str, value: &T) -> Outcome<Value> {
    serde_json::to_value(value).map_err(|error| unwritable(what, error))
}

fn unreadable(what: &str, error: serde_json::Error) -> StepError {
    StepError::refused("branch.schema_unreadable", format!("The schema of the {what} cannot be read.")).because(error)
}

fn unwritable(what: &str, error: serde_json::Error) -> StepError {
    StepError::refused("branch.schema_unreadable", format!("The {what} cannot be written.")).because(error)
}
