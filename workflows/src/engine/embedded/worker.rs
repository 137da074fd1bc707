//! A worker: takes due operations up to its limits, carries each out under a lease, and stops without dropping what can still end.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ids::WorkerId;
use saga::OperationKind;
use sqlx::{PgPool, postgres::PgListener};
use store::operations::{DUE_CHANNEL, Operation};
use tokio::{
    sync::Notify,
    task::{Id, JoinError, JoinHandle, JoinSet},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Settings,
    execution::{Ended, Stop, carry_out},
    lease,
    record::{LeaseLost, Record},
};
use crate::engine::Definition;

/// How long handing back may take at shutdown, when the control database may be gone.
const HAND_BACK: Duration = Duration::from_secs(5);

/// Carries out operations until told to stop.
pub struct Worker<W> {
    id: WorkerId,
    pool: PgPool,
    world: Arc<W>,
    definitions: HashMap<OperationKind, Arc<dyn Definition<W>>>,
    settings: Arc<Settings>,
    stop: Stop,
    running: JoinSet<()>,
    kinds: HashMap<Id, OperationKind>,
}

/// A running worker.
#[derive(Debug)]
pub struct WorkerHandle {
    stop: CancellationToken,
    kill: CancellationToken,
    task: JoinHandle<()>,
}

impl WorkerHandle {
    /// Takes nothing new, lets steps that are under way end, hands the rest back, and returns when all is at rest.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Err(error) = (&mut self.task).await {
            tracing::error!(error = telemetry::chain(&error), "the worker did not stop in order");
        }
    }

    /// Stops at once, wherever it is, and hands nothing back: what a crash does. Returns when nothing of it runs any more.
    pub async fn kill(mut self) {
        self.kill.cancel();
        if let Err(error) = (&mut self.task).await {
            tracing::error!(error = telemetry::chain(&error), "the worker did not stop in order");
        }
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl<W: Send + Sync + 'static> Worker<W> {
    /// Starts a worker for these sagas on the control database behind `pool`.
    #[must_use]
    pub fn start(
        pool: PgPool,
        world: Arc<W>,
        definitions: Vec<Arc<dyn Definition<W>>>,
        settings: Settings,
    ) -> WorkerHandle {
        let stop = CancellationToken::new();
        let worker = Self {
            id: WorkerId::generate(),
            pool,
            world,
            definitions: definitions.into_iter().map(|definition| (definition.kind(), definition)).collect(),
            settings: Arc::new(settings),
            stop: Stop { soon: stop.clone(), now: CancellationToken::new() },
            running: JoinSet::new(),
            kinds: HashMap::new(),
        };
        let kill = CancellationToken::new();
        WorkerHandle { stop, kill: kill.clone(), task: tokio::spawn(worker.work(kill)) }
    }

    async fn work(mut self, kill: CancellationToken) {
        tokio::select! {
            biased;
            () = kill.cancelled() => {}
            () = self.serve() => {}
        }
        self.running.shutdown().await;
    }

    async fn serve(&mut self) {
        let due = Arc::new(Notify::new());
        let mut background = JoinSet::new();
        background.spawn(listen(self.pool.clone(), due.clone()));
        background.spawn(flag_overdue(self.pool.clone(), self.settings.deadline_check));
        while !self.stop.soon.is_cancelled() {
            self.take_due().await;
            tokio::select! {
                () = self.stop.soon.cancelled() => {}
                () = due.notified() => {}
                Some(ended) = self.running.join_next_with_id(), if !self.running.is_empty() => self.forget(&ended),
                () = sleep(self.settings.poll) => {}
            }
        }
        self.come_to_rest().await;
    }

    /// Takes due operations until none is due or no limit leaves room.
    async fn take_due(&mut self) {
        while !self.stop.soon.is_cancelled() {
            let kinds = self.kinds_with_room();
            if kinds.is_empty() {
                return;
            }
            match self.claim(&kinds).await {
                Ok(Some(operation)) => self.begin(operation),
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(error = telemetry::chain(&error), "due operations could not be read");
                    return;
                }
            }
        }
    }

    async fn claim(&self, kinds: &[String]) -> sqlx::Result<Option<Operation>> {
        let mut conn = self.pool.acquire().await?;
        store::operation_leases::claim_due(&mut conn, self.id, self.settings.lease_duration(), kinds).await
    }

    fn kinds_with_room(&self) -> Vec<String> {
        if self.running.len() >= self.settings.concurrency {
            return Vec::new();
        }
        let room = |kind: &OperationKind| {
            self.kinds.values().filter(|running| *running == kind).count() < self.settings.limit(*kind)
        };
        self.definitions.keys().filter(|kind| room(kind)).map(|kind| kind.as_str().to_owned()).collect()
    }

    fn begin(&mut self, operation: Operation) {
        let Some(definition) =
            operation.kind.parse().ok().and_then(|kind: OperationKind| self.definitions.get(&kind).cloned())
        else {
            return;
        };
        let kind = definition.kind();
        let record = Record { pool: self.pool.clone(), id: operation.id, fence: operation.fence };
        let (world, settings, stop) = (self.world.clone(), self.settings.clone(), self.stop.clone());
        let handle = self.running.spawn(async move {
            let began = Instant::now();
            let keep = lease::keep(&record.pool, record.id, record.fence, &settings);
            let carried = carry_out(record.clone(), world.as_ref(), definition.as_ref(), &operation, &settings, &stop);
            let ended = tokio::select! {
                biased;
                () = keep => Err(LeaseLost),
                ended = carried => ended,
            };
            report(&operation, ended.as_ref().ok().copied(), began.elapsed());
        });
        self.kinds.insert(handle.id(), kind);
    }

    fn forget(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.kinds.remove(&id);
    }

    /// Waits for the operations under way; after the grace drops their steps, which others can begin again, and hands them back.
    async fn come_to_rest(&mut self) {
        if timeout(self.settings.grace, self.drain()).await.is_ok() {
            return;
        }
        self.stop.now.cancel();
        if timeout(HAND_BACK, self.drain()).await.is_err() {
            tracing::warn!("some operations could not be handed back; others take them when their leases run out");
        }
    }

    async fn drain(&mut self) {
        while self.running.join_next().await.is_some() {}
    }
}

fn report(operation: &Operation, ended: Option<Ended>, took: Duration) {
    let (id, kind, duration_ms) = (operation.id, &operation.kind, took.as_millis());
    match ended {
        Some(Ended::Succeeded) => {
            tracing::info!(operation.id = %id, operation.kind = kind, duration_ms, "operation succeeded")
        }
        Some(Ended::Failed) => {
            tracing::info!(operation.id = %id, operation.kind = kind, duration_ms, "operation failed and left nothing")
        }
        Some(Ended::HandedBack) => {
            tracing::info!(operation.id = %id, operation.kind = kind, duration_ms, "operation handed back")
        }
        None => {
            tracing::warn!(operation.id = %id, operation.kind = kind, duration_ms, "lease lost; another worker goes on")
        }
    }
}

/// Wakes the worker at every announcement; the worker's own polling covers the time while the database cannot be reached.
async fn listen(pool: PgPool, due: Arc<Notify>) {
    loop {
        if let Err(error) = follow(&pool, &due).await {
            tracing::warn!(error = telemetry::chain(&error), "announcements of operations are interrupted");
        }
        sleep(Duration::from_secs(1)).await;
    }
}

async fn follow(pool: &PgPool, due: &Notify) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(DUE_CHANNEL).await?;
    due.notify_one();
    loop {
        listener.recv().await?;
        due.notify_one();
    }
}

/// Tells a person of every operation that takes longer than it should, once.
async fn flag_overdue(pool: PgPool, every: Duration) {
    loop {
        sleep(every).await;
        match overdue(&pool).await {
            Ok(ids) => ids
                .iter()
                .for_each(|id| tracing::error!(operation.id = %id, "an operation is past its deadline; it goes on")),
            Err(error) => tracing::warn!(error = telemetry::chain(&error), "deadlines could not be checked"),
        }
    }
}

async fn overdue(pool: &PgPool) -> sqlx::Result<Vec<ids::OperationId>> {
    let mut conn = pool.acquire().await?;
    store::operation_leases::flag_overdue(&mut conn).await
}
