//! One routed project as the gateway sees it: its route, its upstream, whether it is awake, and how busy it is.

mod activity;
mod restriction;
mod sleep;
mod wake;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use data_plane_contract::routes::{Restriction, Route, RouteState};
use http::Method;
use ids::ProjectId;
use tokio::sync::{Notify, Semaphore, watch};

pub(crate) use activity::Visit;
pub(crate) use restriction::Refused;
pub(crate) use wake::Refusal;

use crate::{meter::Counters, proxy::Upstream};
use activity::Activity;
use restriction::Restricted;

/// Postgres sessions of one project that sign in at a time. The provider keeps as many places free in the cluster.
const MAX_SIGNING_IN: usize = 4;

/// Why a project takes no Postgres session, or ends those it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// It is paused.
    Paused,
    /// Its route is gone.
    Withdrawn,
    /// It uses more than it is allowed.
    Restricted(Arc<str>),
}

/// A project with a route. Shared by the route table and by every request under way.
pub(crate) struct Project {
    pub(crate) id: ProjectId,
    pub(crate) counters: Counters,
    activity: Activity,
    /// True while requests may go straight to the upstream: serving and awake. Read by every request, written under `state`.
    clear: AtomicBool,
    upstream: RwLock<Arc<Upstream>>,
    state: Mutex<State>,
    changed: Notify,
    /// Tells what stays open that the project has to sleep for using too much.
    sleeping: Notify,
    /// True while there is a restriction, so that requests of all others take no lock.
    restricted: AtomicBool,
    restriction: RwLock<Option<Restricted>>,
    /// Postgres sessions that may be signing in: until they have, they take a place that the project's own process needs.
    pub(crate) signing_in: Arc<Semaphore>,
}

struct State {
    route: Arc<Route>,
    phase: Phase,
}

/// What the gateway believes about the project's processes.
enum Phase {
    /// They run, or the next connection attempt will tell otherwise.
    Awake,
    /// They are being stopped; requests wait for the outcome.
    FallingAsleep,
    /// They are stopped. `confirmed` is false when stopping failed and should be tried again.
    Asleep { confirmed: bool },
    /// They are being started; every request waits for the one attempt.
    Waking(watch::Receiver<Option<Result<(), wake::Failure>>>),
    /// The route is gone.
    Withdrawn,
}

impl Project {
    pub(crate) fn new(route: Route, counters: Counters) -> Self {
        let restriction = route.restriction.clone().map(Restricted::new);
        Self {
            id: route.project_id,
            counters,
            activity: Activity::starting_now(),
            clear: AtomicBool::new(route.state == RouteState::Serving),
            upstream: RwLock::new(Arc::new(Upstream::new(route.upstream))),
            state: Mutex::new(State { route: Arc::new(route), phase: Phase::Awake }),
            changed: Notify::new(),
            sleeping: Notify::new(),
            restricted: AtomicBool::new(restriction.is_some()),
            restriction: RwLock::new(restriction),
            signing_in: Arc::new(Semaphore::new(MAX_SIGNING_IN)),
        }
    }

    /// Whether a request is let through; one that is counts against a throttled project.
    pub(crate) fn permit(&self, method: &Method, path: &str) -> Result<(), Refused> {
        if !self.restricted.load(Ordering::Relaxed) {
            return Ok(());
        }
        let restriction = self.restriction.read().expect("no holder of this lock panics");
        restriction.as_ref().map_or(Ok(()), |restricted| restricted.check(method, path))
    }

    /// Whether it has to sleep for using too much.
    fn sleeps_for_quota(&self) -> bool {
        let restriction = self.restriction.read().expect("no holder of this lock panics");
        restriction.as_ref().is_some_and(Restricted::sleeps)
    }

    /// Waits until what stays open has to end because the project uses too much, and says why.
    pub(crate) async fn told_to_sleep(&self) -> Arc<str> {
        loop {
            self.sleeping.notified().await;
            let restriction = self.restriction.read().expect("no holder of this lock panics");
            if let Some(restricted) = restriction.as_ref().filter(|restricted| restricted.sleeps()) {
                return restricted.reason();
            }
        }
    }

    /// Notes that bytes passed: the project is in use.
    pub(crate) fn touch(&self) {
        self.activity.touch();
    }

    /// Why no Postgres session may be open now. Its statements cannot be told apart here, so a restriction of any kind refuses all.
    pub(crate) fn closed(&self) -> Option<Closed> {
        {
            let state = self.state();
            if matches!(state.phase, Phase::Withdrawn) {
                return Some(Closed::Withdrawn);
            }
            if state.route.state == RouteState::Paused {
                return Some(Closed::Paused);
            }
        }
        let restriction = self.restriction.read().expect("no holder of this lock panics");
        restriction.as_ref().map(|restricted| Closed::Restricted(restricted.reason()))
    }

    /// Waits until no Postgres session may be open any more, and says why.
    pub(crate) async fn told_to_close(&self) -> Closed {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(closed) = self.closed() {
                return closed;
            }
            changed.await;
        }
    }

    /// Ends what stays open of a project that has to sleep for using too much, whenever it was opened.
    pub(crate) fn close_what_stays_open(&self) {
        if self.restricted.load(Ordering::Relaxed) && !self.activity.quiet() && self.sleeps_for_quota() {
            self.sleeping.notify_waiters();
        }
    }

    /// Puts a restriction in force, or takes it away. One that stands already goes on counting.
    fn restrict(&self, wanted: Option<&Restriction>) {
        let mut present = self.restriction.write().expect("no holder of this lock panics");
        let same = match (&*present, wanted) {
            (Some(present), Some(wanted)) => present.is(wanted),
            (None, None) => true,
            _ => false,
        };
        if !same {
            *present = wanted.cloned().map(Restricted::new);
            self.restricted.store(present.is_some(), Ordering::Relaxed);
        }
    }

    /// The route as it was last pushed, with the address it was last woken at.
    pub(crate) fn route(&self) -> Arc<Route> {
        Arc::clone(&self.state().route)
    }

    /// Where requests go now.
    pub(crate) fn current_upstream(&self) -> Arc<Upstream> {
        Arc::clone(&self.upstream.read().expect("no holder of this lock panics"))
    }

    /// Takes over a pushed route. A new address, or a route that serves again after not serving, means processes were
    /// started by whoever pushed it, so the project counts as awake until a connection is refused.
    pub(crate) fn replace_route(&self, route: Route) {
        let mut state = self.state();
        let moved = route.upstream != state.route.upstream;
        let resumed = route.state == RouteState::Serving && state.route.state != RouteState::Serving;
        if moved || resumed {
            self.point_to(route.upstream);
            self.activity.touch();
            if matches!(state.phase, Phase::Asleep { .. }) {
                state.phase = Phase::Awake;
            }
        }
        self.restrict(route.restriction.as_ref());
        state.route = Arc::new(route);
        self.publish(&state);
    }

    /// Ends the route: waiting requests are told so, running ones finish.
    pub(crate) fn withdraw(&self) {
        let mut state = self.state();
        state.phase = Phase::Withdrawn;
        self.publish(&state);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Sends the next requests to `address`, over new connections.
    fn point_to(&self, address: SocketAddr) {
        let upstream = Arc::new(Upstream::new(address));
        let before = std::mem::replace(&mut *self.upstream.write().expect("no holder of this lock panics"), upstream);
        before.disconnect();
    }

    /// Makes a change of state visible to requests. Sequentially consistent, because `begin_sleep` relies on it.
    fn publish(&self, state: &State) {
        let clear = state.route.state == RouteState::Serving && matches!(state.phase, Phase::Awake);
        self.clear.store(clear, Ordering::SeqCst);
        self.changed.notify_waiters();
    }
}
