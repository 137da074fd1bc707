//! `hearth operations`: what the control database of a running cloud says of its durable operations.

mod report;

use ids::OperationId;
use sqlx::PgConnection;
use store::operations::{OperationFilter, OperationState};

use crate::{
    audited, control_database,
    failure::Failure,
    home::Home,
    output::print,
    settings::{OperationsCommand, OperationsSettings},
};

/// Runs one of the subcommands.
pub(crate) async fn run(settings: OperationsSettings) -> Result<(), Failure> {
    let home = Home::locate(&settings.home)?;
    let mut conn = control_database::open(&home).await?;
    match settings.command {
        OperationsCommand::List { state, limit } => list(&mut conn, state, limit).await,
        OperationsCommand::Show { id } => show(&mut conn, id).await,
        OperationsCommand::Retry { id } => retry(&mut conn, id).await,
    }
}

async fn list(conn: &mut PgConnection, state: Option<String>, limit: i64) -> Result<(), Failure> {
    let states = match state {
        Some(text) => vec![text.parse::<OperationState>().map_err(|cause| Failure::new(format!("{cause}.")))?],
        None => Vec::new(),
    };
    let filter = OperationFilter { states, kind: None };
    let mut operations = store::operations::list(conn, &filter, limit.clamp(1, 10_000)).await.map_err(unreadable)?;
    operations.sort_by_key(|operation| operation.state.finished());
    print(&report::table(&operations));
    Ok(())
}

async fn show(conn: &mut PgConnection, id: OperationId) -> Result<(), Failure> {
    let operation = store::operations::find(conn, id).await.map_err(unreadable)?.ok_or_else(|| missing(id))?;
    let steps = store::operations::steps(conn, id).await.map_err(unreadable)?;
    print(&report::detail(&operation, &steps));
    Ok(())
}

async fn retry(conn: &mut PgConnection, id: OperationId) -> Result<(), Failure> {
    let retry = async |conn: &mut PgConnection| {
        if store::operations::retry(conn, id).await.map_err(unreadable)? {
            return Ok(());
        }
        let operation = store::operations::find(conn, id).await.map_err(unreadable)?.ok_or_else(|| missing(id))?;
        Err(Failure::new(if operation.state.finished() {
            format!("Operation {id} has {}: there is nothing to try again.", operation.state.as_str())
        } else {
            format!("A worker is busy with operation {id} at this moment.")
        }))
    };
    audited::record(conn, "operation.retry", &id.to_string(), retry).await?;
    print(&format!("Operation {id} is tried again now.\n"));
    Ok(())
}

fn missing(id: OperationId) -> Failure {
    Failure::new(format!("There is no operation {id}."))
}

fn unreadable(cause: sqlx::Error) -> Failure {
    Failure::caused("Could not read the control database", cause)
}
