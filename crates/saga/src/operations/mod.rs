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

/// Input of `branch_merge`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BranchMergeInput {
    /// The branch, the merge's source.
    pub branch_id: ProjectId,
    /// Its parent, the merge's target.
    pub parent_id: ProjectId,
    /// The ephemeral clone of the parent on which the plan is rehearsed; chosen before the first effect.
    pub rehearsal_id: ProjectId,
    /// Plan and rehearse only.
    pub dry_run: bool,
    /// Refuse unless the plan still has this hash.
    pub expected_plan_hash: Option<String>,
}
