//! An invoice: what the usage of a billing cycle costs by a plan's prices, line by line, and how each line is shared by projects.

use std::collections::BTreeMap;

use super::{Edition, split};
use crate::{instances::InstanceType, usage::Metric};

const HOUR_SECONDS: i64 = 3600;

/// Usage by metric; compute by instance type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Counters as sums; gauges on the day on which their total was largest.
    pub metrics: BTreeMap<Metric, i64>,
    /// Seconds.
    pub compute: BTreeMap<InstanceType, i64>,
}

/// Who used a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<P> {
    /// The project; none for what is no project's.
    pub project: Option<P>,
    /// What it used.
    pub used: Used,
}

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bill {
    /// The plan itself.
    Plan,
    /// A metric.
    Metric(Metric),
    /// Compute of an instance type.
    Compute(InstanceType),
    /// The credit that the plan has for compute.
    ComputeCredit,
}

/// How a quantity became an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priced {
    /// What was used.
    pub quantity: i64,
    /// What of it the plan includes.
    pub included: i64,
    /// What is beyond that.
    pub billable: i64,
    /// How much of it the price is for.
    pub unit: i64,
    /// The price of one unit.
    pub unit_micros: i64,
}

/// A part's share of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which of the parts, by its place.
    pub part: usize,
    /// What it used.
    pub quantity: i64,
    /// What that costs.
    pub amount_micros: i64,
}

/// One line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is for.
    pub bill: Bill,
    /// How it was reckoned.
    pub priced: Priced,
    /// What it costs; negative for a credit.
    pub amount_micros: i64,
    /// How it is shared; empty for what is the whole organization's. Shares sum to the line's quantity and amount.
    pub shares: Vec<Share>,
}

/// What a billing cycle costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice<P> {
    /// In a fixed order. Their amounts sum to the total.
    pub lines: Vec<Line>,
    /// Who used it, in the order in which they were given; empty when it is not asked for.
    pub parts: Vec<Part<P>>,
    /// What it costs in all.
    pub total_micros: i64,
}

/// Reckons an invoice. `parts` sum to `total`, or are empty.
#[must_use]
pub fn invoice<P>(edition: &Edition, total: &Used, parts: Vec<Part<P>>) -> Invoice<P> {
    let shares = |amount: i64, of: &dyn Fn(&Used) -> i64| {
        let quantities: Vec<i64> = parts.iter().map(|part| of(&part.used)).collect();
        let amounts = split(amount, &quantities);
        let shares = quantities.into_iter().zip(amounts).enumerate();
        shares
            .filter(|(_, (quantity, _))| *quantity != 0)
            .map(|(part, (quantity, amount_micros))| Share { part, quantity, amount_micros })
            .collect::<Vec<_>>()
    };
    let once = Priced { quantity: 1, included: 0, billable: 1, unit: 1, unit_micros: edition.monthly_micros };
    let mut lines =
        vec![Line { bill: Bill::Plan, priced: once, amount_micros: edition.monthly_micros, shares: Vec::new() }];
    for (&metric, price) in &edition.metrics {
        let of = |used: &Used| used.metrics.get(&metric).copied().unwrap_or(0);
        let priced = Priced::new(of(total), price.included, price.unit, price.unit_micros);
        let amount_micros = priced.amount();
        lines.push(Line { bill: Bill::Metric(metric), priced, amount_micros, shares: shares(amount_micros, &of) });
    }
    if let Some(compute) = &edition.compute {
        let first = lines.len();
        for (&instance_type, &hour_micros) in &compute.hour_micros {
            let of = |used: &Used| used.compute.get(&instance_type).copied().unwrap_or(0);
            let priced = Priced::new(of(total), 0, HOUR_SECONDS, hour_micros);
            if priced.quantity > 0 {
                let amount_micros = priced.amount();
                let bill = Bill::Compute(instance_type);
                lines.push(Line { bill, priced, amount_micros, shares: shares(amount_micros, &of) });
            }
        }
        let cost: i64 = lines[first..].iter().map(|line| line.amount_micros).sum();
        lines.extend(credit(compute.credit_micros.min(cost), &lines[first..], parts.len()));
    }
    let total_micros = lines.iter().map(|line| line.amount_micros).sum();
    Invoice { lines, parts, total_micros }
}

/// A credit, shared as the lines are that it is taken off from.
fn credit(micros: i64, off: &[Line], parts: usize) -> Option<Line> {
    if micros == 0 {
        return None;
    }
    let mut costs = vec![0; parts];
    for share in off.iter().flat_map(|line| &line.shares) {
        costs[share.part] += share.amount_micros;
    }
    let amounts = split(-micros, &costs);
    let shares = amounts.into_iter().zip(&costs).enumerate().filter(|(_, (_, cost))| **cost != 0);
    let shares =
        shares.map(|(part, (amount_micros, _))| Share { part, quantity: amount_micros, amount_micros }).collect();
    let priced = Priced { quantity: -micros, included: 0, billable: -micros, unit: 1, unit_micros: 1 };
    Some(Line { bill: Bill::ComputeCredit, priced, amount_micros: -micros, shares })
}

impl Priced {
    fn new(quantity: i64, included: i64, unit: i64, unit_micros: i64) -> Self {
        let billable = if unit_micros == 0 { 0 } else { (quantity - included).max(0) };
        Self { quantity, included, billable, unit, unit_micros }
    }

    /// Rounded half up to a whole micro-unit.
    fn amount(&self) -> i64 {
        let (billable, unit) = (i128::from(self.billable), i128::from(self.unit));
        let exact = billable * i128::from(self.unit_micros);
        i64::try_from((2 * exact + unit) / (2 * unit)).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{billing::edition, limits::Plan};

    fn pro() -> &'static Edition {
        edition(Plan::Pro, "2026-11-01".parse().expect("a date")).expect("pro has prices")
    }

    fn used(metrics: &[(Metric, i64)], compute: &[(InstanceType, i64)]) -> Used {
        Used { metrics: metrics.iter().copied().collect(), compute: compute.iter().copied().collect() }
    }

    #[test]
    fn an_invoice_is_reckoned_by_the_documented_prices() {
        let total = used(
            &[
                (Metric::MonthlyActiveUsers, 100_010),
                (Metric::EgressBytes, 251_500_000_000),
                (Metric::FunctionCalls, 7),
            ],
            &[(InstanceType::Nano, 3600 * 720), (InstanceType::Xl16, 3600 * 10)],
        );
        let invoice = invoice::<()>(pro(), &total, Vec::new());
        let of = |bill| invoice.lines.iter().find(|line| line.bill == bill).map(|line| line.amount_micros);
        assert_eq!(of(Bill::Plan), Some(25_000_000));
        assert_eq!(of(Bill::Metric(Metric::MonthlyActiveUsers)), Some(32_500));
        assert_eq!(of(Bill::Metric(Metric::EgressBytes)), Some(135_000));
        assert_eq!(of(Bill::Metric(Metric::FunctionCalls)), Some(0));
        assert_eq!(of(Bill::Compute(InstanceType::Nano)), Some(7_200_000));
        assert_eq!(of(Bill::Compute(InstanceType::Xl16)), Some(51_200_000));
        assert_eq!(of(Bill::ComputeCredit), Some(-10_000_000));
        assert_eq!(of(Bill::Compute(InstanceType::Small)), None, "what did not run has no line");
        assert_eq!(invoice.total_micros, 25_000_000 + 32_500 + 135_000 + 7_200_000 + 51_200_000 - 10_000_000);
    }

    #[test]
    fn a_line_is_rounded_half_up_once() {
        let calls = |quantity| Priced::new(quantity, 0, 2_000, 1).amount();
        assert_eq!([calls(999), calls(1_000), calls(2_999), calls(3_000)], [0, 1, 1, 2]);
        assert_eq!(Priced::new(10, 20, 1, 5).amount(), 0);
    }

    proptest! {
        #[test]
        fn shares_sum_to_lines_and_lines_to_the_total(
            parts in prop::collection::vec((0..1_i64 << 45, 0..1_i64 << 20, 0..1_i64 << 24, 0..1_i64 << 20), 1..12)
        ) {
            let parts: Vec<Part<usize>> = parts.iter().enumerate().map(|(place, &(bytes, calls, nano, large))| Part {
                project: Some(place),
                used: used(
                    &[(Metric::EgressBytes, bytes), (Metric::DatabaseBytes, bytes / 3), (Metric::FunctionCalls, calls)],
                    &[(InstanceType::Nano, nano), (InstanceType::Large, large)],
                ),
            }).collect();
            let mut total = Used::default();
            for part in &parts {
                for (&metric, amount) in &part.used.metrics {
                    *total.metrics.entry(metric).or_insert(0) += amount;
                }
                for (&instance, amount) in &part.used.compute {
                    *total.compute.entry(instance).or_insert(0) += amount;
                }
            }
            let invoice = invoice(pro(), &total, parts);
            let sum: i64 = invoice.lines.iter().map(|line| line.amount_micros).sum();
            prop_assert_eq!(sum, invoice.total_micros);
            for line in invoice.lines.iter().filter(|line| line.bill != Bill::Plan) {
                let shared: i64 = line.shares.iter().map(|share| share.amount_micros).sum();
                prop_assert_eq!(shared, line.amount_micros, "{:?}", line.bill);
                let quantity: i64 = line.shares.iter().map(|share| share.quantity).sum();
                prop_assert_eq!(quantity, line.priced.quantity, "{:?}", line.bill);
            }
        }
    }
}
