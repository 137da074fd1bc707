//! Projects: what their owner wants, what was last proven, and the status a user sees as a function of both and of what runs now.

use ids::AppKey;

use crate::{Error, limits, regions::Region, words::words};

words! {
    /// What a project's owner wants.
    Intent is a "project intent" {
        /// It serves.
        Active = "active",
        /// It is stopped and keeps its data.
        Paused = "paused",
        /// It is gone.
        Deleted = "deleted",
    }
}

words! {
    /// Why a project is paused that its owner did not pause.
    PauseReason is a "pause reason" {
        /// Nobody used it for long, and its plan pauses such projects.
        Idle = "idle",
    }
}

words! {
    /// What was last proven of a project.
    Observed is a "project observation" {
        /// Nothing of it is there yet, or any more.
        Absent = "absent",
        /// It answered through the gateway.
        Serving = "serving",
        /// It is stopped; its data is there.
        Stopped = "stopped",
    }
}

words! {
    /// What an unfinished operation is doing to a project or a branch. The words are those of `operation_status`.
    Activity is a "project activity" {
        /// Being made.
        Creating = "creating",
        /// Being removed.
        Deleting = "deleting",
        /// Being stopped.
        Pausing = "pausing",
        /// Being started after a pause.
        Restoring = "restoring",
        /// Restarting as it is.
        Restarting = "restarting",
        /// Restarting with another backend version.
        UpdatingVersion = "updating_project_version",
        /// Restarting with another instance type.
        ChangingInstanceType = "upgrading_instance_type",
        /// Going back to its state at creation.
        Resetting = "resetting",
        /// Being merged into its parent, updated from it, or having a merge taken back.
        Merging = "merging",
        /// A merge is being planned and rehearsed; nothing is changed.
        PlanningMerge = "planning_merge",
    }
}

words! {
    /// The status a client sees.
    Status is a "project status" {
        /// Not yet serving for the first time.
        Creating = "creating",
        /// Serving: answered through the gateway.
        Active = "active",
        /// Stopped by its owner or by a quota.
        Paused = "paused",
        /// On its way back from a pause.
        Restoring = "restoring",
        /// Creation failed and left nothing behind.
        Failed = "failed",
        /// Gone, or on its way.
        Deleted = "deleted",
    }
}

/// The status a client sees. `active` only when serving was proven.
#[must_use]
pub const fn status(intent: Intent, observed: Observed, activity: Option<Activity>) -> Status {
    match (intent, observed, activity) {
        (Intent::Deleted, _, _) | (_, _, Some(Activity::Deleting)) => Status::Deleted,
        (_, _, Some(Activity::Creating)) => Status::Creating,
        (_, _, Some(Activity::Restoring)) => Status::Restoring,
        // A pause is not done before the project is proven stopped; a restart, reset or merge does not end being active.
        (_, Observed::Serving, _) => Status::Active,
        (Intent::Paused, Observed::Stopped | Observed::Absent, _) => Status::Paused,
        (Intent::Active, Observed::Stopped, _) => Status::Restoring,
        (Intent::Active, Observed::Absent, _) => Status::Failed,
    }
}

/// What runs now, as `operation_status`; absent when idle.
#[must_use]
pub const fn operation_status(activity: Option<Activity>) -> Option<&'static str> {
    match activity {
        Some(activity) => Some(activity.as_str()),
        None => None,
    }
}

/// The public host of a project: `{appkey}.{region}.{base_domain}`, lower case.
#[must_use]
pub fn host(app_key: &AppKey, region: Region, base_domain: &str) -> String {
    format!("{app_key}.{region}.{base_domain}").to_ascii_lowercase()
}

/// Checks a custom domain: a host name of at least two labels, lower case on return; no address, no port.
///
/// # Errors
/// Invalid, naming `customizedDomain`.
pub fn check_custom_domain(text: &str) -> Result<String, Error> {
    let domain = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let labels: Vec<&str> = domain.split('.').collect();
    let numeric_end = labels.last().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if domain.len() > limits::HOST_MAX || labels.len() < 2 || numeric_end || !labels.iter().all(|part| label(part)) {
        return Err(Error::invalid("customizedDomain", "customizedDomain must be a host name such as api.example.com"));
    }
    Ok(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_means_proven_serving() {
        for &intent in Intent::ALL {
            for &observed in Observed::ALL {
                for activity in Activity::ALL.iter().copied().map(Some).chain([None]) {
                    if status(intent, observed, activity) == Status::Active {
                        assert_eq!(observed, Observed::Serving, "{intent} {activity:?}");
                    }
                    assert_eq!(
                        status(intent, observed, activity) == Status::Deleted,
                        intent == Intent::Deleted || activity == Some(Activity::Deleting)
                    );
                }
            }
        }
    }

    #[test]
    fn a_project_walks_through_the_statuses_of_the_contract() {
        use {Activity as A, Intent as I, Observed as O, Status as S};
        let walk = [
            (I::Active, O::Absent, Some(A::Creating), S::Creating),
            (I::Active, O::Serving, None, S::Active),
            (I::Active, O::Serving, Some(A::UpdatingVersion), S::Active),
            (I::Paused, O::Serving, Some(A::Pausing), S::Active),
            (I::Paused, O::Stopped, None, S::Paused),
            (I::Active, O::Stopped, Some(A::Restoring), S::Restoring),
            (I::Active, O::Serving, None, S::Active),
            (I::Deleted, O::Serving, Some(A::Deleting), S::Deleted),
            (I::Active, O::Absent, None, S::Failed),
        ];
        for (intent, observed, activity, expected) in walk {
            assert_eq!(status(intent, observed, activity), expected);
        }
    }

    #[test]
    fn custom_domains_are_host_names() {
        assert_eq!(check_custom_domain(" API.Example.com. ").expect("valid"), "api.example.com");
        for text in [
            "",
            "localhost",
            "127.0.0.1",
            "http://a.b",
            "a.b:80",
            "a_b.c",
            "-a.b",
            "a..b",
            "a b.c",
            &format!("{}.com", "x".repeat(64)),
        ] {
            assert!(check_custom_domain(text).is_err(), "{text}");
        }
    }
}
