//! Users who were signed in this month, each counted once.
//!
//! A user's first sign-in of a calendar month leaves a row. A measurement claims the rows that nobody has, under the number that its records
//! will begin with, before they are written. After a crash in between, that number was never given, and the rows are free again.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use deadpool_postgres::ClientWrapper;
use uuid::Uuid;

use crate::{http::Result, state::App};

/// Users remembered without asking Postgres.
const REMEMBERED_MAX: usize = 50_000;

/// The records under which users are claimed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series<'a> {
    /// Whose numbers.
    pub(super) source: &'a str,
    /// The first number that is not given yet.
    pub(super) next: i64,
}

/// Users whose row of the month is known to be there.
#[derive(Debug, Default)]
pub struct ActiveUsers(Mutex<(Option<NaiveDate>, HashSet<Uuid>)>);

impl ActiveUsers {
    fn knows(&self, month: NaiveDate, id: Uuid) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != Some(month) {
            *known = (Some(month), HashSet::new());
        }
        known.1.contains(&id)
    }

    fn remember(&self, month: NaiveDate, id: Uuid) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 == Some(month) && known.1.len() < REMEMBERED_MAX {
            known.1.insert(id);
        }
    }
}

/// Notes that a user has a session. A failure to do so is no reason to refuse them.
pub(crate) async fn note(app: &App, client: &ClientWrapper, id: Uuid) {
    let month = month_of(app.clock.now());
    if app.active_users.knows(month, id) {
        return;
    }
    let added = client
        .execute(
            "insert into system.active_users (month, user_id) values ($1, $2) on conflict do nothing",
            &[&month, &id],
        )
        .await;
    match added {
        Ok(added) => {
            app.active_users.remember(month, id);
            if added > 0 {
                app.activity.user_became_active();
            }
        }
        Err(error) => tracing::warn!(cause = telemetry::chain(&error), "an active user could not be noted"),
    }
}

/// Claims the users that no record counts, and says how many they are. Earlier months are forgotten once they are counted.
pub(super) async fn claim(app: &App, series: &Series<'_>) -> Result<u64> {
    let client = app.pools.internal().await?;
    let claimed = client
        .execute(
            "update system.active_users set counted_by = $1, counted_in = $2
             where counted_in is null or (counted_by = $1 and counted_in >= $2)",
            &[&series.source, &series.next],
        )
        .await?;
    client
        .execute(
            "delete from system.active_users where month < $1 and counted_in < $2",
            &[&month_of(app.clock.now()), &series.next],
        )
        .await?;
    Ok(claimed)
}

fn month_of(at: DateTime<Utc>) -> NaiveDate {
    at.date_naive().with_day(1).expect("every month has a first day")
}
