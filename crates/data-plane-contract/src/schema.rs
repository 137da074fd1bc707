//! Reading and changing a project's schema for a merge.
//!
//! `GET /_hearth/v1/schema` → [`SchemaSnapshot`] · `POST /_hearth/v1/schema/apply` [`ApplyPlan`] → [`PlanApplied`] or [`ApplyRefused`] ·
//! `POST /_hearth/v1/schema/rehearse` [`RehearsePlan`] → [`Rehearsed`] · `POST /_hearth/v1/schema/forget` [`ForgetKept`] → [`KeptForgotten`].
//! Catalogs travel as opaque JSON: their shape belongs to `schema-merge`, which both ends use.

use ids::OperationId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Catalog, configuration rows, edge functions and migrations, read in one snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SchemaSnapshot {
    /// `schema_merge::Snapshot` as JSON.
    pub snapshot: Box<RawValue>,
    /// Hash of the catalog in it.
    pub catalog_hash: String,
    /// Tables, as `schema.table` with quotes where Postgres needs them, of [`LARGE_TABLE_BYTES`] or more.
    #[serde(default)]
    pub large_tables: Vec<String>,
}

/// From this size on, in bytes without indexes, a table's writers do not wait while an index is built. Half a core builds one over this
/// much in about a tenth of a second.
pub const LARGE_TABLE_BYTES: i64 = 8 << 20;

/// Runs a plan, one transaction for each segment that is not concurrent: lock, compare the catalog with the hash the segment starts from,
/// run, compare with the hash it leads to, record, commit. Idempotent by `operation_id` and `plan_hash`: segments that were committed are
/// not run again, and a plan whose last segment was committed is reported as applied. A plan that is refused before its first transaction
/// was committed leaves no index that it built concurrently.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApplyPlan {
    /// The merge operation.
    pub operation_id: OperationId,
    /// Tells the plans apart that one operation has made, when its target changed meanwhile.
    #[serde(default)]
    pub plan_hash: String,
    /// `Vec<schema_merge::Statement>` as JSON, in order.
    pub statements: serde_json::Value,
    /// `Vec<schema_merge::Segment>` as JSON; null when all statements are one segment.
    #[serde(default)]
    pub segments: serde_json::Value,
    /// Catalog hash of the target that the plan was made for.
    pub expected_hash: String,
    /// Catalog hash that the plan must lead to.
    pub predicted_hash: String,
    /// Hash of the configuration rows, edge functions and migrations that the plan was made for; absent when it leaves them alone.
    #[serde(default)]
    pub rows_hash: Option<String>,
    /// Run first, with the first segment: removes what an earlier merge kept for its undo.
    #[serde(default)]
    pub forget: Vec<String>,
    /// Longest time that locks may be waited for, in all.
    pub lock_timeout_ms: u32,
}

/// The plan is committed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanApplied {
    /// Catalog hash after it.
    pub catalog_hash: String,
    /// False when an earlier call had committed it already.
    pub applied_now: bool,
    /// How long its transactions were open.
    pub duration_ms: u64,
    /// How long writers may have been blocked: from the first statement of a segment to its end, all segments together.
    #[serde(default)]
    pub blocked_ms: u64,
    /// `schema_merge::Snapshot` after it as JSON; when an earlier call had committed it, of this moment.
    #[serde(default)]
    pub snapshot: Box<RawValue>,
}

/// Why a plan was not applied. Nothing was changed, except by segments that are told. Sent with status 409, for `locked` 423.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum ApplyRefused {
    /// The target is no longer what the plan was made for.
    TargetChanged {
        /// Its catalog hash now.
        catalog_hash: String,
    },
    /// A statement failed.
    StatementFailed {
        /// Zero-based position in the plan.
        index: usize,
        /// SQLSTATE.
        sqlstate: String,
        /// Postgres' message.
        message: String,
        /// Segments that were committed before and stay.
        #[serde(default)]
        committed_segments: u32,
    },
    /// The plan ran but led elsewhere: a fault of the planner, named by the facts that differ.
    PredictionFailed {
        /// Differing facts, at most 20.
        differences: Vec<String>,
        /// Segments that were committed before and stay.
        #[serde(default)]
        committed_segments: u32,
    },
    /// A lock was not to be had in time; try again.
    Locked,
}

/// Runs a plan on a throw-away clone of the target and looks at what happens. Once for an operation; asked again, it answers the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RehearsePlan {
    /// The plan.
    #[serde(flatten)]
    pub plan: ApplyPlan,
    /// Whether the hashes the plan foretells are more than guesses.
    pub exact: bool,
    /// Questions about rows that the plan may not get past.
    #[serde(default)]
    pub probes: Vec<Probe>,
    /// Whether to compare what `pg_dump` says before and after with the catalogs.
    pub observe: bool,
}

/// A question about rows: how many there are that a new rule forbids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Rule of the taxonomy, such as `C7`.
    pub rule: String,
    /// The table.
    pub table: String,
    /// What the rows violate, for a person.
    pub what: String,
    /// Query for their keys, one JSON column; counted and sampled by whoever runs it.
    pub sql: String,
}

/// What a rehearsal showed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Rehearsed {
    /// Why the plan did not run, if it did not.
    pub refused: Option<ApplyRefused>,
    /// `schema_merge::Segment`s with the hashes that were reached, as JSON.
    pub segments: serde_json::Value,
    /// For people and for the record.
    pub report: RehearsalReport,
}

/// What a rehearsal showed, as it is reported.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RehearsalReport {
    /// How long the plan took, from its first statement to its end, all segments together.
    pub duration_ms: f64,
    /// How long writers would have been blocked: from the first lock that blocks them to the end of its segment, all segments together.
    pub blocking_ms: f64,
    /// The slowest statements, slowest first, at most 20.
    pub slowest: Vec<StatementTime>,
    /// The strongest lock on each thing that existed before, at most 200.
    pub locks: Vec<LockTaken>,
    /// Tables that were written anew, at most 200.
    pub rewritten: Vec<String>,
    /// Rows that violate a rule the plan adds.
    pub violations: Vec<Violation>,
    /// What the second observer says.
    pub observer: Observation,
}

/// How long a statement took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatementTime {
    /// Zero-based position in the plan.
    pub index: usize,
    /// Its first 200 characters.
    pub sql: String,
    /// Milliseconds.
    pub duration_ms: f64,
}

/// A lock that the plan took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockTaken {
    /// Qualified name.
    pub object: String,
    /// Such as `AccessExclusiveLock`.
    pub mode: String,
    /// What waits for it: `reads and writes`, `writes` or `schema changes`.
    pub blocks: String,
    /// Position of the statement that took it.
    pub statement: usize,
}

/// Rows that violate a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// Rule of the taxonomy.
    pub rule: String,
    /// The table.
    pub table: String,
    /// What they violate.
    pub what: String,
    /// How many there are; absent when counting took too long.
    pub count: Option<i64>,
    /// Keys of at most five of them.
    pub sample: Vec<serde_json::Value>,
}

/// What the second observer says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// `agrees`, `disagrees`, or `absent` where it could not look.
    pub verdict: String,
    /// What it sees otherwise, at most 20.
    pub differences: Vec<String>,
    /// Why it could not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long it took.
    pub duration_ms: f64,
}

/// Removes what a merge kept for its undo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ForgetKept {
    /// Statements, run in one transaction; running them again does nothing.
    pub statements: Vec<String>,
    /// Longest wait for one lock.
    pub lock_timeout_ms: u32,
}

/// Nothing is kept any more. While something holds on to it, the answer is [`ApplyRefused`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeptForgotten {
    /// How long it took.
    pub duration_ms: u64,
}
