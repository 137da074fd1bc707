//! What reads the present state and converges, again and again, until it is told to stop.

use std::{future::Future, time::Duration};

use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::activities::Outcome;

/// A running reconciler.
#[derive(Debug)]
pub struct Reconciler {
    name: &'static str,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Reconciler {
    /// Runs `rounds` until it sees that it is to stop.
    pub fn start<F>(name: &'static str, rounds: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = tokio::spawn(rounds(stop.clone()));
        Self { name, stop, task }
    }

    /// Runs a round every so often. A round that fails is told of, and the next one goes on; one that is under way at the end is dropped.
    pub fn every<F>(name: &'static str, pause: Duration, mut round: impl FnMut() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        Self::start(name, move |stop| async move {
            let rounds = async {
                loop {
                    sleep(pause).await;
                    if let Err(error) = round().await {
                        tracing::warn!(
                            reconciler = name,
                            error = telemetry::chain(&error),
                            "a round was cut short; the next one goes on"
                        );
                    }
                }
            };
            stop.run_until_cancelled(rounds).await.unwrap_or(());
        })
    }

    /// Ends it; what it was doing is done again next time.
    pub async fn shutdown(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(
                reconciler = self.name,
                error = telemetry::chain(&error),
                "a reconciler did not stop in order"
            );
        }
    }
}
