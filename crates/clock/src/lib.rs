//! Time as a dependency: production reads the system clock, tests turn a manual one.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Duration, Utc};

/// Where the present moment comes from.
pub trait Clock: Send + Sync {
    /// The current instant, UTC.
    fn now(&self) -> DateTime<Utc>;
}

/// A clock that can be handed to many owners.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The machine's clock, ready to share.
    #[must_use]
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// Names a folder with a file for each role whose clock is wrong on purpose; builds without debug assertions know nothing of it.
#[cfg(debug_assertions)]
const STEPPED: &str = "HEARTH_STEPPED_CLOCKS";

/// The clock of a process: the machine's. A build with debug assertions lets a test set it, to see what wrong clocks do.
#[must_use]
pub fn for_role(role: &str) -> SharedClock {
    #[cfg(debug_assertions)]
    if let Some(folder) = std::env::var_os(STEPPED) {
        return Arc::new(SteppedClock(std::path::Path::new(&folder).join(role)));
    }
    let _only_for_tests = role;
    SystemClock::shared()
}

/// What a process that this one starts needs in its environment to have its clock from the same place; nothing, in production.
#[must_use]
pub fn environment() -> Vec<(String, std::ffi::OsString)> {
    #[cfg(debug_assertions)]
    if let Some(folder) = std::env::var_os(STEPPED) {
        return vec![(STEPPED.to_owned(), folder)];
    }
    Vec::new()
}

/// The machine's clock, wrong by as many milliseconds as a file says now.
#[cfg(debug_assertions)]
struct SteppedClock(std::path::PathBuf);

#[cfg(debug_assertions)]
impl Clock for SteppedClock {
    fn now(&self) -> DateTime<Utc> {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        Utc::now() + Duration::milliseconds(text.trim().parse().unwrap_or(0))
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: DateTime<Utc>) -> Self {
        Self(Mutex::new(start))
    }

    /// Moves the clock forward (or back, for a negative duration).
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().expect("no holder of this lock panics");
        *now += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("no holder of this lock panics")
    }
}

/// `at` as the wire writes it: ISO-8601, milliseconds, `Z`.
#[must_use]
pub fn iso_millis(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
