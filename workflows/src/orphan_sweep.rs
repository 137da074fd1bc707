//! The reconciler: compares what the control database says with what providers and the gateway have, and makes them agree. It takes no input,
//! reads the present state and converges; several workers may run it, one at a time does.
//!
//! What is known to be gone, a deleted project or the clone of an ended merge, is removed after a grace. What the control database has never
//! heard of is not touched: a person is told, because the database may be the one that forgot. Routes lead nowhere without a row and are
//! withdrawn; routes that are missing are published again.
//!
//! A sweep costs what there is outside and what is amiss, not how many projects there are: rows are looked up by what exists, found by what is
//! wrong with them, and read through a page at a time, one sweep after the other.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use data_plane_contract::routes::{Restraint, Route, RouteState};
use ids::ProjectId;
use model::projects::{Intent, Observed};
use serde_json::Value;
use store::{operations::Operation, projects::Project};
use tokio::time::{Instant, sleep};

use crate::{
    World,
    activities::{Outcome, data_plane, database, provider_failed, route, store_failed},
    reconciler::Reconciler,
};

/// Pace of the sweep.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often it runs.
    pub every: Duration,
    /// How long something must have been an orphan before it is removed or reported.
    pub grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { every: Duration::from_secs(30), grace: Duration::from_secs(120) }
    }
}

/// Sweeps again and again until told to stop.
#[must_use]
pub fn start(world: Arc<World>, settings: Settings) -> Reconciler {
    Reconciler::start("orphan_sweep", move |stop| async move {
        stop.run_until_cancelled(repeat(&world, settings)).await.unwrap_or(());
    })
}

async fn repeat(world: &World, settings: Settings) {
    let mut sweep = Sweep::new(settings.grace);
    loop {
        sleep(settings.every).await;
        if let Err(error) = sweep.once(world).await {
            tracing::warn!(error = telemetry::chain(&error), "an orphan sweep was cut short; the next one goes on");
        }
    }
}

/// Rows that one sweep reads in passing. A cloud with fewer is looked at as a whole each time.
const PAGE: i64 = 2000;

/// What one sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Projects and clones whose remains were removed.
    pub removed: Vec<ProjectId>,
    /// Projects whose route was withdrawn.
    pub withdrawn: Vec<ProjectId>,
    /// Projects whose route was published again.
    pub published: Vec<ProjectId>,
    /// What a person was told of, each once.
    pub reported: Vec<ProjectId>,
}

/// The memory of a sweeper: since when something has been an orphan, and what was reported.
#[derive(Debug)]
pub struct Sweep {
    grace: Duration,
    orphans: HashMap<ProjectId, Instant>,
    reported: HashSet<ProjectId>,
    reported_unserved: HashSet<ProjectId>,
    /// The last row that was read in passing.
    after: ProjectId,
}

/// One look at the world. What exists outside is read before the rows that claim it, because a row is there before anything it claims.
struct Look {
    resources: BTreeSet<ProjectId>,
    routes: Vec<Route>,
    /// Of what exists outside, that which has a row.
    rows: HashSet<ProjectId>,
    unserved: Vec<Project>,
    page: Vec<Project>,
    busy: HashSet<ProjectId>,
    /// What the gateway is to do about projects that use too much.
    restricted: HashMap<ProjectId, Restraint>,
}

impl Sweep {
    /// A sweeper that has seen nothing yet.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self {
            grace,
            orphans: HashMap::new(),
            reported: HashSet::new(),
            reported_unserved: HashSet::new(),
            after: uuid::Uuid::nil().into(),
        }
    }

    /// Looks once and converges as far as the grace allows. Does nothing while another sweeper is at it.
    pub async fn once(&mut self, world: &World) -> Outcome<Swept> {
        let mut lock = world.pool.begin().await.map_err(store_failed)?;
        if !store::operations::lock_sweep(&mut lock).await.map_err(store_failed)? {
            return Ok(Swept::default());
        }
        let look = Look::take(world, self.after).await?;
        self.after = look.next_page();
        let mut swept = Swept::default();
        self.remove_orphans(world, &look, &mut swept).await?;
        align_routes(world, &look, &mut swept).await?;
        self.report_unserved(&look, &mut swept);
        start_forgotten(world).await?;
        lock.commit().await.map_err(store_failed)?;
        Ok(swept)
    }

    async fn remove_orphans(&mut self, world: &World, look: &Look, swept: &mut Swept) -> Outcome {
        let now = Instant::now();
        self.orphans.retain(|id, _| look.resources.contains(id) && !look.claimed(*id));
        for &id in look.resources.iter().filter(|id| !look.claimed(**id)) {
            let since = *self.orphans.entry(id).or_insert(now);
            if now.duration_since(since) < self.grace {
                continue;
            }
            if !known_to_be_gone(world, id).await? {
                if self.reported.insert(id) {
                    tracing::error!(project.id = %id, "data or a process exists for a project that the control database does not know");
                    swept.reported.push(id);
                }
                continue;
            }
            data_plane::drop(world, id).await?;
            database::drop(world, id).await?;
            self.orphans.remove(&id);
            tracing::warn!(project.id = %id, "removed what was left of a project that is gone");
            swept.removed.push(id);
        }
        Ok(())
    }

    /// Rows that no operation serves and that are not what their owner wants.
    fn report_unserved(&mut self, look: &Look, swept: &mut Swept) {
        let unserved: Vec<&Project> = look.unserved.iter().filter(|project| !look.busy.contains(&project.id)).collect();
        self.reported_unserved.retain(|id| unserved.iter().any(|project| project.id == *id));
        for project in unserved {
            if self.reported_unserved.insert(project.id) {
                tracing::error!(
                    project.id = %project.id,
                    project.intent = project.intent.as_str(),
                    project.observed = project.observed.as_str(),
                    "a project is not what its owner wants, and no operation is under way"
                );
                swept.reported.push(project.id);
            }
        }
    }
}

impl Look {
    async fn take(world: &World, after: ProjectId) -> Outcome<Self> {
        let databases = world.database.list_databases().await.map_err(provider_failed)?;
        let data_planes = world.compute.list_data_planes().await.map_err(provider_failed)?;
        let routes = route::list(world).await?;
        // One moment for both: a project that begins between two reads would look as if nothing worked on it.
        let mut moment =
            world.pool.begin_with("begin isolation level repeatable read, read only").await.map_err(store_failed)?;
        let operations = store::operations::unfinished(&mut moment).await.map_err(store_failed)?;
        let resources: BTreeSet<ProjectId> = databases.into_iter().chain(data_planes).collect();
        let outside: Vec<ProjectId> =
            resources.iter().copied().chain(routes.iter().map(|route| route.project_id)).collect();
        let rows = store::projects::not_deleted(&mut moment, &outside).await.map_err(store_failed)?;
        let unserved = store::projects::unserved(&mut moment).await.map_err(store_failed)?;
        let page = store::projects::page_not_deleted(&mut moment, after, PAGE).await.map_err(store_failed)?;
        let ids: Vec<ProjectId> = page.iter().map(|project| project.id).collect();
        let restrictions = store::quotas::restrictions(&mut moment, &ids).await.map_err(store_failed)?;
        moment.commit().await.map_err(store_failed)?;
        Ok(Self {
            resources,
            routes,
            rows: rows.into_iter().collect(),
            unserved,
            page,
            busy: operations.iter().flat_map(concerned).collect(),
            restricted: restrictions
                .into_iter()
                .filter_map(|(id, restriction)| Some((id, route::restraint(restriction.action)?)))
                .collect(),
        })
    }

    fn claimed(&self, id: ProjectId) -> bool {
        self.rows.contains(&id) || self.busy.contains(&id)
    }

    /// Where the next sweep goes on reading: behind a full page, else from the beginning.
    fn next_page(&self) -> ProjectId {
        let full = i64::try_from(self.page.len()).is_ok_and(|rows| rows == PAGE);
        self.page.last().filter(|_| full).map_or(uuid::Uuid::nil().into(), |last| last.id)
    }
}

/// Every project and clone an operation may be working on: all ids in its input.
fn concerned(operation: &Operation) -> Vec<ProjectId> {
    let mut found: Vec<ProjectId> = operation.project_id.into_iter().collect();
    let mut open = vec![&operation.input];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => found.extend(text.parse::<ProjectId>()),
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found
}

/// Whether the control database remembers this id as something that has ended.
async fn known_to_be_gone(world: &World, id: ProjectId) -> Outcome<bool> {
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    if let Some(project) = store::projects::find_for_operation(&mut conn, id).await.map_err(store_failed)? {
        return Ok(project.deleted_at.is_some());
    }
    store::operations::ended_rehearsal(&mut conn, id).await.map_err(store_failed)
}

/// Withdraws routes without a row, and publishes those that are missing or say something else than the row, except where an operation is
/// under way.
async fn align_routes(world: &World, look: &Look, swept: &mut Swept) -> Outcome {
    let routed: BTreeMap<ProjectId, &Route> = look.routes.iter().map(|route| (route.project_id, route)).collect();
    for id in routed.keys().filter(|id| !look.claimed(**id)) {
        route::withdraw(world, *id).await?;
        swept.withdrawn.push(*id);
    }
    for project in look.page.iter().filter(|project| !look.busy.contains(&project.id)) {
        let state = match (project.intent, project.observed) {
            (Intent::Active, Observed::Serving) => RouteState::Serving,
            (Intent::Paused, Observed::Stopped) => RouteState::Paused,
            _ => continue,
        };
        let restricted = look.restricted.get(&project.id).copied();
        let told = |route: &&Route| {
            route.state == state && route.restriction.as_ref().map(|restriction| restriction.restraint) == restricted
        };
        if routed.get(&project.id).is_some_and(told) {
            continue;
        }
        let mut conn = world.pool.acquire().await.map_err(store_failed)?;
        if store::operations::running_for_project(&mut conn, project.id).await.map_err(store_failed)?.is_none() {
            route::publish_restricted(world, project.id, state).await?;
            swept.published.push(project.id);
        }
    }
    Ok(())
}

/// Operations that were recorded and never announced.
async fn start_forgotten(world: &World) -> Outcome {
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    store::operations::announce_due(&mut conn).await.map_err(store_failed)
}
