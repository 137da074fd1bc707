//! Durable operations: recording one with its intent, starting it, waiting for it, and reading it.

pub(crate) mod hub;

use std::time::Duration;

use ids::{AuditId, OperationId, OrganizationId, ProjectId};
use model::{Error, limits};
use saga::{OperationKind, StartOperation};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use store::operations::{NewOperation, Operation, OperationStep};

use super::{
    Ctx, Failure,
    audit::{self, Subject},
    organizations,
};
use crate::state::State;

/// Work that a use-case wants done.
pub(crate) struct Work {
    pub(crate) kind: OperationKind,
    /// For the audit log, `noun.verb`.
    pub(crate) action: &'static str,
    pub(crate) organization_id: OrganizationId,
    /// The project or branch that is busy while it runs.
    pub(crate) project_id: ProjectId,
    pub(crate) input: Value,
    /// For the audit log. No secrets.
    pub(crate) detail: Value,
}

/// Work that is recorded and can be started once its transaction is committed.
#[must_use = "recorded work is started after the commit"]
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) operation_id: OperationId,
    kind: OperationKind,
    audit_id: AuditId,
}

/// The input of a saga as recorded.
pub(crate) fn input(input: &impl Serialize) -> Value {
    serde_json::to_value(input).expect("saga inputs are plain data")
}

fn busy(kind: OperationKind) -> Error {
    let text = "Another operation is running. Try again when it is done.";
    match kind {
        OperationKind::BranchCreate
        | OperationKind::BranchDelete
        | OperationKind::BranchReset
        | OperationKind::BranchMerge
        | OperationKind::BranchUpdate
        | OperationKind::BranchMergeUndo => Error::conflict("branch.busy", text),
        _ => Error::conflict("project.busy", text),
    }
}

/// Another operation of the project, or one that uses it through a branch, is running.
pub(crate) fn project_busy() -> Error {
    busy(OperationKind::ProjectRestart)
}

/// Records work in the transaction of its intent: the operation, the audit row, and the idempotency key's link to it.
///
/// # Errors
/// Conflict, `project.busy` or `branch.busy`, when the project has an unfinished operation.
pub(crate) async fn record(conn: &mut PgConnection, state: &State, ctx: &Ctx, work: Work) -> Result<Recorded, Failure> {
    let operation_id = OperationId::generate();
    let mut detail = work.detail;
    if let Some(fields) = detail.as_object_mut() {
        fields.insert("operation_id".to_owned(), json!(operation_id));
    }
    let subject = Subject { organization_id: Some(work.organization_id), project_id: Some(work.project_id), detail };
    let audit_id = audit::open(conn, state, ctx, work.action, subject).await?;
    let operation = NewOperation {
        id: operation_id,
        kind: work.kind,
        organization_id: Some(work.organization_id),
        project_id: Some(work.project_id),
        input: work.input,
        started_by: ctx.user_id(),
        request_id: Some(ctx.request_id.clone()),
        deadline_at: None,
    };
    store::operations::insert(conn, &operation).await.map_err(|error| match store::violated_constraint(&error) {
        Some("operations_one_per_project_key") => Failure(busy(work.kind)),
        _ => error.into(),
    })?;
    if let Some(key) = &ctx.idempotency_key {
        store::idempotency_keys::set_operation(conn, ctx.principal(), key, operation_id).await?;
    }
    Ok(Recorded { operation_id, kind: work.kind, audit_id })
}

/// Hands committed work to the engine. When that fails the sweep starts it, so the caller's answer stays the same.
pub(crate) async fn start(state: &State, recorded: Recorded) -> OperationId {
    let Recorded { operation_id, kind, audit_id } = recorded;
    if let Err(error) = state.engine.start(StartOperation { id: operation_id, kind }).await {
        tracing::warn!(operation.id = %operation_id, error = telemetry::chain(&error), "the engine did not take an operation; the sweep will start it");
    }
    let closed = async {
        let mut conn = state.pool.acquire().await?;
        store::audit_log::close(&mut conn, audit_id, "started", state.clock.now()).await
    };
    if let Err(error) = closed.await {
        tracing::warn!(operation.id = %operation_id, error = telemetry::chain(&error), "could not close an audit row");
    }
    operation_id
}

/// Waits until an operation is finished; absent when that takes too long.
pub(crate) async fn wait(state: &State, id: OperationId) -> Result<Option<Operation>, Failure> {
    state.hub.finished(id, Duration::from_secs(limits::WAIT_FOR_COMPLETION_SECONDS)).await
}

/// Waits for an operation whose success the caller asked to wait for.
///
/// # Errors
/// Unavailable, when it failed or takes too long; its public reason is in the text.
pub(crate) async fn wait_for_success(state: &State, id: OperationId) -> Result<(), Failure> {
    let unavailable = |text: String| Failure(Error::unavailable("operation.failed", text));
    match wait(state, id).await? {
        None => Err(unavailable(format!("Operation {id} is still running. Follow it at /operations/v1/{id}."))),
        Some(operation) if operation.state == store::operations::OperationState::Succeeded => Ok(()),
        Some(operation) => Err(unavailable(operation.error.unwrap_or_else(|| "The operation failed.".to_owned()))),
    }
}

fn not_found() -> Error {
    Error::not_found("operation.not_found", "Operation")
}

/// An operation of an organization that the caller may see.
pub(crate) async fn find(
    state: &State,
    ctx: &Ctx,
    id: OperationId,
) -> Result<(Operation, Vec<OperationStep>), Failure> {
    let mut conn = state.connection().await?;
    let operation = store::operations::find(&mut conn, id).await?.ok_or_else(not_found)?;
    let organization_id = operation.organization_id.ok_or_else(not_found)?;
    organizations::find(&mut conn, ctx, organization_id).await.map_err(|failure| match failure.0.meaning() {
        model::errors::Meaning::NotFound => Failure(not_found()),
        _ => failure,
    })?;
    let steps = store::operations::steps(&mut conn, id).await?;
    Ok((operation, steps))
}

/// The newest operations of a project or a branch.
pub(crate) async fn list(state: &State, ctx: &Ctx, project_id: ProjectId) -> Result<Vec<Operation>, Failure> {
    const LIST_MAX: i64 = 100;
    let mut conn = state.connection().await?;
    super::projects::find(&mut conn, ctx, project_id).await?;
    Ok(store::operations::list_for_project(&mut conn, project_id, LIST_MAX).await?)
}
