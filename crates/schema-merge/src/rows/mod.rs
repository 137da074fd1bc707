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
pub(crate) use migrations::refreshes;
pub use reading::{ReadRowsError, RowQuery, assemble, queries};

use std::collections::BTreeSet;

use hashbrown::HashMap;
use serde_json::Value;

use crate::merge::Choice;
use crate::plan::{Step, Unsupported};
use crate::report::{
    Action, Change, Conflict, Hazard, Object, ObjectType, Origin, Severity, Statement, Suggestion, stable_id,
};
use crate::snapshot::Snapshot;

/// The role that developers' migrations run as.
pub const DEVELOPER_ROLE: &str = "project_admin";

/// Configuration tables whose triggers are developers' own.
const OPEN_TABLES: [(&str, &str); 2] = [("realtime", "channels"), ("storage", "buckets")];

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
    /// Conflicts that a choice has settled.
    pub(crate) used: BTreeSet<String>,
    choices: HashMap<String, Choice>,
    undo: bool,
}

/// One table's rows of the four snapshots: what the target and the source were, and what they are.
struct Sides<'a, T> {
    base_of_target: &'a [T],
    base_of_source: &'a [T],
    target: &'a [T],
    source: &'a [T],
}

/// Merges the rows of what target and source were and of what they are, in this order.
///
/// An undo also takes away the functions and migrations that the merge brought, where nobody has changed them since. Configuration rows
/// always stay, because other rows may hang on them.
pub(crate) fn merge(snapshots: [&Snapshot; 4], choices: &HashMap<String, Choice>, undo: bool) -> RowsMerged {
    let mut merged = RowsMerged { choices: choices.clone(), undo, ..RowsMerged::default() };
    migrations::merge(&mut merged, &sides(snapshots, |snapshot| &snapshot.migrations));
    configuration::merge(&mut merged, &sides(snapshots, |snapshot| &snapshot.configuration));
    edge_functions::merge(&mut merged, &sides(snapshots, |snapshot| &snapshot.edge_functions));
    merged
}

fn sides<'a, T>(
    [base_of_target, base_of_source, target, source]: [&'a Snapshot; 4],
    of: impl Fn(&'a Snapshot) -> &'a [T],
) -> Sides<'a, T> {
    Sides {
        base_of_target: of(base_of_target),
        base_of_source: of(base_of_source),
        target: of(target),
        source: of(source),
    }
}

impl RowsMerged {
    /// Takes a row away that the merge being undone has brought.
    fn take_away(&mut self, sql: String, object: Object) {
        self.changes.push(Change {
            object: object.clone(),
            action: Action::Drop,
            sql: sql.clone(),
            destructive: false,
        });
        self.statements.push(statement(sql, object));
    }

    /// Reports a conflict, unless a choice settles it: then says whether the source's state is to be taken.
    fn decide(&mut self, mut conflict: Conflict) -> bool {
        let mut names: Vec<String> =
            conflict.fields.iter().map(|entry| format!("{} {}", entry.fact, entry.field)).collect();
        names.sort_unstable();
        let about = format!("{} {}.{}", conflict.object.kind, conflict.object.schema, conflict.object.object);
        conflict.id = stable_id(
            "c",
            [conflict.class.as_str(), about.as_str()].into_iter().chain(names.iter().map(String::as_str)),
        );
        if let Some(choice) = self.choices.get(&conflict.id) {
            self.used.insert(conflict.id);
            return *choice == Choice::TakeSource;
        }
        conflict.severity = Severity::Block;
        conflict.resolutions = [
            ("take_target", "as on the parent"),
            ("take_source", "as on the branch"),
            ("custom_sql", "written by hand, run in the developer's role after everything else"),
        ]
        .map(|(choice, detail)| Suggestion { choice: choice.to_owned(), detail: detail.to_owned() })
        .to_vec();
        self.conflicts.push(conflict);
        false
    }
}

/// A statement that writes such a row. On tables where developers have triggers it runs as the developer, because they run with it.
fn statement(sql: String, object: Object) -> Statement {
    let open = OPEN_TABLES.contains(&(object.schema.as_str(), object.object.as_str()));
    let role_hint = (open && object.object_type == ObjectType::ConfigRow).then(|| DEVELOPER_ROLE.to_owned());
    Statement { sql, role_hint, origin: Origin::Rows, object: Some(object), segment: 0, lock: None }
}

/// Statements of the migrations between two states that changed rows, which no undo takes back.
pub(crate) fn stay_changed(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    migrations::data_statements(&before.migrations, &after.migrations)
}

/// SHA-256 of a value, for the hashes of a conflict.
fn hash(value: &Value) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(crate::catalog::canonical(value)))
}
