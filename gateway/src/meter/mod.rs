//! Counts requests and egress per project, makes records of them every second, and ships those to the control plane.

mod shipping;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clock::SharedClock;
use data_plane_contract::usage::Metric;
use ids::ProjectId;
use metering::{Counts, Journal, Ledger, Spool};
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

pub(crate) use shipping::Shipping;

const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// While the control plane has taken nothing for so long that records should be few.
const FLUSH_WHEN_FULL_EVERY: Duration = Duration::from_secs(600);

/// What one project uses.
#[derive(Clone, Debug)]
pub(crate) struct Counters(Counts);

impl Counters {
    /// One request was answered by the project.
    pub(crate) fn request(&self) {
        self.0.add(Metric::Requests, 1);
    }

    /// One request was answered by the project, and the first bytes of the body go to the client with the head.
    pub(crate) fn request_with_egress(&self, bytes: u64) {
        self.0.add_all([(Metric::Requests, 1), (Metric::EgressBytes, bytes)]);
    }

    /// Bytes of a response body or tunnel go to the client.
    pub(crate) fn egress(&self, bytes: u64) {
        if bytes > 0 {
            self.0.add(Metric::EgressBytes, bytes);
        }
    }
}

/// What one gateway counts and records.
pub(crate) struct Meter {
    journal: Journal,
    ledger: Mutex<Ledger>,
    clock: SharedClock,
    flushed_at: Mutex<Instant>,
    /// Records should be few.
    full: AtomicBool,
    /// The last write failed, and that was reported.
    failing: AtomicBool,
    /// Told after every flush that wrote something.
    pub(crate) flushed: Notify,
}

impl Meter {
    /// Opens what is in `folder`, or begins it.
    pub(crate) fn open(folder: &Path, source: &str, clock: SharedClock) -> io::Result<Self> {
        let (ledger, journal) = Ledger::open(folder, source, clock.now())?;
        Ok(Self {
            journal,
            ledger: Mutex::new(ledger),
            clock,
            flushed_at: Mutex::new(Instant::now()),
            full: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            flushed: Notify::new(),
        })
    }

    /// The counters of a project.
    pub(crate) fn counters(&self, project_id: ProjectId) -> Counters {
        Counters(self.journal.counts(project_id))
    }

    /// Flushes every second until `stopping`; the last flush is the caller's.
    pub(crate) async fn run(self: Arc<Self>, stopping: CancellationToken) {
        let mut ticks = tokio::time::interval(FLUSH_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.flush_when_due().await,
                () = stopping.cancelled() => return,
            }
        }
    }

    async fn flush_when_due(self: &Arc<Self>) {
        let due = self.flushed_at.lock().expect("no holder of this lock panics").elapsed() >= FLUSH_WHEN_FULL_EVERY;
        // Without traffic nothing is touched.
        if self.journal.holds_counts() && (due || !self.full.load(Ordering::Relaxed)) {
            self.flush().await;
        }
    }

    /// Makes records of what was counted. When that fails it stays counted and is tried again.
    pub(crate) async fn flush(self: &Arc<Self>) {
        *self.flushed_at.lock().expect("no holder of this lock panics") = Instant::now();
        let (meter, now) = (Arc::clone(self), self.clock.now());
        match self.with_ledger(move |ledger| ledger.flush(&meter.journal, now, Vec::new())).await {
            Ok(wrote) => {
                self.failing.store(false, Ordering::Relaxed);
                if wrote {
                    self.flushed.notify_one();
                }
            }
            Err(error) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::error!(error = %error, "usage cannot be made records of; it stays counted");
                }
            }
        }
    }

    /// Works on the spool on a thread that may block.
    async fn with_spool<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Spool) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        self.with_ledger(move |ledger| work(ledger.spool())).await
    }

    /// Works on the ledger on a thread that may block, and notes whether it is full afterwards.
    async fn with_ledger<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Ledger) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let meter = Arc::clone(self);
        let blocking = tokio::task::spawn_blocking(move || {
            let mut ledger = meter.ledger.lock().expect("no holder of this lock panics");
            let outcome = work(&mut ledger);
            let full = ledger.spool().full();
            if full && !meter.full.swap(full, Ordering::Relaxed) {
                tracing::warn!("the usage spool is full; records are made rarely until the control plane takes some");
            }
            meter.full.store(full, Ordering::Relaxed);
            outcome
        });
        blocking.await.map_err(io::Error::other)?
    }
}
