//! Limits guesses of partners' secrets, per address and per partner. A secret that has lately proved right is let through whatever others guess,
//! so that nobody can lock a partner out. Kept in memory, like all limits of attempts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, Duration, Utc};
use ids::PartnerId;
use model::{Error, limits};

use crate::app::throttle::{Attempt, Throttle};

/// How long a secret that proved right counts as known.
const KNOWN_HOURS: i64 = 24;
/// Beyond this many, old ones are dropped.
const KNOWN_MAX: usize = 10_000;

type Hash = [u8; 32];

/// When a secret was last right.
type Known = HashMap<(PartnerId, Hash), DateTime<Utc>>;

/// Counts wrong secrets.
#[derive(Clone, Debug)]
pub(crate) struct Guesses {
    per_address: Throttle,
    per_partner: Throttle,
    known: Arc<Mutex<Known>>,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            per_address: Throttle::new(limits::PARTNER_GUESSES_PER_ADDRESS),
            per_partner: Throttle::new(limits::PARTNER_GUESSES_PER_PARTNER),
            known: Arc::default(),
        }
    }
}

/// One look at a secret, wrong until it is said to be right.
#[must_use = "a look that is dropped was a wrong guess"]
pub(crate) struct Look {
    attempts: Vec<Attempt>,
}

impl Guesses {
    /// Begins a look at a secret, by its hash.
    ///
    /// # Errors
    /// Throttled, when too many from there, or of this partner, were wrong within the last minute.
    pub(crate) fn begin(
        &self,
        partner: Option<PartnerId>,
        hash: &Hash,
        address: &str,
        now: DateTime<Utc>,
    ) -> Result<Look, Error> {
        if partner.is_some_and(|id| self.knows(id, hash, now)) {
            return Ok(Look { attempts: Vec::new() });
        }
        let mut attempts = vec![self.per_address.begin(address.to_owned(), now)?];
        if let Some(id) = partner {
            attempts.push(self.per_partner.begin(id.to_string(), now)?);
        }
        Ok(Look { attempts })
    }

    fn knows(&self, id: PartnerId, hash: &Hash, now: DateTime<Utc>) -> bool {
        let known = self.known.lock().expect("no holder of this lock panics");
        known.get(&(id, *hash)).is_some_and(|at| now - *at < Duration::hours(KNOWN_HOURS))
    }

    /// The secret was right.
    pub(crate) fn right(&self, look: Look, id: PartnerId, hash: Hash, now: DateTime<Utc>) {
        look.attempts.into_iter().for_each(Attempt::taken_back);
        let mut known = self.known.lock().expect("no holder of this lock panics");
        if known.len() >= KNOWN_MAX {
            known.retain(|_, at| now - *at < Duration::hours(KNOWN_HOURS));
        }
        known.insert((id, hash), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_limited_and_lock_nobody_out() {
        let (guesses, id, now) = (Guesses::default(), PartnerId::generate(), Utc::now());
        let look = guesses.begin(Some(id), &[1; 32], "1.1.1.1", now).expect("the first");
        guesses.right(look, id, [1; 32], now);
        let wrong = |address: &str| guesses.begin(Some(id), &[2; 32], address, now).is_ok();
        let tried = (0..1000).filter(|number| wrong(&format!("2.2.2.{}", number % 250))).count();
        assert_eq!(tried, limits::PARTNER_GUESSES_PER_PARTNER as usize);
        assert!(guesses.begin(Some(id), &[1; 32], "2.2.2.1", now).is_ok(), "the right one passes");
        let other = PartnerId::generate();
        let from_one = (0..1000).filter(|_| guesses.begin(Some(other), &[3; 32], "3.3.3.3", now).is_ok()).count();
        assert_eq!(from_one, limits::PARTNER_GUESSES_PER_ADDRESS as usize);
        assert!(guesses.begin(None, &[3; 32], "3.3.3.3", now).is_err());
        assert!(guesses.begin(None, &[3; 32], "3.3.3.3", now + Duration::minutes(1)).is_ok());
    }
}
