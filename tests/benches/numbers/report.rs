//! Collects measurements and prints them beside their targets.

use std::time::Duration;

/// Rows of the table.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<[String; 4]>);

impl Report {
    /// Adds a row; `met` is absent where there is no target.
    pub(crate) fn add(
        &mut self,
        what: impl Into<String>,
        measured: impl Into<String>,
        target: impl Into<String>,
        met: Option<bool>,
    ) {
        let verdict = match met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        let row = [what.into(), measured.into(), target.into(), verdict.to_owned()];
        eprintln!("{}: {} (target: {}) {}", row[0], row[1], row[2], row[3]);
        self.0.push(row);
    }

    /// Adds median and 99th percentile of some times.
    pub(crate) fn add_times(&mut self, what: &str, times: &[Duration], p50: u64, p99: Option<u64>) {
        let (median, worst) = (percentile(times, 50), percentile(times, 99));
        let met = median <= u128::from(p50) && p99.is_none_or(|limit| worst <= u128::from(limit));
        let target = match p99 {
            Some(p99) => format!("p50 ≤ {p50} ms, p99 ≤ {p99} ms"),
            None => format!("p50 ≤ {p50} ms"),
        };
        self.add(what, format!("p50 {median} ms, p99 {worst} ms, n={}", times.len()), target, Some(met));
    }

    /// Adds something that could not be measured here.
    pub(crate) fn skip(&mut self, what: &str, why: &str) {
        self.add(what, format!("not measured: {why}"), "", None);
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        let heads = ["what", "measured", "target", ""].map(str::to_owned);
        let width = |column: usize| {
            std::iter::once(&heads).chain(&self.0).map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths = [width(0), width(1), width(2), width(3)];
        println!();
        for row in std::iter::once(&heads).chain(&self.0) {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            println!("| {} |", cells.join(" | "));
        }
    }
}

/// In milliseconds, by nearest rank.
pub(crate) fn percentile(times: &[Duration], percent: usize) -> u128 {
    let mut sorted = times.to_vec();
    sorted.sort();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(0, Duration::as_millis)
}
