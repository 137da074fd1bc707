//! Backups by the clock: looked at every minute, so that a changed schedule and a late start need nothing special.

use std::{str::FromStr as _, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use croner::Cron;
use uuid::Uuid;

use super::{catalogue, configuration::Configuration};
use crate::{http::Result, state::App};

const TICK: Duration = Duration::from_secs(60);

/// Makes backups when they are due and removes those kept long enough. Returns at once where a platform does that.
pub(crate) async fn run(app: Arc<App>) {
    if !app.config.on_its_own() {
        return;
    }
    loop {
        if let Err(error) = look(&app).await {
            tracing::warn!(cause = error.message(), "scheduled backups could not be looked after");
        }
        tokio::time::sleep(TICK).await;
    }
}

async fn look(app: &Arc<App>) -> Result<()> {
    catalogue::mark_orphans(app).await?;
    let client = app.pools.internal().await?;
    let configuration = Configuration::read(&client).await?;
    if !configuration.enabled {
        return Ok(());
    }
    let last: Option<DateTime<Utc>> = client
        .query_one("select max(created_at) from system.database_backups where trigger_source = 'scheduled'", &[])
        .await?
        .get(0);
    let expired: Vec<Uuid> = client
        .query(
            "select id from system.database_backups
             where trigger_source = 'scheduled' and status <> 'running' and created_at < now() - make_interval(days => $1)",
            &[&configuration.retention_days],
        )
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect();
    drop(client);
    let since = last.map_or(configuration.anchor, |last| last.max(configuration.anchor));
    if due(&configuration.cron, since, app.clock.now()) {
        let (_, turn, id) = catalogue::begin(app, None, "scheduled", None).await?;
        catalogue::make(Arc::clone(app), id, turn).await;
    }
    for id in expired {
        let _turn = app.database.backups.begin_change()?;
        catalogue::remove(app, id).await?;
    }
    Ok(())
}

/// Whether the schedule had a time after `since`.
fn due(cron: &str, since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let Ok(schedule) = Cron::from_str(cron) else { return false };
    schedule.find_next_occurrence(&since, false).is_ok_and(|next| next <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_due_once_per_time_of_the_schedule() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let cron = "30 2 * * *";
        assert!(!due(cron, at("2026-01-01T02:30:00Z"), at("2026-01-02T02:29:59Z")));
        assert!(due(cron, at("2026-01-01T02:30:00Z"), at("2026-01-02T02:30:00Z")));
        assert!(due(cron, at("2026-01-01T02:30:05Z"), at("2026-01-09T00:00:00Z")));
        assert!(!due("nonsense", at("2026-01-01T02:30:05Z"), at("2027-01-01T00:00:00Z")));
    }
}
