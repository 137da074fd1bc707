//! Durable operations: one, the newest of a project, and a stream of events that can be resumed.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    Json, Router,
    extract::State as AxumState,
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use futures::stream::{self, Stream};
use http::{HeaderMap, StatusCode};
use ids::{OperationId, ProjectId};
use saga::{OperationKind, operations::BranchMergeInput};
use serde::Serialize;
use serde_json::{Value, json};
use store::operations::{Operation, OperationEvent, OperationStep};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{
    Answer, WithOperation,
    branches::BranchEnvelope,
    merges::merge_response,
    projects::{Deleted, ProjectEnvelope},
    time,
};
use crate::{
    app::{Ctx, branches, operations, operations::hub::Ear, projects},
    http::extract::{OperationPath, ProjectPath},
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/operations/v1/{id}", get(get_operation))
        .route("/operations/v1/{id}/events", get(follow_operation))
        .route("/projects/v1/{id}/operations", get(list_operations))
}

/// A durable operation.
#[derive(Serialize, ToSchema)]
pub(crate) struct OperationOut {
    id: uuid::Uuid,
    kind: String,
    project_id: Option<uuid::Uuid>,
    /// `queued`, `running`, `unwinding`, `stuck`, `succeeded` or `failed`.
    state: &'static str,
    /// What it reports, once it is finished.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    error_code: Option<String>,
    error: Option<String>,
    created_at: String,
    updated_at: String,
    finished_at: Option<String>,
}

impl From<Operation> for OperationOut {
    fn from(operation: Operation) -> Self {
        Self {
            id: operation.id.as_uuid(),
            project_id: operation.project_id.map(uuid::Uuid::from),
            state: operation.state.as_str(),
            result: operation.result,
            error_code: operation.error_code,
            error: operation.error,
            created_at: time(operation.created_at),
            updated_at: time(operation.updated_at),
            finished_at: operation.finished_at.map(time),
            kind: operation.kind,
        }
    }
}

/// One step of an operation.
#[derive(Serialize, ToSchema)]
pub(crate) struct StepOut {
    position: i32,
    name: String,
    /// `pending`, `running`, `done`, `failed`, `undoing` or `undone`.
    state: &'static str,
    attempts: i32,
    undo_attempts: i32,
    last_error: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
}

impl From<OperationStep> for StepOut {
    fn from(step: OperationStep) -> Self {
        Self {
            position: step.position,
            name: step.name,
            state: step.state.as_str(),
            attempts: step.attempts,
            undo_attempts: step.undo_attempts,
            last_error: step.last_error,
            started_at: step.started_at.map(time),
            finished_at: step.finished_at.map(time),
        }
    }
}

/// An operation with its steps.
#[derive(Serialize, ToSchema)]
pub(crate) struct DetailedOperation {
    #[serde(flatten)]
    operation: OperationOut,
    steps: Vec<StepOut>,
}

/// One operation.
#[derive(Serialize, ToSchema)]
pub(crate) struct OperationEnvelope {
    operation: DetailedOperation,
}

/// Shows an operation with its steps.
#[utoipa::path(get, path = "/operations/v1/{id}", tag = "operations", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = OperationEnvelope), (status = 401), (status = 404)))]
pub(crate) async fn get_operation(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OperationPath(id): OperationPath,
) -> Answer<Json<OperationEnvelope>> {
    let (operation, steps) = operations::find(&state, &ctx, id).await?;
    let steps = steps.into_iter().map(StepOut::from).collect();
    Ok(Json(OperationEnvelope { operation: DetailedOperation { operation: operation.into(), steps } }))
}

/// The newest operations of a project.
#[derive(Serialize, ToSchema)]
pub(crate) struct OperationList {
    operations: Vec<OperationOut>,
}

/// Lists the newest operations of a project or a branch, at most 100.
#[utoipa::path(get, path = "/projects/v1/{id}/operations", tag = "operations", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = OperationList), (status = 401), (status = 404)))]
pub(crate) async fn list_operations(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
) -> Answer<Json<OperationList>> {
    let operations = operations::list(&state, &ctx, id).await?;
    Ok(Json(OperationList { operations: operations.into_iter().map(OperationOut::from).collect() }))
}

/// Follows an operation as server-sent events until it is finished. `Last-Event-ID` resumes after an event.
#[utoipa::path(get, path = "/operations/v1/{id}/events", tag = "operations",
    params(("id" = uuid::Uuid, Path), ("Last-Event-ID" = Option<String>, Header)),
    responses((status = 200, content_type = "text/event-stream", description = "Events `operation` and `step`"), (status = 401), (status = 404)))]
pub(crate) async fn follow_operation(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OperationPath(id): OperationPath,
    headers: HeaderMap,
) -> Answer<Response> {
    operations::find(&state, &ctx, id).await?;
    let last_seen =
        headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let events =
        events(Follow { ear: state.hub.ear(id), state, id, last: last_seen.unwrap_or(0), pending: VecDeque::new() });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response())
}

struct Follow {
    state: State,
    ear: Ear,
    id: OperationId,
    last: i64,
    pending: VecDeque<OperationEvent>,
}

impl Follow {
    /// The next event; nothing once the operation is finished and all was sent. A failing database ends the stream: the client resumes.
    async fn next(&mut self) -> Option<OperationEvent> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                self.last = event.id;
                return Some(event);
            }
            let mut conn = self.state.connection().await.ok()?;
            // The state is read first: events that come after it are found by the next look.
            let finished = store::operations::find(&mut conn, self.id).await.ok()??.state.finished();
            self.pending = store::operations::events_after(&mut conn, self.id, self.last).await.ok()?.into();
            drop(conn);
            if self.pending.is_empty() {
                if finished {
                    return None;
                }
                self.ear.changed(Instant::now() + Duration::from_secs(60)).await;
            }
        }
    }
}

fn events(follow: Follow) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(follow, async |mut follow| {
        let event = follow.next().await?;
        let mut data = event.body;
        if let Some(fields) = data.as_object_mut() {
            fields.insert("at".to_owned(), json!(time(event.created_at)));
        }
        let sent = Event::default().id(event.id.to_string()).event(event.kind).data(data.to_string());
        Some((Ok(sent), follow))
    })
}

/// The answer to a request whose first answer was lost, made from the operation it started.
pub(crate) async fn answer_again(state: &State, ctx: &Ctx, id: OperationId) -> Answer<Response> {
    let (operation, _steps) = operations::find(state, ctx, id).await?;
    let kind: OperationKind = operation.kind.parse().map_err(model::Error::internal)?;
    let project_id =
        operation.project_id.ok_or_else(|| model::Error::internal("an operation of a request has a project"))?;
    let (status, body) = match kind {
        OperationKind::BranchMerge | OperationKind::BranchUpdate | OperationKind::BranchMergeUndo => {
            let input: BranchMergeInput = serde_json::from_value(operation.input).map_err(model::Error::internal)?;
            let outcome = branches::merge::outcome(state, id, input.direction, input.dry_run).await?;
            return Ok(merge_response(project_id, ctx, outcome, Some(id)));
        }
        OperationKind::ProjectDelete => (StatusCode::OK, deleted("Project deleted successfully", project_id)),
        OperationKind::BranchDelete => (StatusCode::OK, deleted("Branch deleted successfully", project_id)),
        OperationKind::BranchCreate | OperationKind::BranchReset => {
            let branch = branches::get(state, ctx, project_id).await?;
            (StatusCode::ACCEPTED, json!(BranchEnvelope::new(state, branch)))
        }
        OperationKind::ProjectCreate => (StatusCode::CREATED, project(state, ctx, project_id).await?),
        _ => (StatusCode::OK, project(state, ctx, project_id).await?),
    };
    Ok(WithOperation { status, body, operation_id: Some(id) }.into_response())
}

fn deleted(message: &'static str, id: ProjectId) -> Value {
    json!(Deleted { message, id: id.as_uuid() })
}

async fn project(state: &State, ctx: &Ctx, id: ProjectId) -> Answer<Value> {
    Ok(json!(ProjectEnvelope::new(state, projects::get(state, ctx, id).await?)))
}
