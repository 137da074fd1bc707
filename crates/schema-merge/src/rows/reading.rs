//! Reading the rows that merge: the texts a caller runs and putting their answers together. Secrets are never selected.

use serde_json::Value;

use super::configuration::CONFIGURATION;
use crate::catalog::Catalog;
use crate::snapshot::{ConfigurationRow, Snapshot};

/// One text to run, where its table exists.
#[derive(Clone, Debug)]
pub struct RowQuery {
    /// Name, to be handed back with the answer; for configuration the table.
    pub name: String,
    /// The table that must exist; skip the query when `to_regclass` of it is null.
    pub requires: String,
    /// SQL without parameters, returning one row with one JSON column.
    pub sql: String,
}

/// Why the rows could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the answer of the row query {name} cannot be read")]
pub struct ReadRowsError {
    /// Which query.
    pub name: String,
    /// What serde said.
    #[source]
    pub source: serde_json::Error,
}

/// The texts to run, in any order, in the same transaction as those of [`crate::extract::queries`].
pub fn queries() -> Vec<RowQuery> {
    let object = |columns: &[&str]| {
        let pairs: Vec<_> = columns.iter().map(|column| format!("'{column}', t.{column}")).collect();
        format!("json_build_object({})", pairs.join(", "))
    };
    let mut queries: Vec<_> = CONFIGURATION
        .iter()
        .map(|table| RowQuery {
            name: table.table.to_owned(),
            requires: table.table.to_owned(),
            sql: format!(
                "select coalesce(json_agg(json_build_object('table', '{}', 'key', {}, 'values', {})), '[]'::json) from {} t",
                table.table,
                object(table.key),
                object(table.columns),
                table.table
            ),
        })
        .collect();
    for (table, columns, order) in [
        ("functions.definitions", &["slug", "name", "description", "code", "status"][..], "slug"),
        ("system.custom_migrations", &["version", "name", "statements"][..], "version"),
    ] {
        let sql =
            format!("select coalesce(json_agg({} order by t.{order}), '[]'::json) from {table} t", object(columns));
        queries.push(RowQuery { name: table.to_owned(), requires: table.to_owned(), sql });
    }
    queries
}

/// A snapshot of this catalog with the rows from the answers; a skipped query has none.
pub fn assemble(catalog: Catalog, answers: Vec<(impl Into<String>, Value)>) -> Result<Snapshot, ReadRowsError> {
    let mut snapshot = Snapshot { catalog, ..Snapshot::default() };
    for (name, answer) in answers {
        let name = name.into();
        let failed = |source| ReadRowsError { name: name.clone(), source };
        match name.as_str() {
            "functions.definitions" => snapshot.edge_functions = serde_json::from_value(answer).map_err(failed)?,
            "system.custom_migrations" => snapshot.migrations = serde_json::from_value(answer).map_err(failed)?,
            _ => {
                snapshot.configuration.extend(serde_json::from_value::<Vec<ConfigurationRow>>(answer).map_err(failed)?)
            }
        }
    }
    Ok(snapshot)
}
