//! Receivers of events.

use axum::{Json, extract::State as AxumState};
use http::StatusCode;
use model::{events::EventType, limits};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use store::webhook_endpoints::WebhookEndpoint;
use utoipa::ToSchema;

use crate::{
    api::{Answer, time},
    app::{
        Ctx,
        events::{
            Whose,
            endpoints::{self, Wanted},
        },
    },
    http::extract::{Body, EndpointPath},
    state::State,
};

/// A receiver of events.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookEndpointOut {
    id: uuid::Uuid,
    url: String,
    description: Option<String>,
    /// Absent means everything.
    #[schema(value_type = Option<Vec<String>>)]
    types: Option<Vec<EventType>>,
    /// Since when nothing is delivered. Only a person's decision disables an endpoint.
    disabled_at: Option<String>,
    disabled_reason: Option<String>,
    created_at: String,
}

impl From<WebhookEndpoint> for WebhookEndpointOut {
    fn from(endpoint: WebhookEndpoint) -> Self {
        let WebhookEndpoint { id, url, description, types, disabled_at, disabled_reason, created_at } = endpoint;
        let (disabled_at, created_at) = (disabled_at.map(time), time(created_at));
        Self { id: id.as_uuid(), url, description, types, disabled_at, disabled_reason, created_at }
    }
}

/// One receiver.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookEndpointEnvelope {
    webhook_endpoint: WebhookEndpointOut,
}

impl From<WebhookEndpoint> for WebhookEndpointEnvelope {
    fn from(endpoint: WebhookEndpoint) -> Self {
        Self { webhook_endpoint: endpoint.into() }
    }
}

/// All receivers.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookEndpointList {
    webhook_endpoints: Vec<WebhookEndpointOut>,
}

/// A new receiver with its secret, which is shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookEndpointWithSecret {
    webhook_endpoint: WebhookEndpointOut,
    /// `whsec_…`, in the form of Standard Webhooks.
    secret: String,
}

/// A new secret, shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookSecret {
    secret: String,
}

/// A receiver as its owner wants it. An absent field stays.
#[derive(Deserialize, ToSchema)]
pub(crate) struct WebhookEndpointIn {
    /// `https`, and on the public internet.
    url: Option<String>,
    description: Option<String>,
    /// Types of events; an empty list means everything.
    #[schema(value_type = Option<Vec<String>>)]
    types: Option<Vec<EventType>>,
}

impl From<WebhookEndpointIn> for Wanted {
    fn from(input: WebhookEndpointIn) -> Self {
        Self { url: input.url, description: input.description, types: input.types }
    }
}

/// Lists who is told of events.
#[utoipa::path(get, path = "/webhook-endpoints", tag = "events",
    responses((status = 200, body = WebhookEndpointList), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list_webhook_endpoints(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    whose: Whose,
) -> Answer<Json<WebhookEndpointList>> {
    let found = endpoints::list(&state, &ctx, whose).await?;
    Ok(Json(WebhookEndpointList { webhook_endpoints: found.into_iter().map(WebhookEndpointOut::from).collect() }))
}

/// Names a receiver of events. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/webhook-endpoints", tag = "events", request_body = WebhookEndpointIn,
    responses((status = 201, body = WebhookEndpointWithSecret), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn create_webhook_endpoint(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    whose: Whose,
    Body(input): Body<WebhookEndpointIn>,
) -> Answer<(StatusCode, Json<WebhookEndpointWithSecret>)> {
    let (endpoint, secret) = endpoints::create(&state, &ctx, whose, input.into()).await?;
    let secret = secret.expose_secret().to_owned();
    Ok((StatusCode::CREATED, Json(WebhookEndpointWithSecret { webhook_endpoint: endpoint.into(), secret })))
}

/// Shows a receiver.
#[utoipa::path(get, path = "/webhook-endpoints/{endpoint}", tag = "events", params(("endpoint" = uuid::Uuid, Path)),
    responses((status = 200, body = WebhookEndpointEnvelope), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn get_webhook_endpoint(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    whose: Whose,
    EndpointPath(id): EndpointPath,
) -> Answer<Json<WebhookEndpointEnvelope>> {
    Ok(Json(endpoints::get(&state, &ctx, whose, id).await?.into()))
}

/// Changes where a receiver is, what it is called and what it is told of.
#[utoipa::path(put, path = "/webhook-endpoints/{endpoint}", tag = "events", params(("endpoint" = uuid::Uuid, Path)),
    request_body = WebhookEndpointIn,
    responses((status = 200, body = WebhookEndpointEnvelope), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn update_webhook_endpoint(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    whose: Whose,
    EndpointPath(id): EndpointPath,
    Body(input): Body<WebhookEndpointIn>,
) -> Answer<Json<WebhookEndpointEnvelope>> {
    Ok(Json(endpoints::update(&state, &ctx, whose, id, input.into()).await?.into()))
}

/// Forgets a receiver and what was to be delivered to it.
#[utoipa::path(delete, path = "/webhook-endpoints/{endpoint}", tag = "events", params(("endpoint" = uuid::Uuid, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn delete_webhook_endpoint(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    whose: Whose,
    EndpointPath(id): EndpointPath,
) -> Answer<StatusCode> {
    endpoints::delete(&state, &ctx, whose, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How to rotate.
#[derive(Deserialize, ToSchema)]
pub(crate) struct RotateWebhookSecretIn {
    /// How long deliveries are signed with the present secret beside the new one; 24 when absent.
    grace_hours: Option<i64>,
}

/// Gives a receiver a new secret. Deliveries carry a signature for each that is live.
#[utoipa::path(post, path = "/webhook-endpoints/{endpoint}/rotate-secret", tag = "events", params(("endpoint" = uuid::Uuid, Path)),
    request_body = RotateWebhookSecretIn,
    responses((status = 200, body = WebhookSecret), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn rotate_webhook_secret(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    whose: Whose,
    EndpointPath(id): EndpointPath,
    Body(input): Body<RotateWebhookSecretIn>,
) -> Answer<Json<WebhookSecret>> {
    let hours = input.grace_hours.unwrap_or(limits::PARTNER_SECRET_GRACE_HOURS);
    let secret = endpoints::rotate_secret(&state, &ctx, whose, id, hours).await?;
    Ok(Json(WebhookSecret { secret: secret.expose_secret().to_owned() }))
}

/// Why nothing is to be delivered.
#[derive(Deserialize, ToSchema)]
pub(crate) struct DisableWebhookEndpointIn {
    reason: String,
}

/// Stops deliveries to a receiver, for a reason that is kept.
#[utoipa::path(post, path = "/webhook-endpoints/{endpoint}/disable", tag = "events", params(("endpoint" = uuid::Uuid, Path)),
    request_body = DisableWebhookEndpointIn,
    responses((status = 200, body = WebhookEndpointEnvelope), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn disable_webhook_endpoint(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    whose: Whose,
    EndpointPath(id): EndpointPath,
    Body(input): Body<DisableWebhookEndpointIn>,
) -> Answer<Json<WebhookEndpointEnvelope>> {
    Ok(Json(endpoints::disable(&state, &ctx, whose, id, &input.reason).await?.into()))
}

/// Lets deliveries to a receiver go on; what waited is delivered now.
#[utoipa::path(post, path = "/webhook-endpoints/{endpoint}/enable", tag = "events", params(("endpoint" = uuid::Uuid, Path)),
    responses((status = 200, body = WebhookEndpointEnvelope), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn enable_webhook_endpoint(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    whose: Whose,
    EndpointPath(id): EndpointPath,
) -> Answer<Json<WebhookEndpointEnvelope>> {
    Ok(Json(endpoints::enable(&state, &ctx, whose, id).await?.into()))
}
