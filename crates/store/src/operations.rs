//! Durable operations: what was asked for, how far it is, and how it ended. Leases are in `operation_leases`, steps and events in their
//! own modules.
//!
//! Two channels announce changes: [`DUE_CHANNEL`] when there is something to do, [`CHANGED_CHANNEL`] with an operation's id when its state,
//! steps or events changed.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use ids::{OperationId, OrganizationId, ProjectId, UserId, WorkerId};
use saga::OperationKind;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

pub use crate::{
    operation_events::{OperationEvent, events_after},
    operation_steps::{OperationStep, StepState, steps},
};

/// Notified, with an empty payload, when an operation may be due.
pub const DUE_CHANNEL: &str = "hearth_operations_due";

/// Notified with the operation's id when anything about it changed.
pub const CHANGED_CHANNEL: &str = "hearth_operations";

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationState {
    /// Recorded, not begun.
    Queued,
    /// Going forward.
    Running,
    /// Failed, taking back what it did.
    Unwinding,
    /// A step fails again and again; it is tried from time to time and a person should look.
    Stuck,
    /// Done.
    Succeeded,
    /// Failed, and nothing of it is left.
    Failed,
}

impl OperationState {
    /// The recorded name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Unwinding => "unwinding",
            Self::Stuck => "stuck",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub const fn finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// A recorded state this build does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown operation state '{0}'")]
pub struct UnknownState(String);

impl FromStr for OperationState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        match text {
            "queued" => Ok(Self::Queued),
            "running" => Ok(Self::Running),
            "unwinding" => Ok(Self::Unwinding),
            "stuck" => Ok(Self::Stuck),
            "succeeded" => Ok(Self::Succeeded),
            "failed" => Ok(Self::Failed),
            other => Err(UnknownState(other.to_owned())),
        }
    }
}

/// An operation to record. Its id is chosen by the caller, before any effect.
#[derive(Clone, Debug)]
pub struct NewOperation {
    /// The operation's id.
    pub id: OperationId,
    /// Which saga carries it out.
    pub kind: OperationKind,
    /// Whose it is, if anybody's.
    pub organization_id: Option<OrganizationId>,
    /// The project or branch it works on; at most one unfinished operation per project.
    pub project_id: Option<ProjectId>,
    /// The saga's input. No secrets.
    pub input: Value,
    /// Who asked for it.
    pub started_by: Option<UserId>,
    /// The HTTP request that asked for it.
    pub request_id: Option<String>,
    /// When a person is told that it takes too long; absent lets the saga decide.
    pub deadline_at: Option<DateTime<Utc>>,
}

/// An operation as recorded.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The operation's id.
    pub id: OperationId,
    /// Which saga carries it out, as recorded; a newer release may have recorded one this build does not know.
    pub kind: String,
    /// Whose it is.
    pub organization_id: Option<OrganizationId>,
    /// The project or branch it works on.
    pub project_id: Option<ProjectId>,
    /// Where it stands.
    pub state: OperationState,
    /// The saga's input.
    pub input: Value,
    /// The saga's own state.
    pub saga_state: Option<Value>,
    /// What it reported at its end.
    pub result: Option<Value>,
    /// Why it failed or is unwinding: a stable code. Set exactly when it no longer goes forward.
    pub error_code: Option<String>,
    /// The same, for users.
    pub error: Option<String>,
    /// The whole chain of causes of the newest error, for operators.
    pub error_detail: Option<String>,
    /// Who asked for it.
    pub started_by: Option<UserId>,
    /// The HTTP request that asked for it.
    pub request_id: Option<String>,
    /// Who holds, or last held, the lease.
    pub worker_id: Option<WorkerId>,
    /// Until when the lease holds.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// The fencing token of the newest lease.
    pub fence: i64,
    /// Not before this is it tried (again).
    pub next_try_at: DateTime<Utc>,
    /// When a person is told that it takes too long.
    pub deadline_at: Option<DateTime<Utc>>,
    /// When that was done.
    pub deadline_flagged_at: Option<DateTime<Utc>>,
    /// When it was recorded.
    pub created_at: DateTime<Utc>,
    /// When anything last changed.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

pub(crate) struct Row {
    id: Uuid,
    kind: String,
    organization_id: Option<Uuid>,
    project_id: Option<Uuid>,
    state: String,
    input: Value,
    saga_state: Option<Value>,
    result: Option<Value>,
    error_code: Option<String>,
    error: Option<String>,
    error_detail: Option<String>,
    started_by: Option<Uuid>,
    request_id: Option<String>,
    worker_id: Option<Uuid>,
    lease_expires_at: Option<DateTime<Utc>>,
    fence: i64,
    next_try_at: DateTime<Utc>,
    deadline_at: Option<DateTime<Utc>>,
    deadline_flagged_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl From<Row> for Operation {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            kind: row.kind,
            organization_id: row.organization_id.map(Into::into),
            project_id: row.project_id.map(Into::into),
            state: row.state.parse().expect("a check constraint lists the states"),
            input: row.input,
            saga_state: row.saga_state,
            result: row.result,
            error_code: row.error_code,
            error: row.error,
            error_detail: row.error_detail,
            started_by: row.started_by.map(Into::into),
            request_id: row.request_id,
            worker_id: row.worker_id.map(Into::into),
            lease_expires_at: row.lease_expires_at,
            fence: row.fence,
            next_try_at: row.next_try_at,
            deadline_at: row.deadline_at,
            deadline_flagged_at: row.deadline_flagged_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            finished_at: row.finished_at,
        }
    }
}

/// Records an operation and announces it when the transaction commits.
///
/// # Errors
/// A violation of `operations_one_per_project_key` means another operation of the project is unfinished; see [`violates_one_per_project`].
pub async fn insert(conn: &mut PgConnection, operation: &NewOperation) -> sqlx::Result<()> {
    sqlx::query!(
        r#"with inserted as (
               insert into operations (id, kind, organization_id, project_id, input, started_by, request_id, deadline_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8)
               returning id
           ), events as (
               insert into operation_events (operation_id, kind, body)
               select id, 'operation', jsonb_build_object('state', 'queued') from inserted
           )
           select pg_notify('hearth_operations_due', ''), pg_notify('hearth_operations', id::text) from inserted"#,
        operation.id.as_uuid(),
        operation.kind.as_str(),
        operation.organization_id.map(Uuid::from),
        operation.project_id.map(Uuid::from),
        operation.input,
        operation.started_by.map(Uuid::from),
        operation.request_id,
        operation.deadline_at,
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Whether `error` says that another operation of the same project is unfinished.
#[must_use]
pub fn violates_one_per_project(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.constraint()) == Some("operations_one_per_project_key")
}

/// The operation with this id. Who may see it is the caller's question.
pub async fn find(conn: &mut PgConnection, id: OperationId) -> sqlx::Result<Option<Operation>> {
    let row = sqlx::query_as!(
        Row,
        "select id, kind, organization_id, project_id, state, input, saga_state, result, error_code, error, error_detail, started_by,
                request_id, worker_id, lease_expires_at, fence, next_try_at, deadline_at, deadline_flagged_at, created_at, updated_at,
                finished_at
         from operations where id = $1",
        id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// The project's unfinished operation, if there is one.
pub async fn running_for_project(conn: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Option<Operation>> {
    let row = sqlx::query_as!(
        Row,
        "select id, kind, organization_id, project_id, state, input, saga_state, result, error_code, error, error_detail, started_by,
                request_id, worker_id, lease_expires_at, fence, next_try_at, deadline_at, deadline_flagged_at, created_at, updated_at,
                finished_at
         from operations where project_id = $1 and state in ('queued', 'running', 'unwinding', 'stuck')",
        project_id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// The project's newest operations, newest first.
pub async fn list_for_project(
    conn: &mut PgConnection,
    project_id: ProjectId,
    limit: i64,
) -> sqlx::Result<Vec<Operation>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, kind, organization_id, project_id, state, input, saga_state, result, error_code, error, error_detail, started_by,
                request_id, worker_id, lease_expires_at, fence, next_try_at, deadline_at, deadline_flagged_at, created_at, updated_at,
                finished_at
         from operations where project_id = $1 order by created_at desc, id desc limit $2",
        project_id.as_uuid(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Which operations an operator wants to see.
#[derive(Clone, Debug, Default)]
pub struct OperationFilter {
    /// Only these states; empty means all.
    pub states: Vec<OperationState>,
    /// Only this kind.
    pub kind: Option<OperationKind>,
}

/// The newest operations of all organizations, newest first. For operators only.
pub async fn list(conn: &mut PgConnection, filter: &OperationFilter, limit: i64) -> sqlx::Result<Vec<Operation>> {
    let states: Vec<String> = filter.states.iter().map(|state| state.as_str().to_owned()).collect();
    let rows = sqlx::query_as!(
        Row,
        "select id, kind, organization_id, project_id, state, input, saga_state, result, error_code, error, error_detail, started_by,
                request_id, worker_id, lease_expires_at, fence, next_try_at, deadline_at, deadline_flagged_at, created_at, updated_at,
                finished_at
         from operations
         where (cardinality($1::text[]) = 0 or state = any($1)) and ($2::text is null or kind = $2)
         order by created_at desc, id desc limit $3",
        &states,
        filter.kind.map(OperationKind::as_str),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Every unfinished operation, oldest first: what a reconciler must not disturb.
pub async fn unfinished(conn: &mut PgConnection) -> sqlx::Result<Vec<Operation>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, kind, organization_id, project_id, state, input, saga_state, result, error_code, error, error_detail, started_by,
                request_id, worker_id, lease_expires_at, fence, next_try_at, deadline_at, deadline_flagged_at, created_at, updated_at,
                finished_at
         from operations where state in ('queued', 'running', 'unwinding', 'stuck') order by created_at, id",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Makes an unfinished, waiting operation due now. False when it has ended or is being worked on.
pub async fn retry(conn: &mut PgConnection, id: OperationId) -> sqlx::Result<bool> {
    let found = sqlx::query!(
        r#"with due as (
               update operations set next_try_at = now(), updated_at = now()
               where id = $1 and state in ('queued', 'running', 'unwinding', 'stuck')
                 and (lease_expires_at is null or lease_expires_at <= now())
               returning id
           )
           select pg_notify('hearth_operations_due', ''), pg_notify('hearth_operations', id::text) from due"#,
        id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Announces that an operation may be due; starting twice is harmless.
pub async fn announce_due(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_notify('hearth_operations_due', '')").fetch_one(conn).await?;
    Ok(())
}

/// Makes the transaction the only one that sweeps, until it ends. False when another one does.
pub async fn lock_sweep(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock(hashtext('hearth_orphan_sweep')) as "locked!""#)
        .fetch_one(conn)
        .await
}

/// Whether this id was the throw-away clone of a merge that has ended.
pub async fn ended_rehearsal(conn: &mut PgConnection, id: ProjectId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from operations
               where kind in ('branch_merge', 'branch_update', 'branch_merge_undo') and state in ('succeeded', 'failed') and input ->> 'rehearsal_id' = $1
           ) as "ended!""#,
        id.to_string(),
    )
    .fetch_one(conn)
    .await
}
