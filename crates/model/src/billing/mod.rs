//! What usage costs: prices as data with effective dates, and invoices whose lines sum exactly.
//!
//! Money is whole micro-units, millionths of the currency. One rule rounds: a line is what goes beyond the included amount times the unit
//! price divided by the unit, rounded once, half up, to a whole micro-unit. An invoice's total is the sum of its lines; nothing else is
//! rounded. A line is split among projects in proportion to their usage, so that the shares sum to the line (see [`split`]).

mod invoice;
mod prices;

use chrono::NaiveDate;

use crate::limits::Plan;

pub use invoice::{Bill, Invoice, Line, Part, Priced, Share, Used, invoice};
pub use prices::{ComputePrices, Edition, MetricPrice, PriceError, PriceList, edition, price_list, use_price_lists};

/// What usage of a period that begins on a day costs beyond the plan's own price.
#[must_use]
pub fn beyond_plan(plan: Plan, used: &Used, start: NaiveDate) -> i64 {
    let costs = |edition: &Edition| invoice::<()>(edition, used, Vec::new()).total_micros - edition.monthly_micros;
    edition(plan, start).map_or(0, costs)
}

/// Divides an amount by weights so that the shares sum to it: each rounded towards zero, and what is left given by one micro-unit to those
/// with the largest remainders, the earlier of equals first. Without weights there are no shares.
#[must_use]
pub fn split(amount: i64, weights: &[i64]) -> Vec<i64> {
    let total: i128 = weights.iter().map(|&weight| i128::from(weight)).sum();
    if total <= 0 {
        return vec![0; weights.len()];
    }
    let (sign, magnitude) = (amount.signum(), i128::from(amount.unsigned_abs()));
    let exact = |weight: i64| magnitude * i128::from(weight);
    let mut shares: Vec<i128> = weights.iter().map(|&weight| exact(weight) / total).collect();
    let mut left = magnitude - shares.iter().sum::<i128>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(exact(weights[index]) % total), index));
    for index in order {
        if left == 0 {
            break;
        }
        shares[index] += 1;
        left -= 1;
    }
    shares.into_iter().map(|share| sign * i64::try_from(share).unwrap_or(i64::MAX)).collect()
}

/// An amount of micro-units as people read it, rounded half up to cents.
#[must_use]
pub fn display(currency: &str, micros: i64) -> String {
    let cents = (i128::from(micros.unsigned_abs()) + 5_000) / 10_000;
    let sign = if micros < 0 && cents > 0 { "-" } else { "" };
    let text = format!("{}.{:02}", cents / 100, cents % 100);
    if currency == "USD" { format!("{sign}${text}") } else { format!("{sign}{text} {currency}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_left_goes_to_the_largest_remainders() {
        assert_eq!(split(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(split(-100, &[1, 1, 1]), [-34, -33, -33]);
        assert_eq!(split(10, &[0, 6, 1]), [0, 9, 1]);
        assert_eq!(split(5, &[0, 0]), [0, 0]);
        assert_eq!(split(5, &[]), [0; 0]);
    }

    #[test]
    fn cents_are_rounded_for_reading_only() {
        assert_eq!(display("USD", 25_000_000), "$25.00");
        assert_eq!(display("USD", 1_004_999), "$1.00");
        assert_eq!(display("USD", -1_005_000), "-$1.01");
        assert_eq!(display("EUR", -4_999), "0.00 EUR");
    }

    proptest! {
        #[test]
        fn shares_sum_to_the_amount(amount in any::<i64>(), weights in prop::collection::vec(0..=i64::MAX / 64, 1..40)) {
            prop_assume!(amount != i64::MIN && weights.iter().any(|&weight| weight > 0));
            let shares = split(amount, &weights);
            prop_assert_eq!(shares.iter().map(|&share| i128::from(share)).sum::<i128>(), i128::from(amount));
            prop_assert!(shares.iter().all(|share| share.signum() * amount.signum() >= 0));
        }
    }
}
