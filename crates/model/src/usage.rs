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
        /// E-mails sent. Cumulative.
        EmailRequests = "email_requests",
        /// Tokens of language models, in and out. Cumulative.
        AiTokens = "ai_tokens",
        /// Millionths of a credit spent on language models. Cumulative.
        AiCredits = "ai_credits",
        /// Tool calls through MCP. Cumulative.
        McpCalls = "mcp_calls",
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
    /// End of its window.
    pub to: DateTime<Utc>,
    /// How much.
    pub amount: i64,
}

/// The newest value of a gauge on a day, and when that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Last {
    /// End of its window.
    pub at: DateTime<Utc>,
    /// How much; of two at one moment the larger one counts.
    pub amount: i64,
}

/// What the samples of one project, metric and day amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayAmount {
    /// Maximum of a peak metric's samples, sum of the others'.
    pub amount: i64,
    /// For a peak metric: what is carried into the days after.
    pub last: Option<Last>,
}

impl DayAmount {
    /// What one sample amounts to.
    #[must_use]
    pub fn of(sample: &Sample) -> Self {
        let last = sample.metric.peak().then_some(Last { at: sample.to, amount: sample.amount });
        Self { amount: sample.amount, last }
    }

    /// Both together, in whatever order they came.
    #[must_use]
    pub fn and(self, metric: Metric, other: Self) -> Self {
        Self { amount: metric.combine(self.amount, other.amount), last: self.last.max(other.last) }
    }
}

/// The day a record counts for: the UTC day in which its window begins.
#[must_use]
pub fn day_of(from: DateTime<Utc>) -> NaiveDate {
    from.date_naive()
}

/// Amounts per day and metric. The order of the samples does not matter.
#[must_use]
pub fn roll_up(samples: impl IntoIterator<Item = Sample>) -> BTreeMap<(NaiveDate, Metric), DayAmount> {
    let mut days: BTreeMap<_, DayAmount> = BTreeMap::new();
    for sample in samples {
        let one = DayAmount::of(&sample);
        days.entry((day_of(sample.from), sample.metric))
            .and_modify(|day| *day = day.and(sample.metric, one))
            .or_insert(one);
    }
    days
}

/// How the gauges of many projects changed on one day, as sums over the projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GaugeDay {
    /// The day.
    pub day: NaiveDate,
    /// How far the day's peaks are above what was carried into it.
    pub excess: i64,
    /// How much more is carried out of it than into it.
    pub step: i64,
}

/// The sum over projects of each day's peak, from the sum carried into the first day and the days that changed it, in order.
#[must_use]
pub fn gauge_series(carried: i64, changes: &[GaugeDay], period: Period) -> Vec<(NaiveDate, i64)> {
    let mut carried = carried;
    let mut changes = changes.iter().peekable();
    period
        .days()
        .map(|day| {
            let change = changes.next_if(|change| change.day == day);
            let amount = carried + change.map_or(0, |change| change.excess);
            carried += change.map_or(0, |change| change.step);
            (day, amount)
        })
        .collect()
}

/// A billing period: both days included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First day.
    pub start: NaiveDate,
    /// Last day.
    pub end: NaiveDate,
}

impl Period {
    /// Its days, in order.
    pub fn days(self) -> impl Iterator<Item = NaiveDate> {
        self.start.iter_days().take_while(move |day| *day <= self.end)
    }
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
        let sample = |metric, from, amount| Sample { metric, from: at(from), to: at(from), amount };
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
        let size = days[&(first, Metric::DatabaseBytes)];
        assert_eq!((size.amount, size.last.map(|last| last.amount)), (70, Some(60)));
        assert_eq!(days[&(first, Metric::Requests)], DayAmount { amount: 7, last: None });
        assert_eq!(days[&(first.succ_opt().expect("a date"), Metric::Requests)].amount, 5);
        samples.reverse();
        assert_eq!(roll_up(samples), days);
    }

    #[test]
    fn a_day_without_a_change_has_what_was_carried_into_it() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 3, day).expect("a date");
        let period = Period { start: day(1), end: day(5) };
        let changes = [GaugeDay { day: day(2), excess: 30, step: 10 }, GaugeDay { day: day(4), excess: 0, step: -110 }];
        let amounts: Vec<i64> = gauge_series(100, &changes, period).into_iter().map(|(_, amount)| amount).collect();
        assert_eq!(amounts, [100, 130, 110, 110, 0]);
    }

    #[test]
    fn periods_are_calendar_months() {
        let now = at("2028-02-29T23:00:00Z");
        assert_eq!(current_period(now).end.to_string(), "2028-02-29");
        assert_eq!(previous_period(now).start.to_string(), "2028-01-01");
        assert_eq!(previous_period(at("2026-01-05T00:00:00Z")).end.to_string(), "2025-12-31");
    }
}
