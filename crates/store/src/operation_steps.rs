//! The steps of operations, and the one statement that moves an operation on: step changes, saga state, events and notification together,
//! and only under the newest lease.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use ids::{EventId, OperationId};
use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    events::{ENDING_COLUMNS, Endings},
    operations::OperationState,
};

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Begun; whether its effect has happened is not known.
    Running,
    /// Its effect has happened.
    Done,
    /// Given up; whether its effect has happened is not known.
    Failed,
    /// Being taken back.
    Undoing,
    /// Nothing of it is left.
    Undone,
}

impl StepState {
    /// The recorded name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }
}

impl FromStr for StepState {
    type Err = UnknownStepState;

    fn from_str(text: &str) -> Result<Self, UnknownStepState> {
        match text {
            "pending" => Ok(Self::Pending),
            "running" => Ok(Self::Running),
            "done" => Ok(Self::Done),
            "failed" => Ok(Self::Failed),
            "undoing" => Ok(Self::Undoing),
            "undone" => Ok(Self::Undone),
            other => Err(UnknownStepState(other.to_owned())),
        }
    }
}

/// A recorded step state this build does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown step state '{0}'")]
pub struct UnknownStepState(String);

/// A step as recorded.
#[derive(Clone, Debug)]
pub struct OperationStep {
    /// Zero-based place in the saga.
    pub position: i32,
    /// The step's name.
    pub name: String,
    /// Where it stands.
    pub state: StepState,
    /// How often its effect was begun.
    pub attempts: i32,
    /// How often its undo was begun.
    pub undo_attempts: i32,
    /// Why the newest attempt failed, fit for users.
    pub last_error: Option<String>,
    /// When it was first begun.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// The operation's steps in order.
pub async fn steps(conn: &mut PgConnection, id: OperationId) -> sqlx::Result<Vec<OperationStep>> {
    let rows = sqlx::query!(
        "select position, name, state, attempts, undo_attempts, last_error, started_at, finished_at
         from operation_steps where operation_id = $1 order by position",
        id.as_uuid(),
    )
    .fetch_all(conn)
    .await?;
    let steps = rows.into_iter().map(|row| OperationStep {
        position: row.position,
        name: row.name,
        state: row.state.parse().expect("only this module writes step states"),
        attempts: row.attempts,
        undo_attempts: row.undo_attempts,
        last_error: row.last_error,
        started_at: row.started_at,
        finished_at: row.finished_at,
    });
    Ok(steps.collect())
}

/// Records the steps an operation will take, all pending. Steps already recorded stay. False when the lease is stale.
pub async fn record_steps(
    conn: &mut PgConnection,
    id: OperationId,
    fence: i64,
    names: &[String],
) -> sqlx::Result<bool> {
    let held = sqlx::query!(
        r#"with held as (
               select id from operations where id = $1 and fence = $2 for update
           ), inserted as (
               insert into operation_steps (operation_id, position, name, state)
               select held.id, (step.ordinality - 1)::int, step.name, 'pending'
               from held, unnest($3::text[]) with ordinality as step (name, ordinality)
               on conflict (operation_id, position) do nothing
           )
           select id from held"#,
        id.as_uuid(),
        fence,
        names,
    )
    .fetch_optional(conn)
    .await?;
    Ok(held.is_some())
}

/// What happens to one step.
#[derive(Clone, Debug)]
pub struct StepChange {
    /// Zero-based place in the saga.
    pub position: i32,
    /// Its state from now on. Running and undoing, without an error, count one more attempt.
    pub state: StepState,
    /// Why the attempt failed, fit for users; absent leaves what is recorded.
    pub error: Option<String>,
}

impl StepChange {
    /// A change without an error.
    #[must_use]
    pub fn to(position: usize, state: StepState) -> Self {
        Self { position: i32::try_from(position).expect("a saga has few steps"), state, error: None }
    }

    /// Adds why the attempt failed.
    #[must_use]
    pub fn because(mut self, error: impl Into<String>) -> Self {
        self.error = Some(error.into());
        self
    }
}

/// Why an operation fails.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// Stable code.
    pub code: Option<String>,
    /// Fit for users.
    pub public: Option<String>,
    /// The chain of causes, for operators. No secrets.
    pub detail: Option<String>,
}

/// One move of an operation.
#[derive(Clone, Debug)]
pub struct Transition<'a> {
    /// The operation's state from now on. A finished state gives the lease back.
    pub state: OperationState,
    /// The saga's state; absent leaves what is recorded. Forgotten at the end.
    pub saga_state: Option<&'a Value>,
    /// What it reports; absent leaves what is recorded.
    pub result: Option<&'a Value>,
    /// Why it fails; absent parts leave what is recorded.
    pub failure: Failure,
    /// Its steps' changes, each step at most once.
    pub steps: &'a [StepChange],
}

/// Moves an operation on and announces it; its end also tells the project why it failed, or that it did not, and is an event. False when the lease is stale: nothing was written and its holder must stop.
pub async fn advance(
    conn: &mut PgConnection,
    id: OperationId,
    fence: i64,
    transition: &Transition<'_>,
) -> sqlx::Result<bool> {
    let positions: Vec<i32> = transition.steps.iter().map(|step| step.position).collect();
    let states: Vec<String> = transition.steps.iter().map(|step| step.state.as_str().to_owned()).collect();
    let errors: Vec<Option<String>> = transition.steps.iter().map(|step| step.error.clone()).collect();
    let Endings { keys, succeeded, failed } = &*ENDING_COLUMNS;
    let held = sqlx::query!(
        r#"with before as (
               select id, state from operations
               where id = $1 and fence = $2 and state in ('queued', 'running', 'unwinding', 'stuck') for update
           ), held as (
               update operations set
                   state = $3, saga_state = case when $3 not in ('succeeded', 'failed') then coalesce($4, saga_state) end, result = coalesce($5, result),
                   error_code = coalesce($6, error_code), error = coalesce($7, error), error_detail = coalesce($8, error_detail),
                   updated_at = now(),
                   finished_at = case when $3 in ('succeeded', 'failed') then now() end,
                   lease_expires_at = case when $3 in ('succeeded', 'failed') then null else lease_expires_at end
               from before where operations.id = before.id
               returning operations.id, operations.project_id, before.state as previous, operations.error_code, operations.error,
                         operations.kind, operations.kind || case
                             when coalesce((operations.input ->> 'dry_run')::boolean, false) then '+dry_run'
                             when coalesce(operations.input ->> 'instance_type', '') <> '' then '+instance_type'
                             when coalesce(operations.input ->> 'service_version', '') <> '' then '+version'
                             else '' end as key
           ), changed as (
               update operation_steps as step set
                   state = change.state,
                   attempts = step.attempts + (change.state = 'running' and change.error is null)::int,
                   undo_attempts = step.undo_attempts + (change.state = 'undoing' and change.error is null)::int,
                   last_error = coalesce(change.error, step.last_error),
                   started_at = coalesce(step.started_at, now()),
                   finished_at = case when change.state in ('done', 'failed', 'undone') then now() end
               from held, unnest($9::int[], $10::text[], $11::text[]) as change (position, state, error)
               where step.operation_id = held.id and step.position = change.position
               returning step.position, step.name, step.state, step.attempts, step.undo_attempts, change.error
           ), events as (
               insert into operation_events (operation_id, kind, body)
               select held.id, event.kind, event.body from held, (
                   select 0 as rank, changed.position, 'step' as kind, jsonb_strip_nulls(jsonb_build_object(
                       'step', changed.name, 'position', changed.position, 'state', changed.state, 'attempts', changed.attempts,
                       'undo_attempts', changed.undo_attempts, 'error', changed.error)) as body
                   from changed
                   union all
                   select 1, 0, 'operation', jsonb_strip_nulls(jsonb_build_object(
                       'state', $3::text, 'error_code', held.error_code, 'error', held.error))
                   from held where held.previous is distinct from $3
                   order by rank, position
               ) as event
           ), told as (
               update projects set last_operation_error = case when $3 = 'failed' then held.error end
               from held where projects.id = held.project_id and $3 in ('succeeded', 'failed')
               returning projects.*, held.id as operation_id, held.kind, held.key, held.error_code, held.error
           ), lifecycle as (
               insert into events (id, type, organization_id, partner_id, project_id, data, created_at)
               select $12, case when $3 = 'failed' then ending.failed else ending.succeeded end, told.organization_id, told.partner_id, told.id,
                      jsonb_strip_nulls(jsonb_build_object(
                          'organization_id', told.organization_id, 'project_id', told.id, 'parent_project_id', told.parent_id,
                          'partner_user_id', told.partner_user_id, 'name', told.name, 'region', told.region,
                          'instance_type', told.instance_type, 'service_version', told.service_version,
                          'operation_id', told.operation_id, 'operation', told.kind, 'reason', told.pause_reason, 'error_code', told.error_code, 'error', told.error)),
                      now()
               from told join unnest($13::text[], $14::text[], $15::text[]) as ending (key, succeeded, failed) on ending.key = told.key
           )
           select pg_notify('hearth_operations', held.id::text) from held"#,
        id.as_uuid(),
        fence,
        transition.state.as_str(),
        transition.saga_state,
        transition.result,
        transition.failure.code,
        transition.failure.public,
        transition.failure.detail,
        &positions,
        &states,
        &errors as &[Option<String>],
        EventId::generate().as_uuid(),
        keys,
        succeeded,
        failed,
    )
    .fetch_optional(conn)
    .await?;
    Ok(held.is_some())
}
