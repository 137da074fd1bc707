//! Quotas: how much of each metric is allowed, when that is told of, and what is done when it is exceeded. Pure. Nothing is ever deleted.

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    billing::edition,
    limits::Plan,
    usage::Metric,
    words::{UnknownWord, words},
};

/// Shares of what is allowed that are told of, in percent.
pub const THRESHOLDS: &[i32] = &[50, 80, 100];

words! {
    /// What is done about usage. Later ones are severer.
    QuotaAction is a "quota action" {
        /// Nothing.
        None = "none",
        /// Requests are answered slowly: a few each second, the others are refused for a moment.
        Throttle = "throttle",
        /// Requests that write are refused, except those that delete and those of accounts.
        ReadOnly = "read_only",
        /// The project sleeps, and requests do not wake it.
        Sleep = "sleep",
    }
}

impl QuotaAction {
    /// The share, in percent, from which on it is taken.
    #[must_use]
    pub const fn from_percent(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Throttle => 100,
            Self::ReadOnly => 110,
            Self::Sleep => 125,
        }
    }

    /// What is done at a share in percent.
    #[must_use]
    pub fn at(percent: i64) -> Self {
        let taken = Self::ALL.iter().rev().find(|action| percent >= action.from_percent());
        taken.copied().unwrap_or(Self::None)
    }
}

/// What a quota is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QuotaSubject {
    /// Usage: a size is allowed to each project, what adds up to the organization in a billing period.
    Metric(Metric),
    /// What an organization's usage costs in a billing period beyond the plan's own price, in micro-units of the currency.
    Spend,
}

const SPEND: &str = "spend";

impl QuotaSubject {
    /// The word, on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metric(metric) => metric.as_str(),
            Self::Spend => SPEND,
        }
    }

    /// Whether each project has it for itself.
    #[must_use]
    pub const fn per_project(self) -> bool {
        matches!(self, Self::Metric(metric) if metric.peak())
    }

    /// Whether more is done about it than to tell. What is used up by sending mail or by asking language models is refused where that happens.
    #[must_use]
    pub const fn acts(self) -> bool {
        !matches!(self, Self::Metric(Metric::EmailRequests | Metric::AiTokens | Metric::AiCredits | Metric::McpCalls))
    }

    /// An amount, for people.
    fn amount(self, amount: i64) -> String {
        match self {
            Self::Metric(_) => amount.to_string(),
            Self::Spend => format!("{}.{:02}", amount / 1_000_000, amount % 1_000_000 / 10_000),
        }
    }
}

impl fmt::Display for QuotaSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for QuotaSubject {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        if text == SPEND { Ok(Self::Spend) } else { text.parse().map(Self::Metric) }
    }
}

impl Serialize for QuotaSubject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for QuotaSubject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Of what.
    pub subject: QuotaSubject,
    /// How much.
    pub allowed: i64,
}

/// What an organization may use on a day: what its plan includes and has no price for more of, and caps in place of that.
#[must_use]
pub fn of(plan: Plan, caps: &[(QuotaSubject, i64)], on: NaiveDate) -> Vec<Quota> {
    let included = |metric: &Metric| {
        let price = edition(plan, on)?.metrics.get(metric)?;
        (price.unit_micros == 0).then_some(price.included)
    };
    let allowed = |subject: QuotaSubject| {
        let cap = caps.iter().find(|(capped, _)| *capped == subject).map(|(_, allowed)| *allowed);
        cap.or_else(|| match subject {
            QuotaSubject::Metric(metric) => included(&metric),
            QuotaSubject::Spend => None,
        })
    };
    let subjects = Metric::ALL.iter().copied().map(QuotaSubject::Metric).chain([QuotaSubject::Spend]);
    subjects.filter_map(|subject| Some(Quota { subject, allowed: allowed(subject)? })).collect()
}

/// The share that is used, in whole percent, rounded down.
#[must_use]
pub fn percent(used: i64, allowed: i64) -> i64 {
    let share = i128::from(used.max(0)) * 100 / i128::from(allowed.max(1));
    i64::try_from(share).unwrap_or(i64::MAX)
}

/// How far, in percent, usage has to fall below a threshold before reaching it is told of again.
const SLACK: i64 = 10;

/// The highest threshold that counts as told once those reached by a share are told of, when `told` was the highest before.
#[must_use]
pub fn told(percent: i64, told: i32) -> i32 {
    let counts = |threshold: &&i32| {
        let threshold = **threshold;
        i64::from(threshold) <= percent || (threshold <= told && i64::from(threshold) - SLACK <= percent)
    };
    THRESHOLDS.iter().filter(counts).max().copied().unwrap_or(0)
}

/// The thresholds reached by a share that were not told of yet.
pub fn untold(percent: i64, told: i32) -> impl Iterator<Item = i32> {
    THRESHOLDS.iter().copied().filter(move |threshold| *threshold > told && i64::from(*threshold) <= percent)
}

/// What is done about a project, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// What is done.
    pub action: QuotaAction,
    /// What is exceeded.
    pub subject: QuotaSubject,
    /// How much is used.
    pub used: i64,
    /// How much is allowed.
    pub allowed: i64,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl Restriction {
    /// For people: what is exceeded, what is done, and what ends it.
    #[must_use]
    pub fn reason(&self) -> String {
        let done = match self.action {
            QuotaAction::None => "nothing is done about it",
            QuotaAction::Throttle => "requests are throttled",
            QuotaAction::ReadOnly => "only reading and deleting is possible",
            QuotaAction::Sleep => "the project sleeps",
        };
        let (subject, used, allowed) =
            (self.subject, self.subject.amount(self.used), self.subject.amount(self.allowed));
        let until = if subject.per_project() { "use less" } else { "wait for the next billing period" };
        format!("{used} of {allowed} {subject} are used, so {done}. Upgrade the plan, raise the cap, or {until}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_grow_with_the_share() {
        let seen: Vec<_> = [0, 99, 100, 109, 110, 124, 125, i64::MAX].into_iter().map(QuotaAction::at).collect();
        use QuotaAction::{None, ReadOnly, Sleep, Throttle};
        assert_eq!(seen, [None, None, Throttle, Throttle, ReadOnly, ReadOnly, Sleep, Sleep]);
        assert_eq!(percent(i64::MAX, 1), i64::MAX);
        assert_eq!((percent(999, 1000), percent(1000, 1000), percent(-5, 10)), (99, 100, 0));
    }

    #[test]
    fn each_threshold_is_told_once() {
        assert_eq!(untold(100, 0).collect::<Vec<_>>(), [50, 80, 100]);
        assert_eq!(untold(85, 50).collect::<Vec<_>>(), [80]);
        assert_eq!(untold(300, 100).count() + untold(49, 0).count(), 0);
        assert_eq!((told(85, 50), told(79, 80), told(69, 80), told(10, 100), told(400, 0)), (80, 80, 50, 0, 100));
    }

    #[test]
    fn caps_stand_in_for_the_plan() {
        let on = NaiveDate::from_ymd_opt(2026, 3, 1).expect("a date");
        let allowed = |plan, caps: &[(QuotaSubject, i64)], subject| {
            of(plan, caps, on).into_iter().find(|quota| quota.subject == subject).map(|quota| quota.allowed)
        };
        let (database, egress) =
            (QuotaSubject::Metric(Metric::DatabaseBytes), QuotaSubject::Metric(Metric::EgressBytes));
        assert_eq!(allowed(Plan::Free, &[], database), Some(500_000_000));
        assert_eq!(allowed(Plan::Free, &[(database, 7)], database), Some(7));
        assert_eq!(allowed(Plan::Pro, &[], egress), None, "more of it has a price");
        assert_eq!(allowed(Plan::Pro, &[(egress, 9)], egress), Some(9));
        assert_eq!(allowed(Plan::Pro, &[], QuotaSubject::Spend), None);
        assert_eq!(allowed(Plan::Pro, &[(QuotaSubject::Spend, 5)], QuotaSubject::Spend), Some(5));
    }

    #[test]
    fn a_reason_says_how_much_of_what() {
        let restriction = |subject| Restriction {
            action: QuotaAction::Throttle,
            subject,
            used: 12_345_678,
            allowed: 10_000_000,
            since: DateTime::UNIX_EPOCH,
        };
        assert!(restriction(QuotaSubject::Spend).reason().starts_with("12.34 of 10.00 spend are used"));
        let egress = restriction("egress_bytes".parse().expect("a metric"));
        assert!(egress.reason().starts_with("12345678 of 10000000 egress_bytes are used, so requests are throttled."));
    }
}
