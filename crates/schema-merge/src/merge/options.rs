//! What a merge is asked for beside its three snapshots: two bases, resolutions, approvals, segments and what to keep for undo.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::snapshot::Snapshot;

/// What both sides started from, as each of them knows it.
///
/// After a merge it is what was merged: the source as it was then, and the same as the target has received it, under the target's own
/// oids. Each side is compared with its own copy, so that its renames are exact, and what only one side has besides still goes the other
/// way. A branch that was restored from text starts from its own first state. A base of an earlier version, one snapshot for both, is
/// read as such.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Base {
    /// What the target was.
    pub target: Snapshot,
    /// What the source was, absent when it was the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Snapshot>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Two {
        target: Snapshot,
        #[serde(default)]
        source: Option<Snapshot>,
    },
    One(Snapshot),
}

impl From<Stored> for Base {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Two { target, source } => Self { target, source },
            Stored::One(both) => Self::one(both),
        }
    }
}

impl From<Snapshot> for Base {
    fn from(both: Snapshot) -> Self {
        Self::one(both)
    }
}

impl Base {
    /// Both sides started from the same state, one as a physical copy of the other.
    pub fn one(both: Snapshot) -> Self {
        Self { target: both, source: None }
    }

    /// Each side started from a state of its own; what is the same in both is told by lineage or by name.
    pub fn two(target: Snapshot, source: Snapshot) -> Self {
        Self { target, source: Some(source) }
    }

    /// The same bases for a merge in the other direction.
    #[must_use]
    pub fn swapped(self) -> Self {
        match self.source {
            Some(source) => Self { target: source, source: Some(self.target) },
            None => self,
        }
    }

    /// What the source was.
    pub fn of_source(&self) -> &Snapshot {
        self.source.as_ref().unwrap_or(&self.target)
    }
}

/// How a merge is to be made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Decisions on conflicts.
    pub resolutions: Option<Resolutions>,
    /// Ids or classes of hazards that are approved; `all` approves every one.
    pub approve: Vec<String>,
    /// Every hazard of [`crate::report::HAZARD_CLASSES`] needs approval.
    pub strict: bool,
    /// Use a second transaction where Postgres needs one; otherwise an enum whose new labels are used at once is made anew.
    pub segments: bool,
    /// Tables of the target, as `schema.table` with quotes where Postgres needs them, that are too large for their writers to wait for an
    /// index; with `segments`, new indexes of theirs are built concurrently where that can be taken back or cannot fail.
    pub large_tables: Vec<String>,
    /// Name of the schema into which is moved what would be dropped; see [`crate::shadow`].
    pub keep_in: Option<String>,
}

/// Decisions on the conflicts of one plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resolutions {
    /// [`crate::MergePlan::plan_hash`] of the merge without resolutions.
    pub plan_hash: String,
    /// A choice for each conflict, by the conflict's id.
    pub choices: BTreeMap<String, Choice>,
}

/// A decision on one conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The target's state stands.
    TakeTarget,
    /// The source's state stands.
    TakeSource,
    /// The target's state stands until this SQL has run, in the developer's role, after all that the catalogs ask for.
    CustomSql {
        /// One or more statements, run as they are.
        sql: String,
    },
}

impl Choice {
    /// The word in a resolution file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::TakeTarget => "take_target",
            Self::TakeSource => "take_source",
            Self::CustomSql { .. } => "custom_sql",
        }
    }
}

/// Why resolutions cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolutionError {
    /// They were made for another plan.
    #[error("the resolutions were made for the plan {expected}, but the merge is now {found}: review it again")]
    Stale {
        /// The plan they name.
        expected: String,
        /// What the merge without resolutions is now.
        found: String,
    },
    /// They name conflicts that the merge does not have.
    #[error("the merge has no conflict {}", .0.join(", "))]
    Unknown(Vec<String>),
    /// A conflict cannot be settled in this way.
    #[error("the conflict {id} cannot be resolved by {choice}: {reason}")]
    Unavailable {
        /// The conflict.
        id: String,
        /// The choice's word.
        choice: String,
        /// Why.
        reason: String,
    },
    /// The shadow schema's name is not a plain word with room for a number.
    #[error("{0:?} cannot be the name of a shadow schema")]
    ShadowName(String),
}
