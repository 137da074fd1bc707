//! Everything of one database that a merge looks at.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::catalog::{Catalog, canonical};

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

impl Snapshot {
    /// SHA-256 over configuration, edge functions and migrations, whatever their order; the catalog has a hash of its own.
    pub fn rows_hash(&self) -> String {
        let mut rows: Vec<String> = Vec::new();
        let mut put = |word: &str, value: Result<Value, serde_json::Error>| {
            rows.push(format!("{word} {}", canonical(&value.unwrap_or_default())));
        };
        self.configuration.iter().for_each(|row| put("configuration", serde_json::to_value(row)));
        self.edge_functions.iter().for_each(|row| put("edge_function", serde_json::to_value(row)));
        self.migrations.iter().for_each(|row| put("migration", serde_json::to_value(row)));
        rows.sort_unstable();
        let mut hasher = Sha256::new();
        for row in rows {
            hasher.update(row);
            hasher.update([0]);
        }
        hex::encode(hasher.finalize())
    }
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
