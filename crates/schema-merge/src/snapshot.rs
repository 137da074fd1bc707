//! Everything of one database that a merge looks at.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalog::Catalog;

/// Catalog, configuration rows, edge functions and migrations of one database, read in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The schema.
    pub catalog: Catalog,
    /// Rows of the configuration tables; see [`crate::rows::CONFIGURATION`].
    #[serde(default)]
    pub configuration: Vec<ConfigurationRow>,
    /// Edge functions by slug.
    #[serde(default)]
    pub edge_functions: Vec<EdgeFunction>,
    /// Developer migrations.
    #[serde(default)]
    pub migrations: Vec<Migration>,
}

/// A row of a configuration table: only the columns that merge, never a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigurationRow {
    /// Qualified name, such as `email.templates`.
    pub table: String,
    /// Natural key; empty for a table of one row.
    pub key: Map<String, Value>,
    /// Merged columns.
    pub values: Map<String, Value>,
}

/// An edge function as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EdgeFunction {
    /// Key.
    pub slug: String,
    /// Shown name.
    pub name: String,
    /// Shown description.
    #[serde(default)]
    pub description: Option<String>,
    /// Source text, merged as one field.
    pub code: String,
    /// `draft` or `active`.
    #[serde(default)]
    pub status: Option<String>,
}

/// A developer migration that was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Migration {
    /// Digits, compared as a number.
    pub version: String,
    /// Name.
    pub name: String,
    /// Its statements, verbatim.
    pub statements: Vec<String>,
}
