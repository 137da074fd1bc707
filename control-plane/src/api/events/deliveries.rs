//! Deliveries of events to one receiver.

use axum::{Json, extract::State as AxumState};
use http::StatusCode;
use model::events::EventType;
use serde::{Deserialize, Serialize};
use store::webhook_deliveries::{Attempt, Delivery};
use utoipa::{IntoParams, ToSchema};

use super::cursor;
use crate::{
    api::{Answer, page_limit, time},
    app::{
        Ctx,
        events::{Whose, deliveries},
    },
    http::extract::{DeliveryPath, EndpointPath, Query},
    state::State,
};

/// What one attempt came to.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookAttempt {
    /// The receiver's, if it answered.
    status: Option<u16>,
    /// Why it counts as failed.
    error: Option<String>,
    duration_ms: i32,
    at: String,
}

impl From<Attempt> for WebhookAttempt {
    fn from(attempt: Attempt) -> Self {
        let Attempt { status, error, duration_ms, at } = attempt;
        Self { status, error, duration_ms, at: time(at) }
    }
}

/// One event on its way to one receiver.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookDelivery {
    id: uuid::Uuid,
    event_id: uuid::Uuid,
    #[schema(value_type = String)]
    event_type: EventType,
    /// `pending`, `delivered` or `failed`.
    state: String,
    attempts: i32,
    /// Absent while it waits for earlier events of its project.
    next_try_at: Option<String>,
    created_at: String,
    finished_at: Option<String>,
    last_attempt: Option<WebhookAttempt>,
}

impl From<Delivery> for WebhookDelivery {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id.as_uuid(),
            event_id: delivery.event_id.as_uuid(),
            event_type: delivery.kind,
            next_try_at: delivery.next_try_at.filter(|_| delivery.state == "pending").map(time),
            state: delivery.state,
            attempts: delivery.attempts,
            created_at: time(delivery.created_at),
            finished_at: delivery.finished_at.map(time),
            last_attempt: delivery.newest.map(WebhookAttempt::from),
        }
    }
}

/// A page of deliveries.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookDeliveryList {
    deliveries: Vec<WebhookDelivery>,
    /// Send it as `before` for the next page; absent on the last one.
    next: Option<String>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryQuery {
    /// `next` of the page before.
    before: Option<String>,
    /// At most 100, which is the default.
    limit: Option<i64>,
}

/// Lists deliveries to a receiver, newest event first.
#[utoipa::path(get, path = "/webhook-endpoints/{endpoint}/deliveries", tag = "events",
    params(("endpoint" = uuid::Uuid, Path), DeliveryQuery),
    responses((status = 200, body = WebhookDeliveryList), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list_webhook_deliveries(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    whose: Whose,
    EndpointPath(id): EndpointPath,
    Query(query): Query<DeliveryQuery>,
) -> Answer<Json<WebhookDeliveryList>> {
    let (before, limit) = (cursor("before", query.before.as_deref(), i64::MAX)?, page_limit(query.limit)?);
    let found = deliveries::list(&state, &ctx, whose, id, before, limit).await?;
    let full = i64::try_from(found.len()).is_ok_and(|length| length == limit);
    let next = found.last().filter(|_| full).map(|last| last.position.to_string());
    Ok(Json(WebhookDeliveryList { deliveries: found.into_iter().map(WebhookDelivery::from).collect(), next }))
}

/// The attempts of a delivery.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookAttemptList {
    attempts: Vec<WebhookAttempt>,
}

/// Lists the attempts of a delivery, oldest first.
#[utoipa::path(get, path = "/webhook-endpoints/{endpoint}/deliveries/{delivery}/attempts", tag = "events",
    params(("endpoint" = uuid::Uuid, Path), ("delivery" = uuid::Uuid, Path)),
    responses((status = 200, body = WebhookAttemptList), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list_webhook_attempts(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    whose: Whose,
    EndpointPath(id): EndpointPath,
    DeliveryPath(delivery_id): DeliveryPath,
) -> Answer<Json<WebhookAttemptList>> {
    let found = deliveries::attempts(&state, &ctx, whose, id, delivery_id).await?;
    Ok(Json(WebhookAttemptList { attempts: found.into_iter().map(WebhookAttempt::from).collect() }))
}

/// Has an event delivered again: one that was delivered or given up once more, one that waits for its next attempt at once.
#[utoipa::path(post, path = "/webhook-endpoints/{endpoint}/deliveries/{delivery}/redeliver", tag = "events",
    params(("endpoint" = uuid::Uuid, Path), ("delivery" = uuid::Uuid, Path)),
    responses((status = 202), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn redeliver_webhook(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    whose: Whose,
    EndpointPath(id): EndpointPath,
    DeliveryPath(delivery_id): DeliveryPath,
) -> Answer<StatusCode> {
    deliveries::redeliver(&state, &ctx, whose, id, delivery_id).await?;
    Ok(StatusCode::ACCEPTED)
}
