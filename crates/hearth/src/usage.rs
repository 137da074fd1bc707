//! `hearth usage`: what reports answer from, made again from the log of the cloud that runs in a home folder.

use model::usage::Period;
use serde_json::json;
use sqlx::{Acquire as _, PgConnection};
use store::usage_rebuild::{Rebuilt, has_log, rebuild};

use crate::{
    control_database,
    failure::Failure,
    home::Home,
    output::print,
    settings::{UsageCommand, UsageSettings},
};

/// Runs one of the subcommands.
pub(crate) async fn run(settings: UsageSettings) -> Result<(), Failure> {
    let home = Home::locate(&settings.home)?;
    let mut conn = control_database::open(&home).await?;
    match settings.command {
        UsageCommand::Rebuild { month } => rebuild_month(&mut conn, month, settings.json).await,
    }
}

async fn rebuild_month(conn: &mut PgConnection, month: Period, json: bool) -> Result<(), Failure> {
    let failed = |cause| Failure::caused("Could not rebuild the month; nothing is changed", cause);
    let name = month.start.format("%Y-%m").to_string();
    if !has_log(conn, month.start).await.map_err(failed)? {
        return Err(Failure::new(format!("There is no log of {name}; nothing is changed.")));
    }
    let mut tx = conn.begin().await.map_err(failed)?;
    let Rebuilt { days, removed, added } = rebuild(&mut tx, month).await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    print(&if json {
        format!("{}\n", json!({ "month": name, "days": days, "removed": removed, "added": added }))
    } else if removed + added == 0 {
        format!("{name}: {days} days of projects rebuilt, all of them as they were.\n")
    } else {
        format!("{name}: {days} days of projects rebuilt; {removed} were wrong and {added} were put in their place.\n")
    });
    Ok(())
}
