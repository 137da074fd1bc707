//! Events: what is told of projects, branches and usage, to whom, and how their delivery is repeated. Pure.

use chrono::{DateTime, Duration, Utc};
use ids::{OrganizationId, PartnerId};

use crate::{Error, limits, words::words};

words! {
    /// What happened.
    EventType is a "type of event" {
        /// A project answers for the first time.
        ProjectCreated = "project.created",
        /// A project could not be made; nothing of it is left.
        ProjectCreationFailed = "project.creation_failed",
        /// A project's name or domain changed.
        ProjectUpdated = "project.updated",
        /// A project is stopped and keeps its data.
        ProjectPaused = "project.paused",
        /// A paused project serves again.
        ProjectRestored = "project.restored",
        /// A project was restarted as it was.
        ProjectRestarted = "project.restarted",
        /// A project has another instance type.
        ProjectInstanceChanged = "project.instance_changed",
        /// A project runs another backend version.
        ProjectVersionChanged = "project.version_changed",
        /// A project is gone.
        ProjectDeleted = "project.deleted",
        /// Something else that was asked of a project failed and was taken back.
        ProjectOperationFailed = "project.operation_failed",
        /// Nobody has used a project for long; it will be paused.
        ProjectIdle = "project.idle",
        /// A branch answers for the first time.
        BranchCreated = "branch.created",
        /// A branch could not be made; nothing of it is left.
        BranchCreationFailed = "branch.creation_failed",
        /// A branch's name or domain changed.
        BranchRenamed = "branch.renamed",
        /// A branch is as it was at its creation.
        BranchReset = "branch.reset",
        /// A branch was merged into its parent.
        BranchMerged = "branch.merged",
        /// A branch has what its parent had.
        BranchUpdated = "branch.updated",
        /// A merge was taken back.
        BranchMergeUndone = "branch.merge_undone",
        /// A branch is gone.
        BranchDeleted = "branch.deleted",
        /// Something else that was asked of a branch failed and was taken back.
        BranchOperationFailed = "branch.operation_failed",
        /// Usage has reached a share of what is allowed.
        UsageThresholdReached = "usage.threshold_reached",
        /// Usage is beyond what is allowed, and something is done about it.
        UsageRestricted = "usage.restricted",
        /// What was done about usage has ended.
        UsageReleased = "usage.released",
    }
}

/// Whose events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// All projects of an organization.
    Organization(OrganizationId),
    /// All projects made through a partner.
    Partner(PartnerId),
}

impl Owner {
    /// The organization, if it is one.
    #[must_use]
    pub const fn organization_id(self) -> Option<OrganizationId> {
        match self {
            Self::Organization(id) => Some(id),
            Self::Partner(_) => None,
        }
    }

    /// The partner, if it is one.
    #[must_use]
    pub const fn partner_id(self) -> Option<PartnerId> {
        match self {
            Self::Organization(_) => None,
            Self::Partner(id) => Some(id),
        }
    }
}

/// When a delivery that has failed `attempts` times is tried again; absent when it is given up. The first pause grows fivefold up to a longest
/// one; the last attempt is made when the time for all of them is over, `since` the event was told.
#[must_use]
pub fn next_try(attempts: u32, since: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let end = since + Duration::hours(limits::WEBHOOK_RETRY_HOURS);
    if now >= end {
        return None;
    }
    let growth = 5_i64.saturating_pow(attempts.saturating_sub(1));
    let pause = limits::WEBHOOK_RETRY_FIRST_SECONDS.saturating_mul(growth).min(limits::WEBHOOK_RETRY_MAX_SECONDS);
    Some((now + Duration::seconds(pause)).min(end))
}

/// Checks why an endpoint is disabled.
///
/// # Errors
/// Invalid, for nothing or too much.
pub fn check_reason(text: &str) -> Result<String, Error> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > limits::WEBHOOK_TEXT_MAX || text.chars().any(char::is_control) {
        let text = format!("reason must be 1 to {} characters on one line", limits::WEBHOOK_TEXT_MAX);
        return Err(Error::invalid("reason", text));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_are_tried_for_a_day_in_growing_pauses() {
        let since = DateTime::<Utc>::UNIX_EPOCH;
        let (mut now, mut attempts, mut pauses) = (since, 1, Vec::new());
        while let Some(next) = next_try(attempts, since, now) {
            pauses.push((next - now).num_seconds());
            (now, attempts) = (next, attempts + 1);
        }
        assert_eq!(pauses[..6], [5, 25, 125, 625, 3125, 14_400]);
        assert_eq!(now - since, Duration::hours(24));
        assert!(pauses.iter().all(|pause| *pause > 0), "{pauses:?}");
        assert_eq!(next_try(u32::MAX, since, since), Some(since + Duration::hours(4)));
    }
}
