//! What reports upward: usage records and heartbeats, from gateway, worker and data planes. Not for users, so not in the published document.

use axum::{Extension, Json, Router, extract::State as AxumState, routing::post};
use data_plane_contract::{
    heartbeat::Heartbeat,
    usage::{UsageAccepted, UsageBatch, UsageRecord},
};
use http::{HeaderMap, StatusCode};
use http_kit::Principal;
use model::{Error, usage::Metric};

use super::Answer;
use crate::{
    app::{
        reporters::{self, Reporter},
        usage::ingest::{self, Batch, Measured},
    },
    http::{authenticate::bearer, extract::Body},
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/internal/v1/usage-records", post(accept_usage_records))
        .route("/internal/v1/heartbeats", post(accept_heartbeat))
}

fn record(record: UsageRecord) -> Result<Measured, Error> {
    let metric: Metric = record.metric.as_str().parse().map_err(Error::internal)?;
    let instance_type = record.instance_type.as_deref().map(str::parse).transpose();
    let instance_type = instance_type.map_err(|error| Error::invalid("instance_type", format!("{error}")))?;
    let UsageRecord { project_id, from, to, amount, sequence, .. } = record;
    Ok(Measured { sequence, project_id, metric, instance_type, from, to, amount })
}

fn name(principal: &Principal, reporter: Reporter) {
    match reporter {
        Reporter::Cloud => principal.set("cloud"),
        Reporter::DataPlane(id) => principal.set(format!("data-plane:{id}")),
    }
}

/// Refuses whoever has no token at all before the body is read.
fn presented(headers: &HeaderMap) -> Result<&str, Error> {
    bearer(headers).ok_or_else(|| Error::unauthenticated("auth.unauthenticated", "Authentication required"))
}

/// Takes usage records of one source.
pub(crate) async fn accept_usage_records(
    AxumState(state): AxumState<State>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    body: Result<Body<UsageBatch>, crate::app::Failure>,
) -> Answer<Json<UsageAccepted>> {
    let token = presented(&headers)?;
    let Body(batch) = body?;
    let reporter = reporters::recognise(&state, Some(token), ingest::claimed_project(&batch.source)).await?;
    name(&principal, reporter);
    let records = batch.records.into_iter().map(record).collect::<Result<_, _>>()?;
    let sequence = ingest::accept(&state, reporter, Batch { source: batch.source, records }).await?;
    Ok(Json(UsageAccepted { sequence }))
}

/// Takes a data plane's heartbeat.
pub(crate) async fn accept_heartbeat(
    AxumState(state): AxumState<State>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    body: Result<Body<Heartbeat>, crate::app::Failure>,
) -> Answer<StatusCode> {
    let token = presented(&headers)?;
    let Body(Heartbeat { status }) = body?;
    let reporter = reporters::recognise(&state, Some(token), Some(status.project_id)).await?;
    name(&principal, reporter);
    let heartbeat = store::heartbeats::Heartbeat {
        version: status.version,
        migration: status.migration,
        started_at: status.started_at,
        last_request_at: status.last_request_at,
        received_at: state.clock.now(),
    };
    reporters::heartbeat(&state, status.project_id, heartbeat).await?;
    Ok(StatusCode::NO_CONTENT)
}
