//! Usage: how records roll up into days and days into a billing period. Pure, so that a roll-up can always be made again from the log.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Months, NaiveDate, Utc};

use crate::words::words;

words! {
    /// What is counted. The words are those of usage records.
    Metric is a "metric" {
        /// Size of the database. Peak.
        DatabaseBytes = "database_bytes",
        /// Size of the stored objects. Peak.
        StorageBytes = "storage_bytes",
        /// Bytes sent to clients. Cumulative.
        EgressBytes = "egress_bytes",
        /// Requests answered. Cumulative.
        Requests = "requests",
        /// Edge function invocations. Cumulative.
        FunctionCalls = "function_calls",
        /// Seconds the project's processes were up. Cumulative.
        ComputeSeconds = "compute_seconds",
    }
}

impl Metric {
    /// Peak metrics roll up as the maximum, the others as the sum.
    #[must_use]
    pub const fn peak(self) -> bool {
        matches!(self, Self::DatabaseBytes | Self::StorageBytes)
    }

    /// Two amounts of one day, or of one period, as one.
    #[must_use]
    pub fn combine(self, left: i64, right: i64) -> i64 {
        if self.peak() { left.max(right) } else { left.saturating_add(right) }
    }
}

/// One measurement, reduced to what a roll-up needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What was measured.
    pub metric: Metric,
    /// Start of its window.
    pub from: DateTime<Utc>,
    /// How much.
    pub amount: i64,
}

/// The day a record counts for: the UTC day in which its window begins.
#[must_use]
pub fn day_of(from: DateTime<Utc>) -> NaiveDate {
    from.date_naive()
}

/// Amounts per day and metric. The order of the samples does not matter.
#[must_use]
pub fn roll_up(samples: impl IntoIterator<Item = Sample>) -> BTreeMap<(NaiveDate, Metric), i64> {
    let mut days = BTreeMap::new();
    for sample in samples {
        days.entry((day_of(sample.from), sample.metric))
            .and_modify(|amount| *amount = sample.metric.combine(*amount, sample.amount))
            .or_insert(sample.amount);
    }
    days
}

/// A billing period: both days included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First day.
    pub start: NaiveDate,
    /// Last day.
    pub end: NaiveDate,
}

/// The calendar month around `now`.
#[must_use]
pub fn current_period(now: DateTime<Utc>) -> Period {
    let start = now.date_naive().with_day(1).expect("every month has a first day");
    let end =
        start.checked_add_months(Months::new(1)).and_then(|next| next.pred_opt()).expect("not at the end of time");
    Period { start, end }
}

/// The calendar month before the one around `now`.
#[must_use]
pub fn previous_period(now: DateTime<Utc>) -> Period {
    let end = current_period(now).start.pred_opt().expect("not at the beginning of time");
    Period { start: end.with_day(1).expect("every month has a first day"), end }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a literal")
    }

    #[test]
    fn peaks_are_maxima_and_counters_are_sums_whatever_the_order() {
        let sample = |metric, from, amount| Sample { metric, from: at(from), amount };
        let mut samples = vec![
            sample(Metric::DatabaseBytes, "2026-03-01T10:00:00Z", 50),
            sample(Metric::DatabaseBytes, "2026-03-01T11:00:00Z", 70),
            sample(Metric::DatabaseBytes, "2026-03-01T12:00:00Z", 60),
            sample(Metric::Requests, "2026-03-01T10:00:00Z", 3),
            sample(Metric::Requests, "2026-03-01T23:59:59Z", 4),
            sample(Metric::Requests, "2026-03-02T00:00:00Z", 5),
        ];
        let days = roll_up(samples.clone());
        let first = NaiveDate::from_ymd_opt(2026, 3, 1).expect("a date");
        assert_eq!(days[&(first, Metric::DatabaseBytes)], 70);
        assert_eq!(days[&(first, Metric::Requests)], 7);
        assert_eq!(days[&(first.succ_opt().expect("a date"), Metric::Requests)], 5);
        samples.reverse();
        assert_eq!(roll_up(samples), days);
    }

    #[test]
    fn periods_are_calendar_months() {
        let now = at("2028-02-29T23:00:00Z");
        assert_eq!(current_period(now).end.to_string(), "2028-02-29");
        assert_eq!(previous_period(now).start.to_string(), "2028-01-01");
        assert_eq!(previous_period(at("2026-01-05T00:00:00Z")).end.to_string(), "2025-12-31");
    }
}
