//! How busy a project is: requests and tunnels open now, and when the last one began or ended.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::Project;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Milliseconds since the first call in this process.
fn now_ms() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}

pub(super) struct Activity {
    open: AtomicU64,
    last_ms: AtomicU64,
    no_sleep_before_ms: AtomicU64,
}

impl Activity {
    pub(super) fn starting_now() -> Self {
        Self { open: AtomicU64::new(0), last_ms: AtomicU64::new(now_ms()), no_sleep_before_ms: AtomicU64::new(0) }
    }

    pub(super) fn touch(&self) {
        self.last_ms.store(now_ms(), Ordering::Relaxed);
    }

    /// Nothing open. Sequentially consistent with `Visit::begin` and `Project::publish`.
    pub(super) fn quiet(&self) -> bool {
        self.open.load(Ordering::SeqCst) == 0
    }

    pub(super) fn idle_for(&self) -> Duration {
        Duration::from_millis(now_ms().saturating_sub(self.last_ms.load(Ordering::Relaxed)))
    }

    /// False while an earlier attempt to sleep was put off.
    pub(super) fn may_sleep(&self) -> bool {
        now_ms() >= self.no_sleep_before_ms.load(Ordering::Relaxed)
    }

    pub(super) fn put_off_sleep(&self, by: Duration) {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.no_sleep_before_ms.store(now_ms().saturating_add(by_ms), Ordering::Relaxed);
    }
}

/// One request, stream or tunnel under way; while it lives its project is not put to sleep.
pub(crate) struct Visit {
    project: Arc<Project>,
}

impl Visit {
    /// Opens a visit. Do so before asking where requests go, or the project may fall asleep in between.
    pub(crate) fn begin(project: Arc<Project>) -> Self {
        project.activity.open.fetch_add(1, Ordering::SeqCst);
        project.activity.touch();
        Self { project }
    }

    pub(crate) fn project(&self) -> &Arc<Project> {
        &self.project
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.project.activity.touch();
        self.project.activity.open.fetch_sub(1, Ordering::SeqCst);
    }
}
