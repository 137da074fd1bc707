//! Delays between attempts: doubling, bounded, with jitter.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use saga::RetryPolicy;

/// The delays of a step, without end; whoever draws them decides when to stop.
pub(super) struct Delays {
    delays: ExponentialBackoff,
    longest: Duration,
}

impl Delays {
    pub(super) fn of(policy: RetryPolicy) -> Self {
        Self::between(policy.first_delay, policy.max_delay)
    }

    pub(super) fn between(first: Duration, longest: Duration) -> Self {
        let delays = ExponentialBuilder::default()
            .with_min_delay(first)
            .with_max_delay(longest)
            .with_jitter()
            .without_max_times()
            .build();
        Self { delays, longest }
    }

    pub(super) fn next_delay(&mut self) -> Duration {
        self.delays.next().unwrap_or(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_their_bound_and_never_end() {
        let mut delays = Delays::of(RetryPolicy {
            max_attempts: 3,
            first_delay: Duration::from_millis(10),
            max_delay: Duration::from_millis(80),
        });
        let drawn: Vec<Duration> = (0..50).map(|_| delays.next_delay()).collect();
        assert!(drawn[0] < Duration::from_millis(40));
        assert!(drawn.iter().all(|delay| *delay <= Duration::from_millis(160)));
        assert!(drawn[10..].iter().all(|delay| *delay >= Duration::from_millis(80)));
    }
}
