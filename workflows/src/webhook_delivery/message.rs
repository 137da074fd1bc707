//! One delivery on the wire, in the form of Standard Webhooks: id, time and one signature per live secret; the body is the event.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Request, header};
use outbound::Limits;
use serde_json::json;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};
use store::webhook_deliveries::Due;

use crate::World;

/// Of an answer so much is read; nothing in it matters but its status.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why a delivery was not taken. The text names no address.
#[derive(Debug)]
pub(super) struct Failed {
    /// The receiver's status, if it answered.
    pub(super) status: Option<u16>,
    /// For the endpoint's owner.
    pub(super) reason: String,
}

impl Failed {
    fn without_answer(reason: impl Into<String>) -> Self {
        Self { status: None, reason: reason.into() }
    }
}

/// Sends an event and waits for the answer, whose status is returned when it says that the event was taken.
pub(super) async fn send(world: &World, due: &Due, timeout: Duration) -> Result<u16, Failed> {
    let request = request(world, due).await?;
    let limits = Limits { timeout, body_bytes_max: ANSWER_BYTES_MAX, follow_redirects: false };
    let answer = world.outbound.send(request, limits).await;
    let status = answer.map_err(|error| Failed::without_answer(format!("The receiver's URL {error}")))?.status();
    let failed = |reason: String| Failed { status: Some(status.as_u16()), reason };
    match status {
        taken if taken.is_success() => Ok(status.as_u16()),
        moved if moved.is_redirection() => {
            Err(failed("The receiver answers with a redirect, which is not followed".to_owned()))
        }
        refused => Err(failed(format!("The receiver answers {}", refused.as_u16()))),
    }
}

async fn request(world: &World, due: &Due) -> Result<Request<Vec<u8>>, Failed> {
    let unusable = |_| Failed::without_answer("The receiver's URL is no URL");
    let event = &due.event;
    let at = clock::iso_millis(event.created_at);
    let body = json!({ "id": event.id, "type": event.kind, "timestamp": at, "data": event.data }).to_string();
    let (id, sent_at) = (event.id.to_string(), world.clock.now().timestamp());
    let signatures = signatures(world, due, &id, sent_at, &body).await?;
    let mut request = Request::post(&due.url).body(body.into_bytes()).map_err(unusable)?;
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (HeaderName::from_static(HEADER_WEBHOOK_ID), id),
        (HeaderName::from_static(HEADER_WEBHOOK_TIMESTAMP), sent_at.to_string()),
        (HeaderName::from_static(HEADER_WEBHOOK_SIGNATURE), signatures),
    ] {
        request.headers_mut().insert(name, HeaderValue::try_from(value).expect("ids, numbers and base64 are visible"));
    }
    Ok(request)
}

/// One signature per secret, so that a receiver that knows either of two takes the delivery.
async fn signatures(world: &World, due: &Due, id: &str, sent_at: i64, body: &str) -> Result<String, Failed> {
    let ours = |what: &'static str| Failed::without_answer(what);
    let unread = |error: sqlx::Error| {
        tracing::warn!(error = telemetry::chain(&error), "the secrets of a receiver could not be read");
        ours("The delivery could not be prepared on our side")
    };
    let mut conn = world.pool.acquire().await.map_err(unread)?;
    let secrets = store::webhook_endpoints::live_secrets(&mut conn, due.endpoint_id, world.clock.now());
    let mut signatures = Vec::new();
    for (secret_id, sealed) in secrets.await.map_err(unread)? {
        let signed = world
            .master_key
            .open(&model::secrets::webhook_context(secret_id), &sealed)
            .ok()
            .and_then(|key| Webhook::from_bytes(key).ok()?.sign(id, sent_at, body.as_bytes()).ok());
        match signed {
            Some(signature) => signatures.push(signature),
            None => {
                tracing::error!(webhook.secret_id = %secret_id, "a receiver's secret cannot be opened with the master key")
            }
        }
    }
    if signatures.is_empty() {
        Err(ours("The receiver has no secret that can be read"))
    } else {
        Ok(signatures.join(" "))
    }
}
