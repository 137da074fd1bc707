//! Settings of the database advisor.

use std::str::FromStr as _;

use clap::Args;
use croner::Cron;

/// When the advisor looks by itself, and what it finds long.
#[derive(Clone, Debug, Args)]
pub struct Advisor {
    /// Cron expression of scheduled scans, UTC; `off` for none. By default once a night, at a minute that depends on the project.
    #[arg(long, env = "HEARTH_ADVISOR_SCHEDULE")]
    pub advisor_schedule: Option<String>,
    /// From how many seconds on an idle transaction or a running statement is a finding.
    #[arg(long, env = "HEARTH_ADVISOR_LONG_SECONDS", default_value_t = 300.0)]
    pub advisor_long_seconds: f64,
}

impl Advisor {
    /// The schedule; `None` for none.
    #[must_use]
    pub fn schedule(&self, project: &str) -> Option<Cron> {
        match self.advisor_schedule.as_deref().map(str::trim) {
            Some("off") => None,
            Some(text) if !text.is_empty() => Cron::from_str(text)
                .inspect_err(|error| tracing::warn!(%error, "HEARTH_ADVISOR_SCHEDULE is no cron expression; there are no scheduled scans"))
                .ok(),
            // Many projects share a machine: they do not all scan in the same minute.
            _ => {
                let minute = project.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 60;
                Cron::from_str(&format!("{minute} 3 * * *")).ok()
            }
        }
    }
}
