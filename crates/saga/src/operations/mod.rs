//! The kinds of operation and their inputs: everything that must be decided before the first effect.

use std::{fmt, str::FromStr};

use ids::ProjectId;
use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $text:literal;)*) => {
        /// Every kind of durable operation, named noun_verb.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum OperationKind { $($(#[$doc])* $variant,)* }

        impl OperationKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The recorded name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl FromStr for OperationKind {
            type Err = UnknownKind;

            fn from_str(text: &str) -> Result<Self, UnknownKind> {
                match text { $($text => Ok(Self::$variant),)* other => Err(UnknownKind(other.to_owned())) }
            }
        }
    };
}

/// A recorded kind this build does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown operation kind '{0}'")]
pub struct UnknownKind(String);

kinds! {
    /// Creates a project's Postgres and backend and proves they answer.
    ProjectCreate = "project_create";
    /// Removes a project, its branches and everything they own.
    ProjectDelete = "project_delete";
    /// Stops a project until it is restored.
    ProjectPause = "project_pause";
    /// Starts a paused project again.
    ProjectRestore = "project_restore";
    /// Restarts a project's processes, optionally with another backend version or another instance type.
    ProjectRestart = "project_restart";
    /// Clones a project into a branch.
    BranchCreate = "branch_create";
    /// Removes a branch.
    BranchDelete = "branch_delete";
    /// Puts a branch back to its state at creation.
    BranchReset = "branch_reset";
    /// Merges a branch into its parent, or shows what that would do.
    BranchMerge = "branch_merge";
    /// Merges a branch's parent into the branch, or shows what that would do.
    BranchUpdate = "branch_update";
    /// Takes a merge back.
    BranchMergeUndo = "branch_merge_undo";
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Input of the operations that concern one project or branch and need nothing else:
/// `project_create`, `project_delete`, `project_pause`, `project_restore`, `branch_delete`, `branch_reset`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProjectInput {
    /// The project or branch.
    pub project_id: ProjectId,
}

/// Input of `project_restart`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProjectRestartInput {
    /// The project or branch.
    pub project_id: ProjectId,
    /// Backend version to run from now on, without a leading `v`; absent keeps the present one.
    pub service_version: Option<String>,
    /// Instance type to use from now on; absent keeps the present one.
    pub instance_type: Option<String>,
}

/// How a branch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BranchMode {
    /// All of the parent's data.
    Full,
    /// All schema and configuration, user data empty.
    SchemaOnly,
}

/// Input of `branch_create`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BranchCreateInput {
    /// The new branch.
    pub branch_id: ProjectId,
    /// The project it is cloned from.
    pub parent_id: ProjectId,
    /// How it starts.
    pub mode: BranchMode,
}

/// Which way a merge goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeDirection {
    /// The branch into its parent.
    #[default]
    IntoParent,
    /// The parent into the branch.
    IntoBranch,
    /// The parent back to what it was before a merge of the branch.
    Undo,
}

/// Input of `branch_merge`, `branch_update` and `branch_merge_undo`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BranchMergeInput {
    /// The branch.
    pub branch_id: ProjectId,
    /// Its parent.
    pub parent_id: ProjectId,
    /// Which way it goes; agrees with the kind of the operation.
    #[serde(default)]
    pub direction: MergeDirection,
    /// The ephemeral clone of the target on which the plan is rehearsed; chosen before the first effect.
    pub rehearsal_id: ProjectId,
    /// Plan and rehearse only.
    pub dry_run: bool,
    /// Refuse unless the plan still has this hash.
    pub expected_plan_hash: Option<String>,
    /// Decisions on conflicts, as `schema_merge::Resolutions` in JSON.
    #[serde(default)]
    pub resolutions: Option<serde_json::Value>,
    /// Hazards that are approved, by id or class; `all` approves every one.
    #[serde(default)]
    pub approve: Vec<String>,
    /// The merge that is undone.
    #[serde(default)]
    pub undoes: Option<ids::OperationId>,
}

impl BranchMergeInput {
    /// A merge of a branch into its parent, with nothing decided beforehand.
    #[must_use]
    pub fn new(branch_id: ProjectId, parent_id: ProjectId, direction: MergeDirection) -> Self {
        Self {
            branch_id,
            parent_id,
            direction,
            rehearsal_id: ProjectId::generate(),
            dry_run: false,
            expected_plan_hash: None,
            resolutions: None,
            approve: Vec::new(),
            undoes: None,
        }
    }

    /// The project that is changed.
    #[must_use]
    pub fn target_id(&self) -> ProjectId {
        match self.direction {
            MergeDirection::IntoBranch => self.branch_id,
            MergeDirection::IntoParent | MergeDirection::Undo => self.parent_id,
        }
    }
}
