//! Runs a merge plan: one transaction, bound to the catalog it was made for and to the one it must lead to.

use std::time::Instant;

use data_plane_contract::schema::{ApplyPlan, ApplyRefused, PlanApplied};
use deadpool_postgres::{ClientWrapper, Object};
use schema_merge::{Origin, Statement};
use tokio_postgres::error::SqlState;

use super::snapshot;
use crate::{http::Error, state::App};

/// Differing facts reported at most.
const MOST_DIFFERENCES: usize = 20;

/// Why nothing was applied.
pub(super) enum Failure {
    /// Answered in the contract's form.
    Refused(ApplyRefused),
    /// Something else went wrong.
    Answered(Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Answered(error.into())
    }
}

type Result<T> = std::result::Result<T, Failure>;

/// Applies a plan, or reports that it was applied before. The connection is closed afterwards: the plan's statements may have
/// left anything in the session, and an unfinished transaction ends with it.
pub(super) async fn run(app: &App, plan: &ApplyPlan) -> Result<PlanApplied> {
    let statements: Vec<Statement> = serde_json::from_value(plan.statements.clone())
        .map_err(|error| Error::invalid_input(format!("statements: {error}")))?;
    let client = Object::take(app.pools.internal().await?);
    let started = Instant::now();
    begin(&client, plan.lock_timeout_ms).await?;
    if let Some(catalog_hash) = committed(&client, plan).await? {
        return Ok(PlanApplied { catalog_hash, applied_now: false, duration_ms: elapsed(started) });
    }
    let before = snapshot::catalog(&client).await?;
    let catalog_hash = before.hash();
    if catalog_hash != plan.expected_hash {
        return Err(Failure::Refused(ApplyRefused::TargetChanged { catalog_hash }));
    }
    for (index, statement) in statements.iter().enumerate() {
        execute(&client, statement).await.map_err(|error| refused(index, &error))?;
    }
    let last = statements.len().saturating_sub(1);
    client
        .batch_execute("set constraints all immediate; reset role; set local search_path = ''")
        .await
        .map_err(|error| refused(last, &error))?;
    let after = snapshot::catalog(&client).await?;
    let catalog_hash = after.hash();
    if catalog_hash != plan.predicted_hash {
        let mut differences = vec![format!("the plan leads to {catalog_hash} instead of {}", plan.predicted_hash)];
        differences.extend(before.differences(&after).into_iter().take(MOST_DIFFERENCES - 1));
        return Err(Failure::Refused(ApplyRefused::PredictionFailed { differences }));
    }
    client
        .execute(
            "insert into system.branch_merges (operation_id, catalog_hash) values ($1, $2)",
            &[&plan.operation_id.as_uuid(), &catalog_hash],
        )
        .await?;
    client.batch_execute("notify pgrst, 'reload schema'; commit").await?;
    Ok(PlanApplied { catalog_hash, applied_now: true, duration_ms: elapsed(started) })
}

/// Opens the transaction. Merges and developers' migrations exclude each other.
async fn begin(client: &ClientWrapper, lock_timeout_ms: u32) -> Result<()> {
    let sql = format!(
        "begin; set local lock_timeout = {lock_timeout_ms}; set local search_path = ''; set local check_function_bodies = off; \
         select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('system.custom_migrations'))"
    );
    client.batch_execute(&sql).await.map_err(|error| refused(0, &error))
}

async fn committed(client: &ClientWrapper, plan: &ApplyPlan) -> Result<Option<String>> {
    let sql = "select catalog_hash from system.branch_merges where operation_id = $1";
    let row = client.query_opt(sql, &[&plan.operation_id.as_uuid()]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

async fn execute(client: &ClientWrapper, statement: &Statement) -> std::result::Result<(), tokio_postgres::Error> {
    let role = match &statement.role_hint {
        Some(role) => format!("set local role {}", crate::database::quoted_identifier(role)),
        None => "reset role".to_owned(),
    };
    // Statements that developers wrote read unqualified names as their migration did; ours are qualified.
    let search_path = if statement.origin == Origin::Data { "public" } else { "''" };
    client.batch_execute(&format!("{role}; set local search_path = {search_path}")).await?;
    client.batch_execute(&statement.sql).await
}

fn refused(index: usize, error: &tokio_postgres::Error) -> Failure {
    let Some(database) = error.as_db_error() else {
        return Failure::Answered(Error::unavailable("apply a merge plan", error));
    };
    if [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED].contains(database.code()) {
        return Failure::Refused(ApplyRefused::Locked);
    }
    Failure::Refused(ApplyRefused::StatementFailed {
        index,
        sqlstate: database.code().code().to_owned(),
        message: database.message().to_owned(),
    })
}

fn elapsed(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
