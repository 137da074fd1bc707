//! Limits failed attempts to prove something, per name, within a minute. Kept in memory: each replica allows its own number, which is still few.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use chrono::{DateTime, Duration, Utc};
use model::Error;

/// Beyond this many, old entries are dropped first.
const ENTRIES_MAX: usize = 100_000;

fn window() -> Duration {
    Duration::minutes(1)
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    since: DateTime<Utc>,
}

type Entries = HashMap<String, Failures>;

/// Counts failed attempts.
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    entries: Arc<Mutex<Entries>>,
    limit: u32,
}

/// One attempt. It counts as failed from its beginning, so that parallel attempts cannot exceed the limit; a success takes that back.
#[must_use = "an attempt that is dropped has failed"]
pub(crate) struct Attempt {
    throttle: Throttle,
    name: String,
}

impl Throttle {
    /// So many failures of one name within a minute are put up with.
    pub(crate) fn new(limit: u32) -> Self {
        Self { entries: Arc::default(), limit }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().expect("no holder of this lock panics")
    }

    /// Begins an attempt in this name.
    ///
    /// # Errors
    /// Throttled, when too many failed within the last minute.
    pub(crate) fn begin(&self, name: String, now: DateTime<Utc>) -> Result<Attempt, Error> {
        let mut entries = self.entries();
        if entries.len() >= ENTRIES_MAX {
            entries.retain(|_, failures| now - failures.since < window());
        }
        let failures = entries.entry(name.clone()).or_insert(Failures { count: 0, since: now });
        if now - failures.since >= window() {
            *failures = Failures { count: 0, since: now };
        }
        if failures.count >= self.limit {
            let rest = (failures.since + window() - now).num_seconds();
            return Err(Error::throttled(u64::try_from(rest).unwrap_or(0).max(1)));
        }
        failures.count += 1;
        drop(entries);
        Ok(Attempt { throttle: self.clone(), name })
    }
}

impl Attempt {
    /// It succeeded: earlier failures of this name are forgotten.
    pub(crate) fn succeeded(self) {
        self.throttle.entries().remove(&self.name);
    }

    /// It succeeded, but says nothing of earlier failures.
    pub(crate) fn taken_back(self) {
        if let Some(failures) = self.throttle.entries().get_mut(&self.name) {
            failures.count = failures.count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_limited_per_name_and_forgotten_after_a_minute() {
        let throttle = Throttle::new(10);
        let begin = |name: &str, now| throttle.begin(name.to_owned(), now);
        let now = Utc::now();
        for _ in 0..10 {
            assert!(begin("a", now).is_ok());
        }
        assert!(begin("a", now).is_err());
        assert!(begin("b", now).is_ok());
        assert!(begin("a", now + window()).is_ok());
    }

    #[test]
    fn a_success_does_not_count() {
        let throttle = Throttle::new(10);
        let begin = || throttle.begin("a".to_owned(), DateTime::UNIX_EPOCH);
        for _ in 0..100 {
            begin().expect("never throttled").succeeded();
        }
        for _ in 0..9 {
            assert!(begin().is_ok());
        }
        begin().expect("the last one").taken_back();
        assert!(begin().is_ok() && begin().is_err(), "earlier failures still count");
    }
}
