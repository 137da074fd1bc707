//! Prints the numbers of docs/ARCHITECTURE.md with their targets, measured on clouds started for it. Ratios are taken in the same run.

mod branches;
mod gateway;
mod memory;
mod merge;
mod projects;
mod records;
mod report;
mod tools;
mod usage;

use clap::Parser;

use crate::report::Report;

/// What to measure.
#[derive(Debug, Parser)]
#[command(about = "Measures Hearth against the numbers it has to reach")]
struct Settings {
    /// Only these: create, branch, wake, merge, memory, gateway, records, usage.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Sizes of the branched databases in GB.
    #[arg(long, value_delimiter = ',', default_value = "0.1,1,5")]
    sizes: Vec<f64>,
    /// Repetitions of each measurement.
    #[arg(long, default_value_t = 10)]
    runs: usize,
    /// Seconds of each throughput measurement.
    #[arg(long, default_value_t = 8)]
    seconds: u32,
    /// Projects in the control database while reports are measured, each with 31 days of usage.
    #[arg(long, default_value_t = 1_000_000)]
    projects: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Settings {
    fn wants(&self, what: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == what)
    }
}

#[tokio::main]
async fn main() {
    let settings = Settings::parse();
    let mut report = Report::default();
    if settings.wants("create") {
        projects::create(&settings, &mut report).await;
    }
    if settings.wants("branch") {
        branches::measure(&settings, &mut report).await;
    }
    if settings.wants("wake") {
        projects::wake(&settings, &mut report).await;
    }
    if settings.wants("merge") {
        merge::measure(&mut report).await;
    }
    if settings.wants("memory") {
        memory::measure(&mut report).await;
    }
    if settings.wants("gateway") {
        gateway::measure(&settings, &mut report).await;
    }
    if settings.wants("records") {
        records::measure(&settings, &mut report).await;
    }
    if settings.wants("usage") {
        usage::measure(&settings, &mut report).await;
    }
    report.print();
}
