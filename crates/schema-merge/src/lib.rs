//! Three-way merge of Postgres schemas, without touching a database.
//!
//! A caller runs [`extract::queries`] and [`rows::queries`] in one repeatable-read, read-only transaction, after
//! [`extract::SETTINGS`], and hands the answers to [`extract::assemble`] and [`rows::assemble`]: that is a [`Snapshot`]. Three of them — `base`, the parent
//! when the branch was made, `target`, the parent now, and `source`, the branch now — go into [`merge()`], which returns a
//! [`MergePlan`]: statements for one transaction on the target, the catalog they lead to with its hash, conflicts, hazards and what
//! is unsupported. [`render::diff_result`] makes the contract's answer of it. [`plan::two_way`] alone goes from any catalog to any other.
//!
//! Running a plan: check that the target's catalog hash is `target_hash`; for each statement take on `role_hint` with `set local role`,
//! or reset the role where there is none; read the catalog again and compare with `predicted_hash`; commit only if equal. Statements of
//! origin `data`, and any that evaluate a developer's functions, must run in a session that holds no more rights than the developer.
//!
//! What is deliberately absent: parsing of DDL, guessing of renames (lineage tells them), `cascade`, and silence — a kind that is not
//! modelled is known by its hash, and blocks a merge when the source changed it or when a change would touch what it stands on.

mod access;
pub mod catalog;
mod ddl;
pub mod extract;
mod merge;
pub mod observer;
pub mod plan;
pub mod render;
pub mod report;
pub mod rows;
pub mod shadow;
mod snapshot;

pub use catalog::{Catalog, Fact, Fields, Identity, Kind};
pub use merge::{Base, Choice, Options, ResolutionError, Resolutions, Undo, merge, merge_with, undo};
pub use plan::Unsupported;
pub use report::{
    Action, Change, Conflict, DiffResult, FactChange, FieldConflict, Hazard, MergePlan, Object, ObjectType, Origin,
    Prediction, Segment, Severity, Side, Statement, Suggestion, Summary,
};
pub use shadow::Shadow;
pub use snapshot::{ConfigurationRow, EdgeFunction, Migration, Snapshot};
