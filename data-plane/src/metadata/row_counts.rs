//! Exact numbers of rows. Counting a large table reads all of it, so its count is kept for a minute; small ones are counted each time.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Duration, Utc};

/// From this many rows on a count is kept.
const LARGE: i64 = 10_000;

const KEPT_FOR: Duration = Duration::seconds(60);

/// The counts of large tables, by their OIDs: a table that takes another's name is counted itself.
#[derive(Debug, Default)]
pub(crate) struct RowCounts(Mutex<HashMap<u32, Kept>>);

#[derive(Debug)]
struct Kept {
    rows: i64,
    until: DateTime<Utc>,
}

impl RowCounts {
    /// The count of a table, where it was made within the last minute.
    pub(super) fn known(&self, table: u32, now: DateTime<Utc>) -> Option<i64> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&table).filter(|kept| kept.until > now).map(|kept| kept.rows)
    }

    /// Keeps a count, and forgets those whose time is over.
    pub(super) fn counted(&self, table: u32, rows: i64, now: DateTime<Utc>) {
        if rows < LARGE {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, kept| kept.until > now);
        kept.insert(table, Kept { rows, until: now + KEPT_FOR });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_large_tables_are_kept_for_a_minute() {
        let (counts, now) = (RowCounts::default(), Utc::now());
        counts.counted(1, LARGE - 1, now);
        counts.counted(2, LARGE, now);
        assert_eq!([counts.known(1, now), counts.known(2, now)], [None, Some(LARGE)]);
        assert_eq!(counts.known(2, now + KEPT_FOR - Duration::milliseconds(1)), Some(LARGE));
        assert_eq!(counts.known(2, now + KEPT_FOR), None);
        counts.counted(3, LARGE, now + KEPT_FOR);
        assert_eq!(counts.0.lock().expect("no panic").len(), 1);
    }
}
