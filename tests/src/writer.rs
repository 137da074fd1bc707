//! A client that never stops inserting: proof that an operation beside it neither blocks nor loses a write.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::DataPlane;

/// Inserts in the background until stopped.
#[derive(Debug)]
pub struct Writer {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Report>,
}

/// What a writer saw.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Inserts that were confirmed.
    pub accepted: i64,
    /// Everything else, described.
    pub failures: Vec<String>,
    /// The longest time one insert took.
    pub slowest: Duration,
}

impl Writer {
    /// Inserts `row(1)`, `row(2)`, … into a table, one after the other.
    pub fn start(data_plane: DataPlane, table: &str, row: impl Fn(i64) -> Value + Send + 'static) -> Self {
        let (stop, table) = (Arc::new(AtomicBool::new(false)), table.to_owned());
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut report = Report::default();
            for number in 1.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let begun = Instant::now();
                match data_plane.try_insert(&table, &row(number)).await {
                    Ok(reply) if reply.status == 201 => report.accepted += 1,
                    Ok(reply) => report.failures.push(format!("row {number}: {} {}", reply.status, reply.text)),
                    Err(error) => report.failures.push(format!("row {number}: {error:?}")),
                }
                report.slowest = report.slowest.max(begun.elapsed());
                // Leaves the machine to what is being tested.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            report
        });
        Self { stop, task }
    }

    /// Stops after the insert under way and reports.
    ///
    /// # Panics
    /// When the writer itself has failed.
    pub async fn stop(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the writer reports failures, it does not fail")
    }
}
