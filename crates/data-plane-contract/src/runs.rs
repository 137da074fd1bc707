//! Runs of a data plane's process: whoever supervises it tells of each that has ended, so that a process that is killed is counted to its end.
//!
//! A run is one process. Its id is made of the machine's boot, the process id and its start, so that no two are ever the same.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// In the usage folder, the file of an ended run is named by its id with this extension.
pub const ENDED_RUN_EXTENSION: &str = "ended";

/// A run that is over. The process that measures usage removes the file once what it says is in records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedRun {
    /// When the process was started, by the system clock.
    pub started_at: DateTime<Utc>,
    /// When the process was started, in milliseconds since the machine was.
    pub started_ms: u64,
    /// When it ended, in milliseconds since the machine was started; absent when nobody saw it.
    pub ended_ms: Option<u64>,
    /// Which instance ran.
    pub instance_type: Option<String>,
}

/// The id of a run: `boot_id` is the machine's, `started_ms` as in [`EndedRun`].
#[must_use]
pub fn run_id(boot_id: &str, pid: u32, started_ms: u64) -> String {
    format!("{boot_id}-{pid}-{started_ms}")
}
