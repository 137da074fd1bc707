//! Bounded waits: poll until something holds, or fail naming what never came.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until `probe` gives a value.
///
/// # Panics
/// When `limit` has passed.
pub async fn until<T, F, Fut>(what: &str, limit: Duration, mut probe: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(begun.elapsed() < limit, "after {} s still waiting: {what}", limit.as_secs());
        tokio::time::sleep(PAUSE).await;
    }
}

/// As [`until`], for something that is looked up without waiting; reports the time-out instead of failing.
pub fn until_blocking(limit: Duration, mut probe: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if probe() {
            return true;
        }
        if begun.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
}
