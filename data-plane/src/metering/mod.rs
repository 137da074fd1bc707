//! Usage records: what this project used, numbered without gaps, kept on disk until the control plane has them.
//!
//! Nothing is asked of Postgres while nothing happens, so an idle project stays idle.

mod active_users;
mod measure;
mod shipping;

use std::{sync::Arc, time::Duration};

use metering::{Journal, Ledger, NotTaken, OwnRun};
use tokio_util::sync::CancellationToken;

use self::{active_users::Series, measure::Measure, shipping::Shipping};
use crate::state::App;

pub use self::active_users::ActiveUsers;
pub(crate) use self::active_users::note as note_active_user;

/// How long after something happened it is measured: what comes in a burst is measured once.
const AFTER_ACTIVITY: Duration = Duration::from_secs(2);
/// Without activity, how often the time that the process is up is recorded.
const AT_REST: Duration = Duration::from_secs(60);
/// Pause after the control plane could not be reached.
const RETRY: Duration = Duration::from_secs(5);
/// Records sent at once.
const BATCH: usize = 500;

/// Where this project's usage is kept and goes.
pub struct Metering {
    ledger: Ledger,
    journal: Journal,
    measure: Measure,
    shipping: Shipping,
}

impl Metering {
    /// Opens what is on disk, so that acts are counted from now on. None for a process that was not told where its usage goes.
    pub fn open(app: &App) -> Option<Self> {
        let shipping = Shipping::new(app)?;
        let folder = app.config.state_dir.as_ref().map(|folder| folder.join("usage"))?;
        let project_id = app.config.project_id.as_deref().and_then(|id| id.parse().ok())?;
        let opened = Ledger::open(&folder, &format!("data-plane:{project_id}"), app.clock.now());
        match opened {
            Ok((mut ledger, journal)) => {
                ledger.count_runs(project_id, own_run(app));
                app.activity.count_in(journal.counts(project_id));
                Some(Self { ledger, journal, measure: Measure::new(app, project_id), shipping })
            }
            Err(error) => {
                tracing::error!(cause = telemetry::chain(&error), folder = %folder.display(), "usage cannot be recorded");
                None
            }
        }
    }

    /// Measures and reports until cancelled, then once more, so that nothing is left to count but the moment in which the process ends.
    pub async fn run(mut self, app: Arc<App>, stop: CancellationToken) {
        let mut next = AFTER_ACTIVITY;
        while stop.run_until_cancelled(pause(&app, next)).await.is_some() {
            self.record(&app).await;
            next = if self.ship().await { AT_REST } else { RETRY };
        }
        // Developers' own sessions do not pass through this process, so whatever it saw, the size may have changed.
        app.activity.database_changed();
        self.record(&app).await;
        self.ship().await;
    }

    async fn record(&mut self, app: &App) {
        let (source, next) = {
            let spool = self.ledger.spool();
            (spool.source().to_owned(), spool.last() + 1)
        };
        let measured = self.measure.take(app, &Series { source: &source, next }).await;
        if let Err(error) = self.ledger.flush(&self.journal, app.clock.now(), measured) {
            tracing::error!(cause = telemetry::chain(&error), "usage could not be written to disk");
        }
    }

    /// Sends what waits; false when the control plane did not take it.
    async fn ship(&mut self) -> bool {
        loop {
            let batch = match self.ledger.spool().batch(BATCH) {
                Ok(Some(batch)) => batch,
                Ok(None) => return true,
                Err(error) => {
                    tracing::error!(cause = telemetry::chain(&error), "usage records could not be read from disk");
                    return false;
                }
            };
            let accepted = match self.shipping.send(&batch).await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(cause = telemetry::chain(&error), "usage records wait on disk");
                    return false;
                }
            };
            match self.ledger.spool().taken(&batch, &accepted) {
                Ok(()) => {}
                Err(NotTaken::NoProgress(_)) => return false,
                Err(error) => {
                    tracing::error!(cause = telemetry::chain(&error), "usage records were delivered in vain");
                    return false;
                }
            }
        }
    }
}

/// This process, whose time is counted under the instance type it was started with.
fn own_run(app: &App) -> Option<OwnRun> {
    let instance_type = app.config.instance_type.clone().filter(|name| !name.is_empty());
    OwnRun::of_this_process(instance_type)
        .inspect_err(|error| {
            tracing::error!(cause = telemetry::chain(error), "the time that this process runs is not counted")
        })
        .ok()
}

/// Until something happened and settled, or `longest` passed.
async fn pause(app: &App, longest: Duration) {
    let settled = async {
        app.activity.happened().await;
        tokio::time::sleep(AFTER_ACTIVITY).await;
    };
    // Either way it is time to measure.
    let _elapsed = tokio::time::timeout(longest, settled).await;
}
