//! Deliveries of events to a receiver: what came of them, and asking for one again.

use ids::{WebhookDeliveryId, WebhookEndpointId};
use model::Error;
use serde_json::json;
use store::webhook_deliveries::{self, Attempt, Delivery, Redelivery};

use super::{Whose, endpoints};
use crate::{
    app::{Ctx, Failure, audit},
    state::State,
};

fn not_found() -> Error {
    Error::not_found("webhook.delivery_not_found", "Delivery")
}

/// Deliveries before a position in the order of events, newest first.
pub(crate) async fn list(
    state: &State,
    ctx: &Ctx,
    whose: Whose,
    id: WebhookEndpointId,
    before: i64,
    limit: i64,
) -> Result<Vec<Delivery>, Failure> {
    let mut conn = state.connection().await?;
    endpoints::find(&mut conn, ctx, whose, id).await?;
    Ok(webhook_deliveries::list(&mut conn, id, before, limit).await?)
}

/// The attempts of one delivery, oldest first.
pub(crate) async fn attempts(
    state: &State,
    ctx: &Ctx,
    whose: Whose,
    id: WebhookEndpointId,
    delivery_id: WebhookDeliveryId,
) -> Result<Vec<Attempt>, Failure> {
    let mut conn = state.connection().await?;
    endpoints::find(&mut conn, ctx, whose, id).await?;
    if !webhook_deliveries::exists(&mut conn, id, delivery_id).await? {
        return Err(not_found().into());
    }
    Ok(webhook_deliveries::attempts(&mut conn, id, delivery_id).await?)
}

/// Has an event delivered again: at once, whatever else waits.
pub(crate) async fn redeliver(
    state: &State,
    ctx: &Ctx,
    whose: Whose,
    id: WebhookEndpointId,
    delivery_id: WebhookDeliveryId,
) -> Result<(), Failure> {
    let mut tx = state.begin().await?;
    let (owner, endpoint) = endpoints::find(&mut tx, ctx, whose, id).await?;
    store::webhook_endpoints::lock(&mut tx, id).await?;
    if endpoint.disabled_at.is_some() {
        let text = "The webhook endpoint is disabled. Enable it first.";
        return Err(Error::conflict("webhook.disabled", text).into());
    }
    let subject = endpoints::subject(owner, id, json!({ "delivery_id": delivery_id }));
    let audit_id = audit::open(&mut tx, state, ctx, "webhook.redeliver", subject).await?;
    match webhook_deliveries::redeliver(&mut tx, id, delivery_id, state.clock.now()).await? {
        Redelivery::Due => {}
        Redelivery::Unknown => return Err(not_found().into()),
        Redelivery::Waiting => {
            let text = "The delivery is being made, or waits for earlier ones of its project.";
            return Err(Error::conflict("webhook.delivery_waiting", text).into());
        }
    }
    audit::close_done(&mut tx, state, audit_id).await?;
    Ok(tx.commit().await?)
}
