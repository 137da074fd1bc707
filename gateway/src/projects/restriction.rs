//! What is done with the requests of a project that uses more than it is allowed.

use std::{num::NonZeroU32, sync::Arc};

use data_plane_contract::routes::{Restraint, Restriction};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::Method;

/// Requests below it keep people signed in and write next to nothing.
const ACCOUNTS: &str = "/api/auth/";

/// A restriction in force.
pub(crate) struct Restricted {
    restriction: Restriction,
    reason: Arc<str>,
    /// Of a throttled project.
    limiter: Option<DefaultDirectRateLimiter>,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) restraint: Restraint,
    pub(crate) reason: Arc<str>,
}

impl Restricted {
    pub(super) fn new(restriction: Restriction) -> Self {
        let limiter = match restriction.restraint {
            Restraint::Throttle { requests_per_second } => {
                let quota = Quota::per_second(NonZeroU32::new(requests_per_second).unwrap_or(NonZeroU32::MIN));
                Some(RateLimiter::direct(quota))
            }
            Restraint::ReadOnly | Restraint::Sleep => None,
        };
        Self { reason: restriction.reason.as_str().into(), restriction, limiter }
    }

    pub(super) fn is(&self, restriction: &Restriction) -> bool {
        self.restriction == *restriction
    }

    pub(super) fn reason(&self) -> Arc<str> {
        Arc::clone(&self.reason)
    }

    pub(super) fn sleeps(&self) -> bool {
        self.restriction.restraint == Restraint::Sleep
    }

    /// Refuses a request, or counts it and lets it pass.
    pub(super) fn check(&self, method: &Method, path: &str) -> Result<(), Refused> {
        let passes = match self.restriction.restraint {
            Restraint::Throttle { .. } => self.limiter.as_ref().is_none_or(|limiter| limiter.check().is_ok()),
            Restraint::ReadOnly => !writes(method) || path.starts_with(ACCOUNTS),
            Restraint::Sleep => false,
        };
        if passes {
            return Ok(());
        }
        Err(Refused { restraint: self.restriction.restraint, reason: Arc::clone(&self.reason) })
    }
}

/// Whether a request may make a project larger.
fn writes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restricted(restraint: Restraint) -> Restricted {
        Restricted::new(Restriction { restraint, reason: "too much".to_owned() })
    }

    #[test]
    fn a_read_only_project_can_be_read_emptied_and_signed_in_to() {
        let restricted = restricted(Restraint::ReadOnly);
        let passes = |method, path| restricted.check(&method, path).is_ok();
        assert!(passes(Method::GET, "/api/database/records/notes"));
        assert!(passes(Method::DELETE, "/api/database/records/notes"));
        assert!(passes(Method::POST, "/api/auth/sessions"));
        for method in [Method::POST, Method::PUT, Method::PATCH] {
            assert!(!passes(method, "/api/database/records/notes"));
        }
        assert!(!passes(Method::POST, "/api/authority"));
    }

    #[test]
    fn a_throttled_project_answers_some_requests_and_a_sleeping_one_none() {
        let throttled = restricted(Restraint::Throttle { requests_per_second: 2 });
        let passed = (0..50).filter(|_| throttled.check(&Method::GET, "/").is_ok()).count();
        assert!((2..10).contains(&passed), "{passed}");
        assert!(restricted(Restraint::Sleep).check(&Method::GET, "/").is_err());
    }
}
