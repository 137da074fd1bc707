//! `Idempotency-Key` on every mutating request: the first one runs, the same one again gets the same answer, and another request under the
//! same key is refused. Only answers that changed something are kept; after a refusal the key is free again.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State as AxumState},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use chrono::Duration as Span;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use ids::OperationId;
use model::{Error, limits};
use sha2::{Digest as _, Sha256};
use store::idempotency_keys::{self, Entry};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    api::{self, OPERATION_HEADER},
    app::{Ctx, Failure},
    state::State,
};

const HEADER: &str = "idempotency-key";
/// How long a duplicate waits for the first request's answer.
const WAIT: Duration = Duration::from_secs(30);
/// A request that has not answered after this long died with its process: none is held longer than ten minutes.
const ABANDONED: Span = Span::minutes(12);

/// The key under which the present request's answer will be kept.
#[derive(Clone, Debug)]
pub(crate) struct IdempotencyKey(pub(crate) String);

/// Whether requests of this method may change something.
pub(crate) fn may_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

struct Claim<'a> {
    state: &'a State,
    principal: Uuid,
    key: String,
    fingerprint: [u8; 32],
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=limits::IDEMPOTENCY_KEY_MAX).contains(&text.len()));
    let text =
        text.ok_or_else(|| Error::invalid("Idempotency-Key", "Idempotency-Key must be 1 to 255 visible characters"))?;
    Ok(Some(text.to_owned()))
}

/// Middleware, inside authentication.
pub(crate) async fn replay_or_run(AxumState(state): AxumState<State>, request: Request, next: Next) -> Response {
    let mutating = may_change(request.method());
    let ctx = request.extensions().get::<Ctx>().cloned();
    match (key_of(request.headers()), ctx) {
        (Err(error), _) if mutating => Failure(error).into_response(),
        (Ok(Some(key)), Some(ctx)) if mutating => {
            with_key(&state, &ctx, key, request, next).await.unwrap_or_else(|failure| failure.into_response())
        }
        _ => next.run(request).await,
    }
}

async fn with_key(state: &State, ctx: &Ctx, key: String, request: Request, next: Next) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, limits::REQUEST_BODY_MAX)
        .await
        .map_err(|_| Error::invalid("body", "The request body is too large or was cut off"))?;
    let fingerprint = fingerprint(&parts.method, &parts.uri, &parts.headers, &bytes);
    let claim = Claim { state, principal: ctx.principal(), key: key.clone(), fingerprint };
    if let Some(response) = claim.take_or_replay(ctx).await? {
        return Ok(response);
    }
    let mut request = Request::from_parts(parts, Body::from(bytes));
    request.extensions_mut().insert(IdempotencyKey(key.clone()));
    let (state, principal) = (state.clone(), ctx.principal());
    // A task of its own: a client that goes away must not leave a half-done request behind.
    let run = tokio::spawn(async move {
        let response = next.run(request).await;
        keep(&state, principal, &key, response).await
    });
    run.await.map_err(|error| Error::internal(error).into()).flatten()
}

fn fingerprint(method: &Method, uri: &http::Uri, headers: &HeaderMap, body: &Bytes) -> [u8; 32] {
    let condition = headers.get(header::IF_MATCH).map_or(&b""[..], HeaderValue::as_bytes);
    let mut hash = Sha256::new();
    for part in
        [method.as_str().as_bytes(), uri.path().as_bytes(), uri.query().unwrap_or("").as_bytes(), condition, body]
    {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

impl Claim<'_> {
    /// Nothing, when the caller has the key and must run the request; else the answer of the request that had it first.
    async fn take_or_replay(&self, ctx: &Ctx) -> Result<Option<Response>, Failure> {
        let Self { state, principal, key, fingerprint } = self;
        let deadline = Instant::now() + WAIT;
        let mut pause = Duration::from_millis(20);
        loop {
            let now = state.clock.now();
            let mut conn = state.connection().await?;
            idempotency_keys::purge(&mut conn, *principal, now - Span::hours(limits::IDEMPOTENCY_KEY_HOURS)).await?;
            if idempotency_keys::claim(&mut conn, *principal, key, fingerprint, now).await? {
                return Ok(None);
            }
            // Between the two statements the first request may have failed and freed the key.
            if let Some(entry) = idempotency_keys::find(&mut conn, *principal, key).await? {
                if entry.request_fingerprint != fingerprint {
                    let text = "This Idempotency-Key was used with another request";
                    return Err(Error::unprocessable("idempotency.key_reused", text).into());
                }
                if let Some(response) = self.replay(&entry)? {
                    return Ok(Some(response));
                }
                if now - entry.created_at > ABANDONED {
                    match entry.operation_id {
                        Some(id) => {
                            drop(conn);
                            return self.recover(ctx, id).await.map(Some);
                        }
                        None if idempotency_keys::take_over(&mut conn, *principal, key, entry.created_at, now)
                            .await? =>
                        {
                            return Ok(None);
                        }
                        None => {}
                    }
                }
            }
            drop(conn);
            if Instant::now() + pause > deadline {
                let text = "The first request with this Idempotency-Key is still being worked on. Try again.";
                return Err(Error::conflict("idempotency.in_progress", text).conflict_as_locked().into());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }

    fn replay(&self, entry: &Entry) -> Result<Option<Response>, Failure> {
        let (Some(status), Some(sealed)) = (entry.status, &entry.body) else { return Ok(None) };
        let body = self.state.master_key.open(&context(self.principal, &self.key), sealed).map_err(Error::internal)?;
        let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.ok_or_else(|| Error::internal("a recorded status is none"))?;
        let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        if let Some(id) = entry.operation_id {
            response.headers_mut().insert(OPERATION_HEADER, api::operation_value(id));
        }
        response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
        Ok(Some(response))
    }

    /// The first request recorded its work and died before it answered: the answer is made again from what was recorded.
    async fn recover(&self, ctx: &Ctx, id: OperationId) -> Result<Response, Failure> {
        let response = api::operations::answer_again(self.state, ctx, id).await?;
        keep(self.state, self.principal, &self.key, response).await
    }
}

/// Answers are sealed, because some hold a key that is shown once.
fn context(principal: Uuid, key: &str) -> String {
    format!("idempotency/{principal}/{key}")
}

/// Keeps an answer that changed something; frees the key otherwise.
async fn keep(state: &State, principal: Uuid, key: &str, response: Response) -> Result<Response, Failure> {
    let operation_id: Option<OperationId> = response
        .headers()
        .get(OPERATION_HEADER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    let started = operation_id.is_some() && response.status() != StatusCode::SERVICE_UNAVAILABLE;
    let mut conn = state.connection().await?;
    if !response.status().is_success() && !started {
        idempotency_keys::release(&mut conn, principal, key).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.map_err(Error::internal)?;
    let sealed = state.master_key.seal(&context(principal, key), &bytes);
    let status = i32::from(parts.status.as_u16());
    idempotency_keys::complete(&mut conn, principal, key, status, &sealed, operation_id).await?;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}
