//! What was used since the last measurement and is not counted act by act: sizes and users.

use chrono::{DateTime, Utc};
use data_plane_contract::{postgres::DEVELOPER_ROLE, usage::Metric};
use ids::ProjectId;
use metering::Measured;

use super::active_users::{self, Series};
use crate::{http::Result, state::App};

/// Remembers when each thing was last measured.
pub(super) struct Measure {
    project_id: ProjectId,
    last: DateTime<Utc>,
    sizes_known: bool,
    /// Developers' sessions change the database unseen, so while there are any it is looked at each time.
    developers_there: bool,
    users_known: bool,
}

impl Measure {
    pub(super) fn new(app: &App, project_id: ProjectId) -> Self {
        Self { project_id, last: app.started_at, sizes_known: false, developers_there: false, users_known: false }
    }

    /// Sizes and users where they may have changed. `series` is the record that will be written next.
    pub(super) async fn take(&mut self, app: &App, series: &Series<'_>) -> Vec<Measured> {
        let (from, to) = (self.last, app.clock.now().max(self.last));
        self.last = app.clock.now();
        let mut measured: Vec<_> = self.users(app, series).await.into_iter().filter(|(_, users)| *users > 0).collect();
        measured.extend(self.sizes(app).await);
        let whole =
            |(metric, amount)| Measured { project_id: self.project_id, metric, instance_type: None, from, to, amount };
        measured.into_iter().map(whole).collect()
    }

    async fn sizes(&mut self, app: &App) -> Vec<(Metric, u64)> {
        let touched = app.activity.take_database_touched() | app.activity.take_storage_touched();
        self.developers_there |= app.activity.take_developers_there();
        if !touched && !self.developers_there && self.sizes_known {
            return Vec::new();
        }
        match read_sizes(app).await {
            Ok(Sizes { database, storage, developers_there }) => {
                self.sizes_known = true;
                self.developers_there = developers_there;
                vec![(Metric::DatabaseBytes, database), (Metric::StorageBytes, storage)]
            }
            Err(error) => {
                self.sizes_known = false;
                tracing::warn!(cause = error.message(), "the sizes of database and storage could not be measured");
                Vec::new()
            }
        }
    }

    async fn users(&mut self, app: &App, series: &Series<'_>) -> Option<(Metric, u64)> {
        if !app.activity.take_users_became_active() && self.users_known {
            return None;
        }
        let newly = active_users::claim(app, series).await;
        self.users_known = newly.is_ok();
        match newly {
            Ok(users) => Some((Metric::MonthlyActiveUsers, users)),
            Err(error) => {
                tracing::warn!(cause = error.message(), "active users could not be counted");
                None
            }
        }
    }
}

struct Sizes {
    database: u64,
    storage: u64,
    developers_there: bool,
}

async fn read_sizes(app: &App) -> Result<Sizes> {
    let client = app.pools.internal().await?;
    let row = client
        .query_one(
            "select pg_database_size(current_database()), (select coalesce(sum(size), 0)::int8 from storage.objects),
                    exists (select from pg_stat_activity where usename = $1)",
            &[&DEVELOPER_ROLE],
        )
        .await?;
    let size = |index| u64::try_from(row.get::<_, i64>(index)).unwrap_or(0);
    Ok(Sizes { database: size(0), storage: size(1), developers_there: row.get(2) })
}
