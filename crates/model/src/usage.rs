//! Usage: how records roll up into days and days into a billing period. Pure, so that a roll-up can always be made again from the log.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Months, NaiveDate, NaiveTime, Utc};

use crate::{instances::InstanceType, limits, words::words};

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
        /// Seconds the project's processes were up, by instance type. Cumulative.
        ComputeSeconds = "compute_seconds",
        /// E-mails sent. Cumulative.
        EmailRequests = "email_requests",
        /// Tokens of language models, in and out. Cumulative.
        AiTokens = "ai_tokens",
        /// Millionths of a credit spent on language models. Cumulative.
        AiCredits = "ai_credits",
        /// Tool calls through MCP. Cumulative.
        McpCalls = "mcp_calls",
        /// Users of the project who were not signed in earlier in their calendar month. Cumulative, so that a month's sum is its active users.
        MonthlyActiveUsers = "monthly_active_users",
    }
}

impl Metric {
    /// Peak metrics roll up as the maximum, the others as the sum.
    #[must_use]
    pub const fn peak(self) -> bool {
        matches!(self, Self::DatabaseBytes | Self::StorageBytes)
    }

    /// The name in reports. Compute has the one that clients of the cloud know.
    #[must_use]
    pub const fn reported_as(self) -> &'static str {
        match self {
            Self::ComputeSeconds => "ec2_compute",
            other => other.as_str(),
        }
    }

    /// Two amounts of one day, or of one period, as one.
    #[must_use]
    pub fn combine(self, left: i64, right: i64) -> i64 {
        if self.peak() { left.max(right) } else { left.saturating_add(right) }
    }
}

/// What is counted apart on a day of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// The UTC day.
    pub day: NaiveDate,
    /// What.
    pub metric: Metric,
    /// Of compute: which instance ran.
    pub instance_type: Option<InstanceType>,
}

/// One measurement, reduced to what a roll-up needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What was measured, and for which day it counts.
    pub counted: Counted,
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
        let last = sample.counted.metric.peak().then_some(Last { at: sample.to, amount: sample.amount });
        Self { amount: sample.amount, last }
    }

    /// Both together, in whatever order they came.
    #[must_use]
    pub fn and(self, metric: Metric, other: Self) -> Self {
        Self { amount: metric.combine(self.amount, other.amount), last: self.last.max(other.last) }
    }
}

/// The day for which a record counts, by when its window began and when it came; none for one that comes too late to count.
///
/// A window lies in the day in which it begins. One from the future, which only a wrong clock can tell of, lies in the day on which it came.
#[must_use]
pub fn day_of(from: DateTime<Utc>, received: DateTime<Utc>) -> Option<NaiveDate> {
    let (day, today) = (from.date_naive(), received.date_naive());
    let late = (today - day).num_days() > limits::USAGE_LATE_DAYS;
    (!late).then_some(day.min(today))
}

/// What samples amount to. Their order does not matter.
#[must_use]
pub fn roll_up(samples: impl IntoIterator<Item = Sample>) -> BTreeMap<Counted, DayAmount> {
    let mut days: BTreeMap<_, DayAmount> = BTreeMap::new();
    for sample in samples {
        let one = DayAmount::of(&sample);
        days.entry(sample.counted).and_modify(|day| *day = day.and(sample.counted.metric, one)).or_insert(one);
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

    /// The moment at which it is over: the first that does not belong to it.
    #[must_use]
    pub fn end_at(self) -> DateTime<Utc> {
        self.end.succ_opt().unwrap_or(self.end).and_time(NaiveTime::MIN).and_utc()
    }

    /// The calendar month of this name, such as `2026-01`; none for another text.
    #[must_use]
    pub fn of_month(text: &str) -> Option<Self> {
        let first = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok()?;
        (first.format("%Y-%m").to_string() == text).then(|| Self::around(first))
    }

    fn around(day: NaiveDate) -> Self {
        let start = day.with_day(1).expect("every month has a first day");
        let end =
            start.checked_add_months(Months::new(1)).and_then(|next| next.pred_opt()).expect("not at the end of time");
        Self { start, end }
    }
}

/// The calendar month around `now`.
#[must_use]
pub fn current_period(now: DateTime<Utc>) -> Period {
    Period::around(now.date_naive())
}

/// The calendar month before the one around `now`.
#[must_use]
pub fn previous_period(now: DateTime<Utc>) -> Period {
    let end = current_period(now).start.pred_opt().expect("not at the beginning of time");
    Period { start: end.with_day(1).expect("every month has a first day"), end }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a literal")
    }

    fn sample(metric: Metric, instance_type: Option<InstanceType>, from: &str, amount: i64) -> Sample {
        let day = at(from).date_naive();
        Sample { counted: Counted { day, metric, instance_type }, to: at(from), amount }
    }

    #[test]
    fn peaks_are_maxima_and_counters_are_sums_by_instance() {
        let compute = |instance, amount| sample(Metric::ComputeSeconds, Some(instance), "2026-03-01T10:00:00Z", amount);
        let days = roll_up([
            sample(Metric::DatabaseBytes, None, "2026-03-01T10:00:00Z", 50),
            sample(Metric::DatabaseBytes, None, "2026-03-01T11:00:00Z", 70),
            sample(Metric::DatabaseBytes, None, "2026-03-01T12:00:00Z", 60),
            sample(Metric::Requests, None, "2026-03-01T10:00:00Z", 3),
            sample(Metric::Requests, None, "2026-03-01T23:59:59Z", 4),
            sample(Metric::Requests, None, "2026-03-02T00:00:00Z", 5),
            compute(InstanceType::Nano, 60),
            compute(InstanceType::Large, 7),
            compute(InstanceType::Nano, 60),
        ]);
        let first = NaiveDate::from_ymd_opt(2026, 3, 1).expect("a date");
        let of = |day, metric, instance_type| days[&Counted { day, metric, instance_type }];
        let size = of(first, Metric::DatabaseBytes, None);
        assert_eq!((size.amount, size.last.map(|last| last.amount)), (70, Some(60)));
        assert_eq!(of(first, Metric::Requests, None), DayAmount { amount: 7, last: None });
        assert_eq!(of(first.succ_opt().expect("a date"), Metric::Requests, None).amount, 5);
        assert_eq!(of(first, Metric::ComputeSeconds, Some(InstanceType::Nano)).amount, 120);
        assert_eq!(of(first, Metric::ComputeSeconds, Some(InstanceType::Large)).amount, 7);
    }

    #[test]
    fn a_record_counts_on_its_day_for_a_week_and_never_in_the_future() {
        let received = at("2026-03-10T00:30:00Z");
        let day = |from| day_of(at(from), received).map(|day| day.to_string());
        assert_eq!(day("2026-03-09T23:59:59Z").as_deref(), Some("2026-03-09"));
        assert_eq!(day("2026-03-03T00:00:00Z").as_deref(), Some("2026-03-03"));
        assert_eq!(day("2026-03-02T23:59:59Z"), None);
        assert_eq!(day("2031-01-01T00:00:00Z").as_deref(), Some("2026-03-10"));
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_days(
            samples in prop::collection::vec((0_usize..4, 0_u32..4, 0_i64..300_000, 0_i64..1_000), 0..60),
            seed in any::<prop::sample::Index>(),
        ) {
            let metrics = [Metric::DatabaseBytes, Metric::StorageBytes, Metric::Requests, Metric::ComputeSeconds];
            let mut samples: Vec<Sample> = samples.into_iter().map(|(metric, instance, seconds, amount)| {
                let metric = metrics[metric];
                let to = at("2026-03-01T00:00:00Z") + chrono::Duration::seconds(seconds);
                let instance_type = (metric == Metric::ComputeSeconds).then_some(InstanceType::ALL[instance as usize]);
                Sample { counted: Counted { day: to.date_naive(), metric, instance_type }, to, amount }
            }).collect();
            let days = roll_up(samples.clone());
            if !samples.is_empty() {
                let middle = seed.index(samples.len());
                samples.rotate_left(middle);
                samples[..middle].reverse();
            }
            prop_assert_eq!(roll_up(samples), days);
        }
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
