//! What was used since the last measurement.

use chrono::{DateTime, Utc};
use data_plane_contract::usage::Metric;

use crate::state::App;

/// One measurement, not yet numbered.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) metric: Metric,
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
    pub(super) amount: i64,
}

/// Remembers when each thing was last measured.
pub(super) struct Measure {
    last: DateTime<Utc>,
    /// Part of a second not yet reported, in milliseconds.
    rest_millis: i64,
    sizes_known: bool,
}

impl Measure {
    pub(super) fn new(app: &App) -> Self {
        Self { last: app.started_at, rest_millis: 0, sizes_known: false }
    }

    /// Time up, calls made, and sizes where they may have changed.
    pub(super) async fn take(&mut self, app: &App) -> Vec<Measured> {
        let (from, to) = (self.last, app.clock.now().max(self.last));
        self.last = to;
        let millis = (to - from).num_milliseconds() + self.rest_millis;
        self.rest_millis = millis % 1000;
        let calls = i64::try_from(app.activity.take_function_calls()).unwrap_or(i64::MAX);
        let mut amounts = vec![(Metric::ComputeSeconds, millis / 1000), (Metric::FunctionCalls, calls)];
        amounts.retain(|(_, amount)| *amount > 0);
        amounts.extend(self.sizes(app).await);
        amounts.into_iter().map(|(metric, amount)| Measured { metric, from, to, amount }).collect()
    }

    async fn sizes(&mut self, app: &App) -> Vec<(Metric, i64)> {
        let touched = app.activity.take_database_touched() | app.activity.take_storage_touched();
        if !touched && self.sizes_known {
            return Vec::new();
        }
        match read_sizes(app).await {
            Ok(sizes) => {
                self.sizes_known = true;
                sizes
            }
            Err(error) => {
                self.sizes_known = false;
                tracing::warn!(cause = error.message(), "the sizes of database and storage could not be measured");
                Vec::new()
            }
        }
    }
}

async fn read_sizes(app: &App) -> crate::http::Result<Vec<(Metric, i64)>> {
    let client = app.pools.internal().await?;
    let row = client
        .query_one(
            "select pg_database_size(current_database()), (select coalesce(sum(size), 0)::int8 from storage.objects)",
            &[],
        )
        .await?;
    Ok(vec![(Metric::DatabaseBytes, row.get(0)), (Metric::StorageBytes, row.get(1))])
}
