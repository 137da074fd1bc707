//! What a merge says: changes, conflicts, hazards, statements, and the contract's `DiffResult`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalog::Catalog;
use crate::plan::Unsupported;

/// The contract's six types of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectType {
    /// Tables with all that hangs on them, and every other kind that has no type of its own.
    Table,
    /// Row security policies.
    Policy,
    /// Database functions and procedures.
    Function,
    /// Rows of the configuration tables.
    ConfigRow,
    /// Developer migrations.
    Migration,
    /// Edge functions.
    EdgeFunction,
}

impl ObjectType {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Policy => "policy",
            Self::Function => "function",
            Self::ConfigRow => "config_row",
            Self::Migration => "migration",
            Self::EdgeFunction => "edge_function",
        }
    }
}

/// What happens to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is new.
    Add,
    /// It stays and differs.
    Modify,
    /// It goes.
    Drop,
}

impl Action {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Modify => "modify",
            Self::Drop => "drop",
        }
    }
}

/// A thing as the contract names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Object {
    /// Schema, empty when it lives in none.
    pub schema: String,
    /// Name within the schema.
    pub object: String,
    /// The contract's type.
    #[serde(rename = "type")]
    pub object_type: ObjectType,
    /// The exact kind, where `table` stands for something else; a superset of the contract.
    pub kind: String,
}

/// One thing the merge changes on the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What is changed.
    #[serde(flatten)]
    pub object: Object,
    /// How.
    pub action: Action,
    /// Its statements.
    pub sql: String,
    /// True when rows or values are lost.
    pub destructive: bool,
}

/// A field that both sides changed differently.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldConflict {
    /// Address of the fact.
    pub fact: String,
    /// Field, `*` for the fact as a whole.
    pub field: String,
    /// Value in the base, null when absent.
    pub base: Value,
    /// Value in the target.
    pub target: Value,
    /// Value in the source.
    pub source: Value,
}

/// A thing on which both sides disagree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// What it is about.
    #[serde(flatten)]
    pub object: Object,
    /// Hash of the thing in the base, null when absent.
    pub parent_t0_hash: Option<String>,
    /// Hash in the target now.
    pub parent_now_hash: Option<String>,
    /// Hash in the source now.
    pub branch_now_hash: Option<String>,
    /// What to do, for a person.
    pub hint: String,
    /// Class of the taxonomy, such as `S9`.
    pub class: String,
    /// The differing fields.
    pub fields: Vec<FieldConflict>,
}

/// Something a person should know before the merge; it does not block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hazard {
    /// `data_loss`, `access`, `data_statement`, `row_kept`, `comment`, `secret` or `untested`.
    pub class: String,
    /// What it is about.
    pub object: String,
    /// Why, for a person.
    pub detail: String,
}

/// Which part of the merge a statement belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Settings of the transaction.
    Session,
    /// The catalog difference.
    Catalog,
    /// Written by the project's developer in a migration; run it with no more rights than the developer has.
    Data,
    /// Configuration rows, edge functions and migration records.
    Rows,
}

/// One statement to run on the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// SQL without a semicolon.
    pub sql: String,
    /// Run `set local role` to this first; absent: the session's own role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_hint: Option<String>,
    /// Which part it belongs to.
    pub origin: Origin,
    /// What it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
}

/// Counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Changes that add.
    pub added: usize,
    /// Changes that modify.
    pub modified: usize,
    /// Conflicts.
    pub conflicts: usize,
    /// Changes that drop; a superset of the contract.
    pub dropped: usize,
}

/// The outcome of a merge, bound to the target it was planned for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergePlan {
    /// What changes on the target.
    pub changes: Vec<Change>,
    /// All disagreements.
    pub conflicts: Vec<Conflict>,
    /// What cannot be merged.
    pub unsupported: Vec<Unsupported>,
    /// What to know before.
    pub hazards: Vec<Hazard>,
    /// In execution order, for one transaction.
    pub statements: Vec<Statement>,
    /// Counts.
    pub summary: Summary,
    /// Identifies statements, target and prediction together.
    pub plan_hash: String,
    /// Catalog hash of the target the plan is bound to.
    pub target_hash: String,
    /// The catalog the target shall have afterwards.
    pub predicted: Catalog,
    /// Its hash.
    pub predicted_hash: String,
}

impl MergePlan {
    /// True when the plan must not run.
    pub fn blocked(&self) -> bool {
        !self.conflicts.is_empty() || !self.unsupported.is_empty()
    }
}

/// The contract's result with its superset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiffResult {
    /// Counts.
    pub summary: Summary,
    /// The script for a person.
    pub rendered_sql: String,
    /// What changes.
    pub changes: Vec<Change>,
    /// All disagreements.
    pub conflicts: Vec<Conflict>,
    /// What cannot be merged.
    pub unsupported: Vec<Unsupported>,
    /// What to know before.
    pub hazards: Vec<Hazard>,
    /// Identifies the plan.
    pub plan_hash: String,
}
