//! Putting an idle project to sleep without losing a request that arrives meanwhile.

use std::{sync::Arc, time::Duration};

use data_plane_contract::routes::RouteState;

use super::{Phase, Project};
use crate::waker::{WakeError, Waker};

/// After this a stop counts as failed; the processes may be half gone, so the next request wakes them.
const SLEEP_LIMIT: Duration = Duration::from_secs(60);
/// How long after a refused or failed attempt the next one is made.
const PUT_OFF: Duration = Duration::from_secs(30);

impl Project {
    /// Decides whether the project is idle long enough. When it is, requests wait from now on, until `fall_asleep` is done.
    ///
    /// A request counts itself as open before it looks at `clear`; this clears `clear` before it looks at the count. One of
    /// the two therefore sees the other.
    pub(crate) fn begin_sleep(&self) -> Option<Duration> {
        let mut state = self.state();
        let for_quota = self.sleeps_for_quota();
        let after = if for_quota { 0 } else { state.route.sleep_after_seconds? };
        let after = Duration::from_secs(after);
        let candidate = matches!(state.phase, Phase::Awake | Phase::Asleep { confirmed: false });
        let idle_for = self.activity.idle_for();
        if state.route.state != RouteState::Serving || !candidate || idle_for < after {
            return None;
        }
        if !self.activity.may_sleep() || !self.activity.quiet() {
            return None;
        }
        let before = std::mem::replace(&mut state.phase, Phase::FallingAsleep);
        self.publish(&state);
        if self.activity.quiet() {
            // Who is over quota sleeps also right after a request.
            return Some(if for_quota { Duration::ZERO } else { idle_for });
        }
        state.phase = before;
        self.publish(&state);
        None
    }

    /// Stops the processes after `begin_sleep` said so, then lets waiting requests go on.
    pub(crate) async fn fall_asleep(self: Arc<Self>, waker: Arc<dyn Waker>, idle_for: Duration) {
        self.point_to(self.route().upstream);
        let outcome = tokio::time::timeout(SLEEP_LIMIT, waker.sleep(self.id, idle_for)).await;
        let phase = match outcome {
            Ok(Ok(true)) => {
                tracing::debug!(project.id = %self.id, idle_seconds = idle_for.as_secs(), "project put to sleep");
                Phase::Asleep { confirmed: true }
            }
            Ok(Ok(false)) => Phase::Awake,
            Ok(Err(error)) => {
                log_failure(self.id, &error);
                Phase::Asleep { confirmed: false }
            }
            Err(_) => {
                tracing::warn!(project.id = %self.id, "putting the project to sleep took too long");
                Phase::Asleep { confirmed: false }
            }
        };
        if !matches!(phase, Phase::Asleep { confirmed: true }) {
            self.activity.put_off_sleep(PUT_OFF);
        }
        let mut state = self.state();
        if matches!(state.phase, Phase::FallingAsleep) {
            state.phase = phase;
            self.publish(&state);
        }
    }
}

fn log_failure(project_id: ids::ProjectId, error: &WakeError) {
    tracing::warn!(project.id = %project_id, error = %telemetry::chain(error), "the project was not put to sleep");
}
