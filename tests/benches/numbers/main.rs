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

use std::{panic::AssertUnwindSafe, process::ExitCode, time::Duration};

use clap::Parser;
use futures::FutureExt as _;

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
    /// Longest time of each of them; what takes longer is given up at its next step.
    #[arg(long, default_value_t = 30)]
    part_minutes: u64,
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
async fn main() -> ExitCode {
    let settings = Settings::parse();
    let mut run = Run { settings: &settings, report: Report::default(), whole: true };
    run.part("create", projects::create).await;
    run.part("branch", branches::measure).await;
    run.part("wake", projects::wake).await;
    run.part("merge", async |_, report| merge::measure(report).await).await;
    run.part("memory", async |_, report| memory::measure(report).await).await;
    run.part("gateway", gateway::measure).await;
    run.part("records", records::measure).await;
    run.part("usage", usage::measure).await;
    run.report.print();
    if run.whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures part after part; one that fails or does not end costs no other its numbers.
struct Run<'s> {
    settings: &'s Settings,
    report: Report,
    whole: bool,
}

impl<'s> Run<'s> {
    async fn part(&mut self, name: &str, measure: impl AsyncFnOnce(&'s Settings, &mut Report)) {
        if !self.settings.wants(name) {
            return;
        }
        let minutes = self.settings.part_minutes;
        let measured = AssertUnwindSafe(measure(self.settings, &mut self.report)).catch_unwind();
        let failure = match tokio::time::timeout(Duration::from_secs(minutes * 60), measured).await {
            Ok(Ok(())) => return,
            Ok(Err(_)) => "it failed, see above".to_owned(),
            Err(_) => format!("it takes longer than {minutes} minutes"),
        };
        self.report.skip(name, &failure);
        self.whole = false;
    }
}
