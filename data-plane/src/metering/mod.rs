//! Usage records: what this project used, numbered without gaps, kept on disk until the control plane has them.
//!
//! Nothing is asked of Postgres while nothing happens, so an idle project stays idle.

mod measure;
mod shipping;
mod spool;

use std::{sync::Arc, time::Duration};

use data_plane_contract::usage::{UsageAccepted, UsageBatch};
use tokio_util::sync::CancellationToken;

use self::{measure::Measure, shipping::Shipping, spool::Spool};
use crate::state::App;

/// How long after something happened it is measured: what comes in a burst is measured once.
const AFTER_ACTIVITY: Duration = Duration::from_secs(2);
/// Without activity, how often the time that the process is up is recorded.
const AT_REST: Duration = Duration::from_secs(60);
/// Pause after the control plane could not be reached.
const RETRY: Duration = Duration::from_secs(5);

/// Measures and reports until cancelled, then once more, so that the last seconds are on disk. Does nothing for a process that was not
/// told where its usage goes.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let Some(shipping) = Shipping::new(&app) else { return };
    let Some(folder) = app.config.state_dir.as_ref().map(|folder| folder.join("usage")) else { return };
    let Some(project_id) = app.config.project_id.as_deref().and_then(|id| id.parse().ok()) else { return };
    let mut spool = match Spool::open(&folder, project_id) {
        Ok(spool) => spool,
        Err(error) => {
            tracing::error!(cause = telemetry::chain(&error), folder = %folder.display(), "usage cannot be recorded");
            return;
        }
    };
    let mut measure = Measure::new(&app);
    let mut next = AFTER_ACTIVITY;
    while stop.run_until_cancelled(pause(&app, next)).await.is_some() {
        record(&app, &mut measure, &mut spool).await;
        next = if ship(&shipping, &mut spool).await { AT_REST } else { RETRY };
    }
    record(&app, &mut measure, &mut spool).await;
    ship(&shipping, &mut spool).await;
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

async fn record(app: &App, measure: &mut Measure, spool: &mut Spool) {
    let measured = measure.take(app).await;
    if let Err(error) = spool.append(measured) {
        tracing::error!(cause = telemetry::chain(&error), "usage could not be written to disk");
    }
}

/// Sends what waits; false when the control plane did not take it.
async fn ship(shipping: &Shipping, spool: &mut Spool) -> bool {
    loop {
        let records = spool.waiting();
        if records.is_empty() && spool.numbered() {
            return true;
        }
        let batch = UsageBatch { source: shipping.source().to_owned(), records };
        let accepted = match shipping.send(&batch).await {
            Ok(UsageAccepted { sequence }) => sequence,
            Err(error) => {
                tracing::warn!(cause = telemetry::chain(&error), "usage records wait on disk");
                return false;
            }
        };
        match spool.accepted(accepted) {
            Ok(true) => {}
            Ok(false) => {
                tracing::error!(accepted, "the control plane lacks usage records that are no longer on disk");
                return false;
            }
            Err(error) => {
                tracing::error!(cause = telemetry::chain(&error), "usage could not be written to disk");
                return false;
            }
        }
    }
}
