//! Finding the upstream of a request: at once when the project is awake, else after waking it, once for all who wait.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use data_plane_contract::routes::RouteState;
use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

use super::{Phase, Project};
use crate::{edge::Edge, proxy::Upstream, waker::WakeError};

/// How long one start may take before it counts as failed.
const WAKE_LIMIT: Duration = Duration::from_secs(30);

/// The one attempt to wake the project failed; why is in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure;

/// Why a request has no upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The project is paused.
    Paused,
    /// The route was taken away while the request waited.
    Withdrawn,
    /// The project could not be woken, or did not come back in time.
    Unavailable,
}

enum Next {
    Change,
    Flight(watch::Receiver<Option<Result<(), Failure>>>),
}

impl Project {
    /// Where a request goes. Waits, at most until `deadline`, while the route is held or the project falls asleep or wakes.
    pub(crate) async fn admit(self: &Arc<Self>, edge: &Arc<Edge>, deadline: Instant) -> Result<Arc<Upstream>, Refusal> {
        if self.clear.load(std::sync::atomic::Ordering::SeqCst) {
            return Ok(self.current_upstream());
        }
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let next = match self.look(edge)? {
                Ok(upstream) => return Ok(upstream),
                Err(next) => next,
            };
            match next {
                Next::Change => timeout_at(deadline, changed).await.map_err(|_| Refusal::Unavailable)?,
                Next::Flight(mut flight) => {
                    let landed = timeout_at(deadline, flight.wait_for(Option::is_some)).await;
                    match landed.map(|outcome| outcome.map(|result| *result)) {
                        Ok(Ok(Some(Ok(())))) => {}
                        Ok(Err(_)) => {
                            self.abandon_flight();
                            return Err(Refusal::Unavailable);
                        }
                        Ok(Ok(_)) | Err(_) => return Err(Refusal::Unavailable),
                    }
                }
            }
        }
    }

    /// Notes that a connection to `tried` was refused: the project sleeps, unless it has meanwhile moved or woken.
    pub(crate) fn found_unreachable(&self, tried: &Arc<Upstream>) {
        let mut state = self.state();
        if matches!(state.phase, Phase::Awake) && Arc::ptr_eq(tried, &self.current_upstream()) {
            state.phase = Phase::Asleep { confirmed: true };
            self.publish(&state);
        }
    }

    /// What a request has to do now: go, wait, or give up. Starts the wake when it is the first to need one.
    fn look(self: &Arc<Self>, edge: &Arc<Edge>) -> Result<Result<Arc<Upstream>, Next>, Refusal> {
        let mut state = self.state();
        if matches!(state.phase, Phase::Withdrawn) {
            return Err(Refusal::Withdrawn);
        }
        match state.route.state {
            RouteState::Paused => return Err(Refusal::Paused),
            RouteState::Held => return Ok(Err(Next::Change)),
            RouteState::Serving => {}
        }
        Ok(match &state.phase {
            Phase::Awake => Ok(self.current_upstream()),
            Phase::Waking(flight) => Err(Next::Flight(flight.clone())),
            Phase::FallingAsleep | Phase::Withdrawn => Err(Next::Change),
            Phase::Asleep { .. } => {
                let (landing, flight) = watch::channel(None);
                state.phase = Phase::Waking(flight.clone());
                self.publish(&state);
                let address = state.route.upstream;
                edge.tasks.spawn_on(Arc::clone(self).wake(Arc::clone(edge), address, landing), &edge.home);
                Err(Next::Flight(flight))
            }
        })
    }

    /// Wakes the project; detached from the request that asked, so that its client may leave.
    async fn wake(
        self: Arc<Self>,
        edge: Arc<Edge>,
        address_before: SocketAddr,
        landing: watch::Sender<Option<Result<(), Failure>>>,
    ) {
        let outcome = timeout(WAKE_LIMIT, edge.waker.wake(self.id)).await;
        let result = match outcome {
            Ok(Ok(address)) => {
                self.arrive(address, address_before);
                Ok(())
            }
            Ok(Err(error)) => {
                log_failure(self.id, &error);
                self.abandon_flight();
                Err(Failure)
            }
            Err(_) => {
                tracing::warn!(project.id = %self.id, "waking the project took too long");
                self.abandon_flight();
                Err(Failure)
            }
        };
        landing.send_replace(Some(result));
        if self.route().upstream != address_before {
            edge.routes.keep(&self).await;
        }
    }

    /// The project answers at `address`. A route pushed since the wake began knows better where.
    fn arrive(&self, address: SocketAddr, address_before: SocketAddr) {
        let mut state = self.state();
        if state.route.upstream == address_before {
            if address != address_before {
                let mut route = (*state.route).clone();
                route.upstream = address;
                state.route = Arc::new(route);
            }
            self.point_to(address);
        }
        if matches!(state.phase, Phase::Waking(_)) {
            state.phase = Phase::Awake;
        }
        self.activity.touch();
        self.publish(&state);
    }

    fn abandon_flight(&self) {
        let mut state = self.state();
        if matches!(state.phase, Phase::Waking(_)) {
            state.phase = Phase::Asleep { confirmed: true };
            self.publish(&state);
        }
    }
}

/// A refusal is an answer; a failure is for whoever supervises the processes, who logs it as an error.
fn log_failure(project_id: ids::ProjectId, error: &WakeError) {
    match error {
        WakeError::Unknown | WakeError::Refused(_) => {
            tracing::info!(project.id = %project_id, error = %telemetry::chain(error), "the project was not woken");
        }
        WakeError::Failed(_) => {
            tracing::warn!(project.id = %project_id, error = %telemetry::chain(error), "the project was not woken");
        }
    }
}
