//! Sends the spool to the control plane and forgets what it has stored. While it is down the spool grows and traffic flows on.

use std::{io, sync::Arc, time::Duration};

use data_plane_contract::usage::{UsageAccepted, UsageBatch};
use http::StatusCode;
use metering::NotTaken;
use secrecy::ExposeSecret as _;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Meter;
use crate::{config::UsageTarget, error::Error};

const BATCH: usize = 1000;
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The way to the control plane.
pub(crate) struct Shipping {
    client: reqwest::Client,
    url: String,
    target: UsageTarget,
}

/// Why a batch did not arrive.
#[derive(Debug, thiserror::Error)]
enum ShipError {
    #[error("the spool cannot be read")]
    Spool(#[source] io::Error),
    #[error("the control plane is not reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the control plane answered {0}")]
    Refused(StatusCode),
    #[error("the batch is not done with")]
    NotTaken(#[source] NotTaken),
}

impl Shipping {
    pub(crate) fn new(target: UsageTarget) -> Result<Self, Error> {
        let client =
            reqwest::Client::builder().timeout(REQUEST_LIMIT).no_proxy().build().map_err(Error::UsageClient)?;
        let url = format!("{}/internal/v1/usage-records", target.control_plane_url.trim_end_matches('/'));
        Ok(Self { client, url, target })
    }

    /// Ships whatever is flushed until `stopping`.
    pub(crate) async fn run(self: Arc<Self>, meter: Arc<Meter>, stopping: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        let mut failing = false;
        loop {
            let shipped = tokio::select! {
                shipped = self.ship_all(&meter) => shipped,
                () = stopping.cancelled() => return,
            };
            let wait = async {
                match &shipped {
                    Ok(()) => meter.flushed.notified().await,
                    Err(_) => sleep(pause).await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = stopping.cancelled() => return,
            }
            match shipped {
                Ok(()) => {
                    if failing {
                        tracing::info!("usage records are shipped again");
                    }
                    failing = false;
                    pause = FIRST_PAUSE;
                }
                Err(error) => {
                    if !failing {
                        tracing::warn!(error = %telemetry::chain(&error), "usage records are not shipped; they wait on disk");
                    }
                    failing = true;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// One last attempt, when the gateway stops.
    pub(crate) async fn finish(&self, meter: &Arc<Meter>, limit: Duration) {
        if !matches!(tokio::time::timeout(limit, self.ship_all(meter)).await, Ok(Ok(()))) {
            tracing::debug!("usage records stay on disk for the next start");
        }
    }

    async fn ship_all(&self, meter: &Arc<Meter>) -> Result<(), ShipError> {
        loop {
            let batch = meter.with_spool(|spool| spool.batch(BATCH)).await.map_err(ShipError::Spool)?;
            let Some(batch) = batch else { return Ok(()) };
            let accepted = self.send(&batch).await?;
            let taken = meter.with_spool(move |spool| Ok(spool.taken(&batch, &accepted)));
            taken.await.map_err(ShipError::Spool)?.map_err(ShipError::NotTaken)?;
        }
    }

    async fn send(&self, batch: &UsageBatch) -> Result<UsageAccepted, ShipError> {
        let request = self.client.post(&self.url).bearer_auth(self.target.token.expose_secret()).json(batch);
        let response = request.send().await.map_err(ShipError::Unreachable)?;
        if !response.status().is_success() {
            return Err(ShipError::Refused(response.status()));
        }
        response.json().await.map_err(ShipError::Unreachable)
    }
}
