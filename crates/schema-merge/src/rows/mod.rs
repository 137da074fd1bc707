//! Rows that merge: configuration, edge functions and migrations.
//!
//! How migrations and the catalog work together: a migration of the branch is recorded on the target as a row, its statements
//! verbatim, but its structure is not replayed — the catalog difference leads to the merged catalog whatever the migration did, also
//! where the parent did part of it already. Statements that carry data (`insert`, `update`, `delete`, `do`, `select`, …) are run
//! again, in version order, after new structure is there and before constraints close and old structure goes. The catalog hash that
//! the plan must lead to catches a replayed statement that changes structure in another way; then nothing is applied.

mod configuration;
mod edge_functions;
mod migrations;
mod reading;

pub use configuration::{CONFIGURATION, ConfigurationTable};
pub use reading::{ReadRowsError, RowQuery, assemble, queries};

use serde_json::Value;

use crate::plan::{Step, Unsupported};
use crate::report::{Change, Conflict, Hazard, Object, Statement};
use crate::snapshot::Snapshot;

/// The role that developers' migrations run as.
pub const DEVELOPER_ROLE: &str = "project_admin";

/// What the rows add to a plan.
#[derive(Default)]
pub(crate) struct RowsMerged {
    pub(crate) changes: Vec<Change>,
    pub(crate) conflicts: Vec<Conflict>,
    pub(crate) unsupported: Vec<Unsupported>,
    pub(crate) hazards: Vec<Hazard>,
    /// Data statements of migrations, to be placed among the catalog's.
    pub(crate) data: Vec<(Step, Object)>,
    /// Run last.
    pub(crate) statements: Vec<Statement>,
}

pub(crate) fn merge(base: &Snapshot, target: &Snapshot, source: &Snapshot) -> RowsMerged {
    let mut merged = RowsMerged::default();
    migrations::merge(&mut merged, &base.migrations, &target.migrations, &source.migrations);
    configuration::merge(&mut merged, &base.configuration, &target.configuration, &source.configuration);
    edge_functions::merge(&mut merged, &base.edge_functions, &target.edge_functions, &source.edge_functions);
    merged
}

/// SHA-256 of a value, for the hashes of a conflict.
fn hash(value: &Value) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(crate::catalog::canonical(value)))
}
