//! Counts requests and egress per project, writes them to a spool every second, and ships the spool to the control plane.

mod shipping;
mod spool;

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use clock::SharedClock;
use data_plane_contract::usage::Metric;
use ids::ProjectId;
use tokio::{sync::Notify, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

pub(crate) use shipping::Shipping;
use spool::Measured;
pub(crate) use spool::Spool;

const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// What one project used since the last flush. Added to by requests, without locks.
#[derive(Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    egress_bytes: AtomicU64,
}

impl Counters {
    /// One request was answered by the project.
    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes of a response body or tunnel went to the client.
    pub(crate) fn egress(&self, bytes: u64) {
        self.egress_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn take(&self) -> (u64, u64) {
        (self.requests.swap(0, Ordering::Relaxed), self.egress_bytes.swap(0, Ordering::Relaxed))
    }
}

/// All counters of one gateway and the spool they end in.
pub(crate) struct Meter {
    counters: Mutex<HashMap<ProjectId, Arc<Counters>>>,
    spool: Mutex<Spool>,
    clock: SharedClock,
    flushed_at: Mutex<DateTime<Utc>>,
    /// The spool takes no more; counting goes on in memory.
    full: AtomicBool,
    /// The last write failed, and that was reported.
    failing: AtomicBool,
    /// Told after every flush that wrote something.
    pub(crate) flushed: Notify,
}

impl Meter {
    pub(crate) fn new(spool: Spool, clock: SharedClock) -> Self {
        let flushed_at = Mutex::new(clock.now());
        Self {
            counters: Mutex::default(),
            spool: Mutex::new(spool),
            clock,
            flushed_at,
            full: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            flushed: Notify::new(),
        }
    }

    /// The counters of a project; the same ones for as long as anyone holds them or they hold something.
    pub(crate) fn counters(&self, project_id: ProjectId) -> Arc<Counters> {
        let mut counters = self.counters.lock().expect("no holder of this lock panics");
        Arc::clone(counters.entry(project_id).or_default())
    }

    /// Flushes every second until `stopping`; the last flush is the caller's.
    pub(crate) async fn run(self: Arc<Self>, stopping: CancellationToken) {
        let mut ticks = tokio::time::interval(FLUSH_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.flush().await,
                () = stopping.cancelled() => return,
            }
        }
    }

    /// Moves what was counted into the spool. When that fails it stays counted and is tried again.
    pub(crate) async fn flush(self: &Arc<Self>) {
        if self.full.load(Ordering::Relaxed) {
            return;
        }
        let to = self.clock.now();
        let from = std::mem::replace(&mut *self.flushed_at.lock().expect("no holder of this lock panics"), to);
        let taken = self.take();
        if taken.is_empty() {
            return;
        }
        let measured: Vec<Measured> = taken.iter().flat_map(|usage| usage.measured(from, to)).collect();
        match self.with_spool(move |spool| spool.append(&measured)).await {
            Ok(()) => {
                self.failing.store(false, Ordering::Relaxed);
                self.flushed.notify_one();
            }
            Err(error) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::error!(error = %error, "usage cannot be written to disk; it is kept in memory");
                }
                for usage in taken {
                    let counters = self.counters(usage.project_id);
                    counters.requests.fetch_add(usage.requests, Ordering::Relaxed);
                    counters.egress_bytes.fetch_add(usage.egress_bytes, Ordering::Relaxed);
                }
            }
        }
    }

    /// Works on the spool on a thread that may block, and notes whether it is full afterwards.
    async fn with_spool<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Spool) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let meter = Arc::clone(self);
        let blocking = tokio::task::spawn_blocking(move || {
            let mut spool = meter.spool.lock().expect("no holder of this lock panics");
            let outcome = work(&mut spool);
            let full = spool.full();
            if full && !meter.full.swap(full, Ordering::Relaxed) {
                tracing::warn!(
                    "the usage spool is full; counting goes on in memory until the control plane takes records"
                );
            }
            meter.full.store(full, Ordering::Relaxed);
            outcome
        });
        blocking.await.map_err(io::Error::other)?
    }

    fn take(&self) -> Vec<Usage> {
        let mut taken = Vec::new();
        let mut counters = self.counters.lock().expect("no holder of this lock panics");
        counters.retain(|project_id, counters| {
            // Whoever holds the counters may still add to them; without holders they are emptied for good.
            let held = Arc::strong_count(counters) > 1;
            let (requests, egress_bytes) = counters.take();
            if requests > 0 || egress_bytes > 0 {
                taken.push(Usage { project_id: *project_id, requests, egress_bytes });
            }
            held
        });
        taken
    }
}

struct Usage {
    project_id: ProjectId,
    requests: u64,
    egress_bytes: u64,
}

impl Usage {
    fn measured(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = Measured> {
        let project_id = self.project_id;
        [(Metric::Requests, self.requests), (Metric::EgressBytes, self.egress_bytes)]
            .into_iter()
            .filter(|(_, amount)| *amount > 0)
            .map(move |(metric, amount)| Measured { project_id, metric, from, to, amount })
    }
}
