//! Limits failed sign-ins per account and address. Kept in memory: each replica allows its own number, which is still few.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use chrono::{DateTime, Duration, Utc};
use model::{Error, limits};

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

type Entries = HashMap<(String, String), Failures>;

/// Counts failed sign-ins.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoginThrottle(Arc<Mutex<Entries>>);

/// One attempt. It counts as failed from its beginning, so that parallel attempts cannot exceed the limit; a success takes that back.
pub(crate) struct Attempt {
    throttle: LoginThrottle,
    key: (String, String),
}

impl LoginThrottle {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// Begins an attempt.
    ///
    /// # Errors
    /// Throttled, when too many failed within the last minute.
    pub(crate) fn begin(&self, email: &str, address: &str, now: DateTime<Utc>) -> Result<Attempt, Error> {
        let key = (email.to_lowercase(), address.to_owned());
        let mut entries = self.entries();
        if entries.len() >= ENTRIES_MAX {
            entries.retain(|_, failures| now - failures.since < window());
        }
        let failures = entries.entry(key.clone()).or_insert(Failures { count: 0, since: now });
        if now - failures.since >= window() {
            *failures = Failures { count: 0, since: now };
        }
        if failures.count >= limits::LOGIN_ATTEMPTS {
            let rest = (failures.since + window() - now).num_seconds();
            return Err(Error::throttled(u64::try_from(rest).unwrap_or(0).max(1)));
        }
        failures.count += 1;
        drop(entries);
        Ok(Attempt { throttle: self.clone(), key })
    }
}

impl Attempt {
    /// The right password: earlier failures are forgotten.
    pub(crate) fn succeeded(self) {
        self.throttle.entries().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_limited_per_account_and_address_and_forgotten_after_a_minute() {
        let throttle = LoginThrottle::default();
        let now = Utc::now();
        for _ in 0..limits::LOGIN_ATTEMPTS {
            assert!(throttle.begin("A@b.c", "1.1.1.1", now).is_ok());
        }
        assert!(throttle.begin("a@B.c", "1.1.1.1", now).is_err());
        assert!(throttle.begin("a@b.c", "2.2.2.2", now).is_ok());
        assert!(throttle.begin("other@b.c", "1.1.1.1", now).is_ok());
        assert!(throttle.begin("a@b.c", "1.1.1.1", now + window()).is_ok());
    }

    #[test]
    fn a_success_does_not_count() {
        let throttle = LoginThrottle::default();
        let now = Utc::now();
        for _ in 0..100 {
            throttle.begin("a@b.c", "1.1.1.1", now).expect("never throttled").succeeded();
        }
    }
}
