//! Reading and changing a project's schema for a merge.
//!
//! `GET /_hearth/v1/schema` → [`SchemaSnapshot`] · `POST /_hearth/v1/schema/apply` [`ApplyPlan`] → [`PlanApplied`] or [`ApplyRefused`].
//! Catalogs travel as opaque JSON: their shape belongs to `schema-merge`, which both ends use.

use ids::OperationId;
use serde::{Deserialize, Serialize};

/// Catalog, configuration rows, edge functions and migrations, read in one snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SchemaSnapshot {
    /// `schema_merge::Snapshot` as JSON.
    pub snapshot: serde_json::Value,
    /// Hash of the catalog in it.
    pub catalog_hash: String,
}

/// Runs a plan in one transaction: lock, compare the catalog with `expected_hash`, run, compare with `predicted_hash`, record, commit.
/// Idempotent by `operation_id`: a plan that was already committed under it is reported as applied and not run again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApplyPlan {
    /// The merge operation.
    pub operation_id: OperationId,
    /// `Vec<schema_merge::Statement>` as JSON, in order.
    pub statements: serde_json::Value,
    /// Catalog hash of the target that the plan was made for.
    pub expected_hash: String,
    /// Catalog hash that the plan must lead to.
    pub predicted_hash: String,
    /// Longest wait for one lock.
    pub lock_timeout_ms: u32,
}

/// The plan is committed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanApplied {
    /// Catalog hash after it.
    pub catalog_hash: String,
    /// False when an earlier call had committed it already.
    pub applied_now: bool,
    /// How long the transaction was open.
    pub duration_ms: u64,
}

/// Why a plan was not applied; nothing was changed. Sent with status 409, for `locked` 423.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    },
    /// The plan ran but led elsewhere: a fault of the planner, named by the facts that differ.
    PredictionFailed {
        /// Differing facts, at most 20.
        differences: Vec<String>,
    },
    /// A lock was not to be had in time; try again.
    Locked,
}
