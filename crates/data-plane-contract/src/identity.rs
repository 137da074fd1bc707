//! `POST /_hearth/v1/identity`: makes a physical clone into a project of its own. Idempotent; called before the clone is reachable.

use serde::{Deserialize, Serialize};

/// Which rows a clone keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloneMode {
    /// Everything.
    Full,
    /// Schema and configuration; every user table, and the internal tables of user data, emptied.
    SchemaOnly,
    /// Everything, including keys: a throw-away clone for rehearsing a merge.
    Rehearsal,
}

/// Sets the keys and URL of a clone (from its process environment), clears what does not branch, and stops schedules from firing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AssumeIdentity {
    /// Which rows stay.
    pub mode: CloneMode,
}

/// What was done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdentityAssumed {
    /// User tables that were emptied.
    pub tables_emptied: u64,
}
