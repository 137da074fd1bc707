//! How the embedded engine paces itself.

use std::time::Duration;

use saga::OperationKind;

/// Pace and limits of one worker.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a lease holds without a heartbeat; heartbeats come three times as often.
    pub lease: Duration,
    /// How often the worker looks for due operations when nothing announces any.
    pub poll: Duration,
    /// How often it looks for operations past their deadline.
    pub deadline_check: Duration,
    /// First interval between the tries of a stuck operation; doubles up to `stuck_retry_max`.
    pub stuck_retry: Duration,
    /// Longest interval between the tries of a stuck operation.
    pub stuck_retry_max: Duration,
    /// Attempts of an undo in a row before the operation is called stuck.
    pub undo_attempts: u32,
    /// At shutdown, how long a step that is under way may take to end.
    pub grace: Duration,
    /// Operations at once, over all kinds.
    pub concurrency: usize,
    /// Operations at once of the kinds that make or clone clusters.
    pub heavy_concurrency: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            poll: Duration::from_secs(1),
            deadline_check: Duration::from_secs(5),
            stuck_retry: Duration::from_secs(5),
            stuck_retry_max: Duration::from_secs(600),
            undo_attempts: 5,
            grace: Duration::from_secs(20),
            concurrency: 32,
            heavy_concurrency: 8,
        }
    }
}

impl Settings {
    /// Operations at once of one kind.
    pub(super) const fn limit(&self, kind: OperationKind) -> usize {
        match kind {
            OperationKind::ProjectCreate
            | OperationKind::BranchCreate
            | OperationKind::BranchReset
            | OperationKind::BranchMerge
            | OperationKind::BranchUpdate
            | OperationKind::BranchMergeUndo => self.heavy_concurrency,
            OperationKind::ProjectDelete
            | OperationKind::ProjectPause
            | OperationKind::ProjectRestore
            | OperationKind::ProjectRestart
            | OperationKind::BranchDelete => self.concurrency,
        }
    }

    /// Milliseconds of a lease.
    pub(super) fn lease_duration(&self) -> store::operation_leases::LeaseDuration {
        store::operation_leases::LeaseDuration {
            milliseconds: u32::try_from(self.lease.as_millis()).unwrap_or(u32::MAX),
        }
    }

    /// How long to leave a stuck operation alone after `rounds` rounds of attempts.
    pub(super) fn stuck_delay(&self, rounds: u32) -> Duration {
        self.stuck_retry.saturating_mul(2_u32.saturating_pow(rounds.min(20))).min(self.stuck_retry_max)
    }
}
