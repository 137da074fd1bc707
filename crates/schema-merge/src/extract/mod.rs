//! Reading a catalog: the queries a caller runs, and putting their answers together.
//!
//! Run [`SETTINGS`] and then all queries in one repeatable-read, read-only transaction, so that all see one state and Postgres prints
//! every name qualified, as a role that may read the system catalogs. Each returns one row with one JSON column.

mod access;
mod addresses;
mod assemble;
mod definitions;
mod foreign;
mod inheritance;
mod keys;
mod printing;
mod publications;
mod relations;
mod rows;
mod rules;

use std::sync::LazyLock;

pub use assemble::assemble;
pub(crate) use printing::settled;
pub(crate) use rules::in_order as statistics_in_order;

/// Schemas of the platform: their objects are not facts, except what developers own on [`queries`]' open tables.
pub const INTERNAL_SCHEMAS: [&str; 13] = [
    "ai",
    "auth",
    "compute",
    "cron",
    "deployments",
    "email",
    "functions",
    "memory",
    "payments",
    "realtime",
    "schedules",
    "storage",
    "system",
];

/// What to run first in the transaction: qualified names everywhere, system catalogs before a session's own tables of the same name, and
/// no compilation, which costs more than these queries.
pub const SETTINGS: &str = "set local search_path to pg_catalog, pg_temp; set local jit to off";

/// One text to run.
#[derive(Clone, Debug)]
pub struct ExtractQuery {
    /// Its name, to be handed back with the answer.
    pub name: &'static str,
    /// SQL without parameters.
    pub sql: String,
}

/// Why answers could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// A query's answer is not there.
    #[error("the answer of the extract query {0} is missing")]
    Missing(&'static str),
    /// A query's answer has another shape.
    #[error("the answer of the extract query {name} cannot be read")]
    Shape {
        /// Which query.
        name: &'static str,
        /// What serde said.
        #[source]
        source: serde_json::Error,
    },
}

const TEXTS: &[(&str, &str)] = &[
    ("server", include_str!("sql/server.sql")),
    ("schemas", include_str!("sql/schemas.sql")),
    ("extensions", include_str!("sql/extensions.sql")),
    ("extension_members", include_str!("sql/extension_members.sql")),
    ("types", include_str!("sql/types.sql")),
    ("definitions", include_str!("sql/definitions.sql")),
    ("relations", include_str!("sql/relations.sql")),
    ("inheritance", include_str!("sql/inheritance.sql")),
    ("columns", include_str!("sql/columns.sql")),
    ("constraints", include_str!("sql/constraints.sql")),
    ("indexes", include_str!("sql/indexes.sql")),
    ("sequences", include_str!("sql/sequences.sql")),
    ("functions", include_str!("sql/functions.sql")),
    ("triggers", include_str!("sql/triggers.sql")),
    ("rules", include_str!("sql/rules.sql")),
    ("statistics", include_str!("sql/statistics.sql")),
    ("publications", include_str!("sql/publications.sql")),
    ("foreign", include_str!("sql/foreign.sql")),
    ("policies", include_str!("sql/policies.sql")),
    ("grants", include_str!("sql/grants.sql")),
    ("default_privileges", include_str!("sql/default_privileges.sql")),
    ("comments", include_str!("sql/comments.sql")),
    ("aliases", include_str!("sql/aliases.sql")),
    ("depends", include_str!("sql/depends.sql")),
    ("unmodelled", include_str!("sql/unmodelled.sql")),
];

/// Tables inside internal schemas whose policies, triggers and row security belong to developers.
const OPEN_TABLES: &str = "select oc.oid from pg_class oc join pg_namespace ons on ons.oid = oc.relnamespace where oc.relkind = 'r' \
    and (ons.nspname in ('realtime', 'payments') or (ons.nspname = 'storage' and oc.relname in ('objects', 'buckets')) \
    or (ons.nspname = 'auth' and oc.relname = 'users'))";

static QUERIES: LazyLock<Vec<ExtractQuery>> = LazyLock::new(|| {
    let internal: Vec<_> = INTERNAL_SCHEMAS.iter().map(|name| format!("'{name}'")).collect();
    let user_schemas = format!(
        "select un.oid from pg_namespace un where un.nspname not in ('information_schema', {}) and un.nspname !~ '^(pg_|hearth_undo_|hearth_redo_)'",
        internal.join(", ")
    );
    TEXTS
        .iter()
        .map(|(name, text)| ExtractQuery {
            name,
            sql: text.replace("{user_schemas}", &user_schemas).replace("{open_tables}", OPEN_TABLES),
        })
        .collect()
});

/// The texts to run, in any order.
pub fn queries() -> &'static [ExtractQuery] {
    &QUERIES
}
