//! Branches: their state machine and the rule for their names.

use crate::{
    Error, limits,
    projects::{Activity, Intent, Observed},
    words::words,
};

words! {
    /// The state of a branch, as on the wire. `conflicted` exists there but is never reached: a conflict leaves a branch ready.
    BranchState is a "branch state" {
        /// Being cloned.
        Creating = "creating",
        /// Serving.
        Ready = "ready",
        /// Being merged into its parent, updated from it, or having a merge taken back.
        Merging = "merging",
        /// Merged, and not updated or reset since.
        Merged = "merged",
        /// Going back to its state at creation.
        Resetting = "resetting",
        /// Gone, or on its way, or never came to be.
        Deleted = "deleted",
    }
}

/// The state of a branch. A dry run changes nothing, so it does not show.
#[must_use]
pub const fn state(intent: Intent, observed: Observed, activity: Option<Activity>, merged: bool) -> BranchState {
    match (intent, observed, activity) {
        (Intent::Deleted, _, _) | (_, _, Some(Activity::Deleting)) => BranchState::Deleted,
        (_, _, Some(Activity::Creating)) => BranchState::Creating,
        (_, _, Some(Activity::Merging)) => BranchState::Merging,
        (_, _, Some(Activity::Resetting)) => BranchState::Resetting,
        (_, Observed::Absent, None) => BranchState::Deleted,
        _ if merged => BranchState::Merged,
        _ => BranchState::Ready,
    }
}

/// What a user wants to do with a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Merge, or plan a merge. A merged branch may be merged again: its base has moved on.
    Merge,
    /// Bring the parent's changes into it, or plan that.
    Update,
    /// Take its last merge back, or plan that.
    UndoMerge,
    /// Go back to the state at creation.
    Reset,
    /// Remove.
    Delete,
}

/// Whether `action` may start now.
///
/// # Errors
/// Not found, or a conflict: `branch.busy` while something else runs, `branch.not_ready` when the state does not allow it.
pub fn permit(action: Action, state: BranchState, activity: Option<Activity>) -> Result<(), Error> {
    if state == BranchState::Deleted {
        return Err(not_found());
    }
    if let Some(activity) = activity {
        return Err(Error::conflict(
            "branch.busy",
            format!("The branch is busy ({activity}). Try again when it is done."),
        ));
    }
    match state {
        BranchState::Ready | BranchState::Merged => Ok(()),
        _ => {
            let text = format!("The branch cannot be {} now (it is {state}).", action.past());
            Err(Error::conflict("branch.not_ready", text))
        }
    }
}

impl Action {
    /// What the branch was when it is done.
    const fn past(self) -> &'static str {
        match self {
            Self::Merge => "merged",
            Self::Update => "updated",
            Self::UndoMerge => "unmerged",
            Self::Reset => "reset",
            Self::Delete => "deleted",
        }
    }
}

/// No such branch, or not for this caller.
#[must_use]
pub fn not_found() -> Error {
    Error::not_found("branch.not_found", "Branch")
}

/// Checks a branch name: 1–64 characters, letters, digits and `-`, the first one a letter or digit.
///
/// # Errors
/// Invalid, naming `name`.
pub fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let valid = (1..=limits::NAME_MAX).contains(&name.len())
        && name.bytes().all(allowed)
        && name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if valid {
        return Ok(());
    }
    Err(Error::invalid(
        "name",
        "Branch name must be 1 to 64 characters: letters, digits and hyphens, beginning with a letter or digit",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for name in ["a", "Feature-1", "9", &"x".repeat(64)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "-a", "a_b", "a b", "ä", "a/b", &"x".repeat(65), "a\0"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn one_thing_at_a_time_and_only_from_the_right_state() {
        let state_of = |activity, merged| state(Intent::Active, Observed::Serving, activity, merged);
        assert!(permit(Action::Merge, state_of(None, false), None).is_ok());
        assert!(permit(Action::Reset, state_of(None, true), None).is_ok());
        assert!(permit(Action::Merge, state_of(None, true), None).is_ok(), "its base has moved on");
        for activity in [Activity::Creating, Activity::Merging, Activity::PlanningMerge, Activity::Resetting] {
            for action in [Action::Merge, Action::Update, Action::UndoMerge, Action::Reset, Action::Delete] {
                let error = permit(action, state_of(Some(activity), false), Some(activity)).expect_err("busy");
                assert_eq!(error.code(), "branch.busy");
            }
        }
    }

    #[test]
    fn a_dry_run_does_not_show_and_a_failed_creation_is_gone() {
        assert_eq!(state(Intent::Active, Observed::Serving, Some(Activity::PlanningMerge), false), BranchState::Ready);
        assert_eq!(state(Intent::Active, Observed::Absent, None, false), BranchState::Deleted);
    }
}
