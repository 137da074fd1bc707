//! Quotas: how much of each metric is allowed, when that is told of, and what is done when it is exceeded. Pure. Nothing is ever deleted.

use chrono::{DateTime, Utc};

use crate::{limits::Plan, usage::Metric, words::words};

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

/// How much of a metric is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Of what. A size is allowed to each project, what adds up to the organization in a billing period.
    pub metric: Metric,
    /// How much.
    pub allowed: i64,
}

impl Quota {
    /// Whether each project has it for itself.
    #[must_use]
    pub const fn per_project(&self) -> bool {
        self.metric.peak()
    }
}

/// What an organization may use: its plan's numbers, with caps in their place where there are any.
#[must_use]
pub fn of(plan: Plan, caps: &[(Metric, i64)]) -> Vec<Quota> {
    let limits = plan.limits();
    let planned = [
        (Metric::DatabaseBytes, limits.database_bytes),
        (Metric::StorageBytes, limits.storage_bytes),
        (Metric::EgressBytes, limits.egress_bytes),
        (Metric::FunctionCalls, limits.function_calls),
    ];
    let allowed = |metric: Metric| {
        let cap = caps.iter().find(|(capped, _)| *capped == metric).map(|(_, allowed)| *allowed);
        let plan = planned.iter().find(|(planned, _)| *planned == metric).and_then(|(_, allowed)| *allowed);
        cap.or_else(|| plan.map(|allowed| i64::try_from(allowed).unwrap_or(i64::MAX)))
    };
    Metric::ALL.iter().filter_map(|&metric| Some(Quota { metric, allowed: allowed(metric)? })).collect()
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
    pub metric: Metric,
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
        let Self { metric, used, allowed, .. } = self;
        let until = if metric.peak() { "use less" } else { "wait for the next billing period" };
        format!("{used} of {allowed} {metric} are used, so {done}. Upgrade the plan, raise the cap, or {until}.")
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
        let allowed = |plan, caps: &[(Metric, i64)], metric| {
            of(plan, caps).into_iter().find(|quota| quota.metric == metric).map(|quota| quota.allowed)
        };
        assert_eq!(allowed(Plan::Free, &[], Metric::DatabaseBytes), Some(500_000_000));
        assert_eq!(allowed(Plan::Free, &[(Metric::DatabaseBytes, 7)], Metric::DatabaseBytes), Some(7));
        assert_eq!(allowed(Plan::Pro, &[], Metric::EgressBytes), None);
        assert_eq!(allowed(Plan::Pro, &[(Metric::EgressBytes, 9)], Metric::EgressBytes), Some(9));
    }
}
