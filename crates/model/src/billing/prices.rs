//! The prices of each plan, read from `plans/*.toml`.

use std::{collections::BTreeMap, sync::LazyLock};

use chrono::NaiveDate;
use serde::Deserialize;

use crate::{instances::InstanceType, limits::Plan, usage::Metric};

/// The prices of a plan over time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    /// The plan.
    pub plan: Plan,
    /// ISO 4217.
    pub currency: String,
    /// In the order of their dates.
    pub editions: Vec<Edition>,
}

/// Prices that hold from a day until the next edition's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    /// The first day.
    pub effective_from: NaiveDate,
    /// What the plan costs for each billing cycle that is begun.
    pub monthly_micros: i64,
    /// Metrics with a price or a limit; the others cost nothing.
    #[serde(default)]
    pub metrics: BTreeMap<Metric, MetricPrice>,
    /// Compute, where it has a price.
    pub compute: Option<ComputePrices>,
}

/// What a metric costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricPrice {
    /// What the plan includes, over all projects.
    pub included: i64,
    /// How much of the metric the price is for.
    #[serde(default = "one")]
    pub unit: i64,
    /// The price of one unit beyond what is included.
    #[serde(default)]
    pub unit_micros: i64,
}

const fn one() -> i64 {
    1
}

/// What compute costs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComputePrices {
    /// Taken off what compute costs in a billing cycle; what is left of it lapses.
    pub credit_micros: i64,
    /// The price of an hour of each instance type.
    pub hour_micros: BTreeMap<InstanceType, i64>,
}

const FILES: &[&str] = &[
    include_str!("../../plans/free.toml"),
    include_str!("../../plans/starter.toml"),
    include_str!("../../plans/pro.toml"),
    include_str!("../../plans/team.toml"),
    include_str!("../../plans/enterprise.toml"),
];

static PRICE_LISTS: LazyLock<BTreeMap<Plan, PriceList>> = LazyLock::new(|| {
    let read = |text: &&str| toml::from_str::<PriceList>(text).expect("a test reads every file");
    FILES.iter().map(read).map(|list| (list.plan, list)).collect()
});

/// The prices of a plan.
#[must_use]
pub fn price_list(plan: Plan) -> &'static PriceList {
    PRICE_LISTS.get(&plan).expect("a test finds a file for every plan")
}

/// The edition that holds on a day; none before the first.
#[must_use]
pub fn edition(plan: Plan, day: NaiveDate) -> Option<&'static Edition> {
    price_list(plan).editions.iter().rev().find(|edition| edition.effective_from <= day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_has_prices_that_can_be_used() {
        for &plan in Plan::ALL {
            let list = price_list(plan);
            assert_eq!(list.currency.len(), 3, "{plan}");
            assert!(list.editions.is_sorted_by(|a, b| a.effective_from < b.effective_from), "{plan}");
            for edition in &list.editions {
                assert!(edition.monthly_micros >= 0, "{plan}");
                assert!(
                    !edition.metrics.contains_key(&Metric::ComputeSeconds),
                    "{plan}: compute has prices of its own"
                );
                for (metric, price) in &edition.metrics {
                    assert!(price.unit > 0 && price.unit_micros >= 0 && price.included >= 0, "{plan} {metric}");
                }
                if let Some(compute) = &edition.compute {
                    let priced: Vec<_> = compute.hour_micros.keys().copied().collect();
                    assert_eq!(priced, InstanceType::ALL, "{plan} has a price for every instance type");
                }
            }
        }
        assert_eq!(FILES.len(), Plan::ALL.len());
    }

    #[test]
    fn an_edition_holds_until_the_next() {
        let day = |text: &str| text.parse::<NaiveDate>().expect("a date");
        assert!(edition(Plan::Pro, day("2025-12-31")).is_none());
        assert_eq!(edition(Plan::Pro, day("2026-01-01")).expect("the first").monthly_micros, 25_000_000);
    }
}
