//! The prices of each plan: those of `plans/*.toml`, unless the operator has lists of their own.

use std::{collections::BTreeMap, sync::OnceLock};

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

static PRICE_LISTS: OnceLock<BTreeMap<Plan, PriceList>> = OnceLock::new();

/// Why a price list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// It is no price list.
    #[error("it is not a price list")]
    Unreadable(#[from] toml::de::Error),
    /// A number or a date in it makes no sense.
    #[error("{0}")]
    Wrong(String),
    /// Somebody was told a price already, which must not change while this process runs.
    #[error("prices are in use already")]
    InUse,
}

impl PriceList {
    /// Reads and checks a list.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn read(text: &str) -> Result<Self, PriceError> {
        let list: Self = toml::from_str(text)?;
        list.check().map_err(PriceError::Wrong)?;
        Ok(list)
    }

    fn check(&self) -> Result<(), String> {
        if self.currency.len() != 3 || !self.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err("currency must be three capital letters, as in ISO 4217".to_owned());
        }
        if self.editions.is_empty() {
            return Err("there must be an edition".to_owned());
        }
        if !self.editions.is_sorted_by(|earlier, later| earlier.effective_from < later.effective_from) {
            return Err("editions must be in the order of their dates, one for a date".to_owned());
        }
        self.editions.iter().try_for_each(|edition| {
            edition.check().map_err(|wrong| format!("in the edition from {}, {wrong}", edition.effective_from))
        })
    }

    /// The edition that holds on a day; none before the first.
    #[must_use]
    pub fn edition(&self, day: NaiveDate) -> Option<&Edition> {
        self.editions.iter().rev().find(|edition| edition.effective_from <= day)
    }
}

impl Edition {
    fn check(&self) -> Result<(), String> {
        if self.monthly_micros < 0 {
            return Err("monthly_micros must not be negative".to_owned());
        }
        for (metric, price) in &self.metrics {
            if *metric == Metric::ComputeSeconds {
                return Err("compute has prices of its own, in [editions.compute]".to_owned());
            }
            if price.unit <= 0 || price.unit_micros < 0 || price.included < 0 {
                return Err(format!("{metric} must have a positive unit, and no negative price or included amount"));
            }
        }
        let Some(compute) = &self.compute else { return Ok(()) };
        if compute.credit_micros < 0 || compute.hour_micros.values().any(|price| *price < 0) {
            return Err("compute must have no negative price or credit".to_owned());
        }
        // What runs and has no price would be on no invoice.
        match InstanceType::ALL.iter().find(|instance| !compute.hour_micros.contains_key(*instance)) {
            Some(missing) => Err(format!("compute must have a price for {}", missing.as_str())),
            None => Ok(()),
        }
    }
}

/// Uses the operator's lists, each in place of the one of its plan. To be called before anybody asks for a price.
///
/// # Errors
/// Somebody has, or there are two lists of one plan.
pub fn use_price_lists(own: Vec<PriceList>) -> Result<(), PriceError> {
    let mut lists = built_in();
    let mut replaced = Vec::new();
    for list in own {
        if replaced.contains(&list.plan) {
            return Err(PriceError::Wrong(format!("there are two lists of the plan {}", list.plan)));
        }
        replaced.push(list.plan);
        lists.insert(list.plan, list);
    }
    PRICE_LISTS.set(lists).map_err(|_| PriceError::InUse)
}

fn built_in() -> BTreeMap<Plan, PriceList> {
    let read = |text: &&str| PriceList::read(text).expect("a test reads every file");
    FILES.iter().map(read).map(|list| (list.plan, list)).collect()
}

/// The prices of a plan.
#[must_use]
pub fn price_list(plan: Plan) -> &'static PriceList {
    PRICE_LISTS.get_or_init(built_in).get(&plan).expect("a test finds a file for every plan")
}

/// The edition of a plan that holds on a day; none before the first.
#[must_use]
pub fn edition(plan: Plan, day: NaiveDate) -> Option<&'static Edition> {
    price_list(plan).edition(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    const TWO_EDITIONS: &str = r#"
        plan = "pro"
        currency = "EUR"

        [[editions]]
        effective_from = "2026-01-01"
        monthly_micros = 25_000_000
        metrics = { egress_bytes = { included = 250_000_000_000, unit = 1_000_000_000, unit_micros = 90_000 } }

        [[editions]]
        effective_from = "2027-03-01"
        monthly_micros = 29_000_000
        metrics = { egress_bytes = { included = 250_000_000_000, unit = 1_000_000_000, unit_micros = 80_000 } }
    "#;

    #[test]
    fn every_plan_has_prices_that_can_be_used() {
        let lists = built_in();
        assert_eq!(lists.keys().copied().collect::<Vec<_>>(), Plan::ALL);
        assert_eq!(FILES.len(), Plan::ALL.len());
        assert_eq!(edition(Plan::Pro, day("2026-01-01")).expect("the first").monthly_micros, 25_000_000);
    }

    #[test]
    fn a_dearer_plan_includes_no_less() {
        let on = day("2026-01-01");
        for pair in [Plan::Free, Plan::Starter, Plan::Pro, Plan::Team].windows(2) {
            let [less, more] = [pair[0], pair[1]].map(|plan| edition(plan, on).expect("an edition"));
            assert!(less.monthly_micros < more.monthly_micros, "{pair:?}");
            for (metric, price) in &less.metrics {
                let included = more.metrics.get(metric).map_or(i64::MAX, |price| price.included);
                assert!(price.included <= included, "{pair:?}: {metric}");
            }
            let credit = |edition: &Edition| edition.compute.as_ref().map_or(0, |compute| compute.credit_micros);
            assert!(credit(less) <= credit(more), "{pair:?}");
            let hours = more.compute.iter().flat_map(|compute| compute.hour_micros.values());
            assert!(hours.is_sorted(), "a larger instance costs more");
        }
    }

    #[test]
    fn a_price_changes_on_the_day_of_its_edition() {
        let list = PriceList::read(TWO_EDITIONS).expect("a price list");
        let price = |on: &str| {
            let edition = list.edition(day(on))?;
            Some((edition.monthly_micros, edition.metrics[&Metric::EgressBytes].unit_micros))
        };
        assert_eq!(price("2025-12-31"), None);
        assert_eq!(price("2026-01-01"), Some((25_000_000, 90_000)));
        assert_eq!(price("2027-02-28"), Some((25_000_000, 90_000)));
        assert_eq!(price("2027-03-01"), Some((29_000_000, 80_000)));
        assert_eq!(price("2099-01-01"), Some((29_000_000, 80_000)));
    }

    #[test]
    fn a_list_that_makes_no_sense_is_refused_with_the_reason() {
        let refusal = |from: &str, to: &str| {
            assert!(TWO_EDITIONS.contains(from));
            PriceList::read(&TWO_EDITIONS.replace(from, to)).expect_err("refused").to_string()
        };
        assert!(refusal("EUR", "Euro").contains("ISO 4217"));
        assert!(refusal("2027-03-01", "2026-01-01").contains("order"));
        assert!(refusal("unit = 1_000_000_000", "unit = 0").contains("egress_bytes must have a positive unit"));
        assert!(refusal("29_000_000", "-1").contains("in the edition from 2027-03-01, monthly_micros"));
        assert!(refusal("egress_bytes", "compute_seconds").contains("[editions.compute]"));
        assert!(refusal("plan =", "paln =").contains("not a price list"));
        let compute = "[editions.compute]\ncredit_micros = 0\nhour_micros = { nano = 1 }";
        let refused = PriceList::read(&format!("{TWO_EDITIONS}\n{compute}")).expect_err("refused");
        assert!(refused.to_string().contains("a price for micro"), "{refused}");
    }
}
