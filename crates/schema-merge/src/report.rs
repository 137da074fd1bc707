//! What a merge says: changes, conflicts, hazards, statements, and the contract's `DiffResult`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::catalog::{Catalog, Identity};
use crate::plan::Unsupported;
use crate::shadow::Shadow;

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

/// How much a finding is in the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// The merge waits until somebody has approved it.
    NeedsApproval,
    /// The merge cannot run until it is resolved.
    Block,
}

/// A way out of a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// `take_target`, `take_source` or `custom_sql`, as a resolution names it; `union` is made with `custom_sql`.
    pub choice: String,
    /// What it leads to, for a person.
    pub detail: String,
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
    /// Stays the same as long as class, things and differing fields do, whatever their values; resolutions name it.
    #[serde(default)]
    pub id: String,
    /// Always [`Severity::Block`]: what does not block is a [`Hazard`].
    #[serde(default)]
    pub severity: Severity,
    /// What the parent did, as SQL.
    #[serde(default)]
    pub target_change: Vec<String>,
    /// What the branch did, as SQL.
    #[serde(default)]
    pub source_change: Vec<String>,
    /// Facts of either side that stand on it.
    #[serde(default)]
    pub dependents: Vec<String>,
    /// Ways out.
    #[serde(default)]
    pub resolutions: Vec<Suggestion>,
}

impl Conflict {
    /// About an object, with nothing said yet.
    pub(crate) fn of(object: Object) -> Self {
        Self {
            object,
            parent_t0_hash: None,
            parent_now_hash: None,
            branch_now_hash: None,
            hint: String::new(),
            class: String::new(),
            fields: Vec::new(),
            id: String::new(),
            severity: Severity::Block,
            target_change: Vec::new(),
            source_change: Vec::new(),
            dependents: Vec::new(),
            resolutions: Vec::new(),
        }
    }
}

/// Classes of hazards that a strict merge wants approved, each of them.
pub const HAZARD_CLASSES: [&str; 7] = [
    "data_loss",
    "table_rewrite",
    "long_exclusive_lock",
    "index_build",
    "widened_access",
    "untrackable_body",
    "non_transactional",
];

/// Something a person should know before the merge, and may have to approve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hazard {
    /// One of [`HAZARD_CLASSES`], or for information `access`, `data_statement`, `row_kept`, `comment`, `secret`, `untested`, `layout`, `match`,
    /// `duplicate`, `version` or `order`.
    pub class: String,
    /// What it is about.
    pub object: String,
    /// Why, for a person.
    pub detail: String,
    /// Stays the same as long as class and object do; approvals name it or the class.
    #[serde(default)]
    pub id: String,
    /// [`Severity::Info`] or [`Severity::NeedsApproval`].
    #[serde(default)]
    pub severity: Severity,
    /// The rule of the taxonomy it comes from, such as `C14`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The strongest lock it takes on its object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// True when the merge was asked for with its approval.
    #[serde(default)]
    pub approved: bool,
}

impl Hazard {
    /// For information.
    pub fn new(class: &str, object: impl Into<String>, detail: impl Into<String>) -> Self {
        let (object, detail) = (object.into(), detail.into());
        let id = stable_id("h", [class, &object]);
        Self {
            class: class.to_owned(),
            object,
            detail,
            id,
            severity: Severity::Info,
            rule: None,
            lock: None,
            approved: false,
        }
    }

    /// The same, from a rule of the taxonomy; the rule is part of its id.
    #[must_use]
    pub fn rule(mut self, rule: &str) -> Self {
        self.rule = Some(rule.to_owned());
        self.id = stable_id("h", [self.class.as_str(), &self.object, rule]);
        self
    }

    /// The same, in need of approval.
    #[must_use]
    pub fn needs_approval(mut self) -> Self {
        self.severity = Severity::NeedsApproval;
        self
    }

    /// The same, with the lock it takes.
    #[must_use]
    pub fn lock(mut self, lock: Option<&str>) -> Self {
        self.lock = lock.map(str::to_owned);
        self
    }
}

/// A short name made of parts that do not change from one planning to the next.
pub(crate) fn stable_id<'a>(prefix: &str, parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
        hasher.update([0]);
    }
    format!("{prefix}-{}", &hex::encode(hasher.finalize())[..12])
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
    /// The segment it runs in; see [`Segment`].
    #[serde(default)]
    pub segment: u32,
    /// The strongest lock it takes on an object that exists, in Postgres' words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
}

/// Statements that run in one transaction, or one that runs outside any; the next segment begins when it is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Counted from zero.
    pub number: u32,
    /// Catalog hash it starts from.
    pub expected_hash: String,
    /// Catalog hash it leads to.
    pub predicted_hash: String,
    /// It is one `create index concurrently`, which Postgres lets run in no transaction.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub concurrent: bool,
    /// It comes before the merge itself and is taken back when that is refused: a constraint that is added, or one that is validated while
    /// writers go on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub early: bool,
    /// Facts whose printed texts are no part of `predicted_hash`; see [`Prediction::Restated`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub restated: BTreeSet<Identity>,
}

impl Segment {
    /// Whether this catalog is the foretold one.
    pub fn leads_to(&self, catalog: &Catalog) -> bool {
        catalog.leaving_texts(&self.restated).hash() == self.predicted_hash
    }
}

/// How the catalog after the merge is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The plan foretells it.
    #[default]
    Exact,
    /// The plan foretells it but for texts that only Postgres can print: one side made them over columns that the other side gave other
    /// types. The rehearsal adds those.
    Restated,
    /// The plan runs SQL that was given by hand; what the rehearsal leads to is the prediction.
    Rehearsed,
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
    /// In execution order, one transaction for each segment.
    pub statements: Vec<Statement>,
    /// At least one where there are statements.
    #[serde(default)]
    pub segments: Vec<Segment>,
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
    /// Whether `predicted_hash` can be relied upon.
    #[serde(default)]
    pub prediction: Prediction,
    /// What only Postgres can print; see [`Prediction::Restated`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub restated: BTreeSet<Identity>,
    /// Hash of the target's configuration, edge functions and migrations that the plan is bound to; see [`crate::Snapshot::rows_hash`].
    #[serde(default)]
    pub rows_hash: String,
    /// What is kept for undo, when the merge was asked to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadow>,
    /// Every fact that either side changed, with what becomes of it.
    #[serde(default)]
    pub facts: Vec<FactChange>,
}

impl MergePlan {
    /// True when the plan must not run.
    pub fn blocked(&self) -> bool {
        !self.conflicts.is_empty() || !self.unsupported.is_empty() || !self.unapproved().is_empty()
    }

    /// The hazards that wait for approval.
    pub fn unapproved(&self) -> Vec<&Hazard> {
        self.hazards.iter().filter(|hazard| hazard.severity == Severity::NeedsApproval && !hazard.approved).collect()
    }

    /// True when nothing changes on the target.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

/// Who changed a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The parent.
    Target,
    /// The branch.
    Source,
    /// Both, to the same.
    Both,
    /// Both, in different parts or in different ways.
    Mixed,
}

/// One fact that a side changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactChange {
    /// Address of the fact.
    pub fact: String,
    /// The object it is shown under.
    pub object: Object,
    /// Who changed it.
    pub side: Side,
    /// What became of it on that side.
    pub action: Action,
    /// The fields that changed, empty when it is new or gone.
    pub fields: Vec<String>,
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
    /// Every fact that either side changed.
    #[serde(default)]
    pub facts: Vec<FactChange>,
    /// The transactions it runs in.
    #[serde(default)]
    pub segments: Vec<Segment>,
    /// How the outcome is known.
    #[serde(default)]
    pub prediction: Prediction,
    /// What a rehearsal showed, filled in by whoever rehearsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Value>,
}
