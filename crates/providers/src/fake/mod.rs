//! A provider in memory for tests of those who call providers: it records what exists, keeps marks in place of data, and fails on request,
//! before or after the effect or without ever answering.

mod compute;
mod database;
mod faults;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
};

use ids::ProjectId;
use model::instances::InstanceSize;
use secrecy::SecretString;

use crate::{Error, Result};

use faults::Plan;
pub use faults::{Call, Fault};

const FIRST_PORT: u16 = 20_000;

/// The contents of a cluster and its objects: marks, in the order they were put.
type Contents = Vec<String>;

/// A provider that holds projects in memory. Every `ensure` and `drop` is idempotent, as the traits demand.
#[derive(Debug, Default)]
pub struct Fake {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    databases: BTreeMap<ProjectId, FakeDatabase>,
    data_planes: BTreeMap<ProjectId, FakeDataPlane>,
    usage: BTreeMap<ProjectId, Vec<(String, Vec<u8>)>>,
    ports_used: u16,
    shared_address: Option<SocketAddr>,
    plan: Plan,
}

#[derive(Clone, Debug)]
struct FakeDatabase {
    running: bool,
    size: InstanceSize,
    contents: Contents,
    snapshots: BTreeMap<String, Contents>,
    prepared: Option<Contents>,
    old: Option<Contents>,
}

#[derive(Clone, Debug)]
struct FakeDataPlane {
    address: SocketAddr,
    running: bool,
    starts: u32,
    size: InstanceSize,
    environment: Vec<(String, SecretString)>,
}

impl Fake {
    /// Lets a project's data plane have kept these files of its usage.
    pub fn keep_usage(&self, project_id: ProjectId, files: Vec<(String, Vec<u8>)>) {
        self.state().usage.insert(project_id, files);
    }

    /// An empty provider, ready to share.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// From now on every new data plane is said to listen here, so that one test server can stand for all of them.
    pub fn serve_all_at(&self, address: SocketAddr) {
        self.state().shared_address = Some(address);
    }

    /// Makes the `nth` changing call from now on (1 is the next) fail like `fault`.
    pub fn fail_nth_change(&self, nth: usize, fault: Fault) {
        self.state().plan.at_change(nth, fault);
    }

    /// Makes the `nth` call of this name from now on (1 is the next) fail like `fault`; reads have names too (`describe_database`).
    pub fn fail_nth_call(&self, name: &'static str, nth: usize, fault: Fault) {
        self.state().plan.at_call(name, nth, fault);
    }

    /// Forgets the faults that did not come to pass.
    pub fn clear_faults(&self) {
        self.state().plan.clear();
    }

    /// How many planned faults have not come to pass.
    #[must_use]
    pub fn pending_faults(&self) -> usize {
        self.state().plan.pending()
    }

    /// Every changing call so far, oldest first, failed ones included.
    #[must_use]
    pub fn changes(&self) -> Vec<Call> {
        self.state().plan.changes()
    }

    /// Everything that exists, one line each; empty on a clean slate.
    #[must_use]
    pub fn remains(&self) -> Vec<String> {
        let state = self.state();
        let databases = state.databases.iter().flat_map(|(id, database)| {
            let running = if database.running { "running" } else { "stopped" };
            let own = std::iter::once(format!("database {id} {running}"));
            let snapshots = database.snapshots.keys().map(move |name| format!("snapshot {id} {name}"));
            let prepared = database.prepared.iter().map(move |_| format!("prepared reset {id}"));
            let old = database.old.iter().map(move |_| format!("old state {id}"));
            own.chain(snapshots).chain(prepared).chain(old).collect::<Vec<_>>()
        });
        let data_planes = state
            .data_planes
            .iter()
            .map(|(id, plane)| format!("data plane {id} {}", if plane.running { "running" } else { "stopped" }));
        databases.chain(data_planes).collect()
    }

    /// Puts a mark into a project's data, as a client's write would; false when there is no running cluster.
    pub fn put_mark(&self, project_id: ProjectId, mark: &str) -> bool {
        let mut state = self.state();
        let Some(database) = state.databases.get_mut(&project_id).filter(|database| database.running) else {
            return false;
        };
        database.contents.push(mark.to_owned());
        true
    }

    /// The marks in a project's data, or `None` without a cluster.
    #[must_use]
    pub fn marks(&self, project_id: ProjectId) -> Option<Vec<String>> {
        self.state().databases.get(&project_id).map(|database| database.contents.clone())
    }

    /// The environment a data plane was last ensured with.
    #[must_use]
    pub fn environment(&self, project_id: ProjectId) -> Option<Vec<(String, SecretString)>> {
        self.state().data_planes.get(&project_id).map(|plane| plane.environment.clone())
    }

    /// The sizes that database and data plane were last ensured with.
    #[must_use]
    pub fn sizes(&self, project_id: ProjectId) -> (Option<InstanceSize>, Option<InstanceSize>) {
        let state = self.state();
        (state.databases.get(&project_id).map(|it| it.size), state.data_planes.get(&project_id).map(|it| it.size))
    }

    /// How often a data plane's process was started.
    #[must_use]
    pub fn starts(&self, project_id: ProjectId) -> u32 {
        self.state().data_planes.get(&project_id).map_or(0, |plane| plane.starts)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Runs one call: counts it, fails it before or after `effect` as planned, or never answers.
    async fn call<T>(
        &self,
        name: &'static str,
        project_id: Option<ProjectId>,
        effect: impl FnOnce(&mut State) -> Result<T> + Send,
    ) -> Result<T>
    where
        T: Send,
    {
        let (fault, outcome) = {
            let mut state = self.state();
            let fault = state.plan.next(name, project_id);
            match fault {
                Some(Fault::Before) => return Err(planned(name)),
                Some(Fault::Refused) => return Err(Error::Refused(format!("{name} was refused, as the test asked"))),
                Some(Fault::HangBefore) => (fault, None),
                _ => (fault, Some(effect(&mut state))),
            }
        };
        match (fault, outcome) {
            (Some(Fault::After), Some(Ok(_))) => Err(planned(name)),
            (Some(Fault::HangAfter | Fault::HangBefore), _) | (_, None) => std::future::pending().await,
            (_, Some(outcome)) => outcome,
        }
    }
}

impl State {
    fn address_for_new(&mut self) -> SocketAddr {
        if let Some(address) = self.shared_address {
            return address;
        }
        let port = FIRST_PORT + self.ports_used;
        self.ports_used += 1;
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }
}

fn planned(name: &str) -> Error {
    Error::transient(format!("calling {name}"), "a failure planned by the test")
}
