//! Receivers of events: where they are, what they are told of, and the secrets by which they know us.

use chrono::Duration;
use ids::{WebhookEndpointId, WebhookSecretId};
use model::{
    Error,
    events::{EventType, Owner, check_reason},
    limits,
    secrets::{webhook_context, webhook_secret},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::PgConnection;
use store::{
    webhook_deliveries,
    webhook_endpoints::{self, WebhookEndpoint},
};

use super::{Access, Whose, owner};
use crate::{
    app::{
        Ctx, Failure,
        audit::{self, Subject},
    },
    state::State,
};

pub(super) fn not_found() -> Error {
    Error::not_found("webhook.not_found", "Webhook endpoint")
}

/// What a caller chooses for a receiver. An absent field stays, or is left out of a new one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) url: Option<String>,
    /// Empty text removes it.
    pub(crate) description: Option<String>,
    /// An empty list means everything.
    pub(crate) types: Option<Vec<EventType>>,
}

/// Names a receiver. Its secret is in the answer and nowhere else.
pub(crate) async fn create(
    state: &State,
    ctx: &Ctx,
    whose: Whose,
    wanted: Wanted,
) -> Result<(WebhookEndpoint, SecretString), Failure> {
    let mut tx = state.begin().await?;
    let owner = owner(&mut tx, ctx, whose, Access::Administer).await?;
    let now = state.clock.now();
    let mut endpoint = WebhookEndpoint {
        id: WebhookEndpointId::generate(),
        url: String::new(),
        description: None,
        types: None,
        disabled_at: None,
        disabled_reason: None,
        created_at: now,
    };
    if wanted.url.is_none() {
        return Err(Error::invalid("url", "url is missing").into());
    }
    apply(state, &mut endpoint, wanted).await?;
    lock_owner(&mut tx, owner).await?;
    let present = webhook_endpoints::list(&mut tx, owner).await?.len();
    if i64::try_from(present).is_ok_and(|present| present >= limits::WEBHOOK_ENDPOINTS) {
        let text = format!("There are {present} webhook endpoints already. Delete one first.");
        return Err(Error::quota_exceeded("webhook.quota_exceeded", text).into());
    }
    let audit_id = open(&mut tx, state, ctx, owner, "webhook.create", &endpoint).await?;
    webhook_endpoints::insert(&mut tx, owner, &endpoint).await?;
    let secret = add_secret(&mut tx, state, endpoint.id).await?;
    audit::close_done(&mut tx, state, audit_id).await?;
    tx.commit().await?;
    Ok((endpoint, secret))
}

/// Receivers of one owner are named one after another, so that no limit is overrun.
async fn lock_owner(conn: &mut PgConnection, owner: Owner) -> Result<(), Failure> {
    match owner {
        Owner::Organization(id) => {
            store::organizations::lock(conn, id).await?;
        }
        Owner::Partner(id) => store::partners::lock(conn, id).await?,
    }
    Ok(())
}

async fn add_secret(conn: &mut PgConnection, state: &State, id: WebhookEndpointId) -> Result<SecretString, Failure> {
    let (key, text) = webhook_secret();
    let secret_id = WebhookSecretId::generate();
    let sealed = state.master_key.seal(&webhook_context(secret_id), &key);
    webhook_endpoints::insert_secret(conn, secret_id, id, &sealed, state.clock.now()).await?;
    Ok(text)
}

async fn apply(state: &State, endpoint: &mut WebhookEndpoint, wanted: Wanted) -> Result<(), Failure> {
    if let Some(url) = wanted.url {
        endpoint.url = check_url(state, &url).await?;
    }
    if let Some(text) = wanted.description {
        let text = text.trim();
        if text.chars().count() > limits::WEBHOOK_TEXT_MAX || text.chars().any(char::is_control) {
            let text = format!("description must be at most {} characters on one line", limits::WEBHOOK_TEXT_MAX);
            return Err(Error::invalid("description", text).into());
        }
        endpoint.description = (!text.is_empty()).then(|| text.to_owned());
    }
    if let Some(types) = wanted.types {
        endpoint.types = (!types.is_empty()).then_some(types);
    }
    Ok(())
}

async fn check_url(state: &State, url: &str) -> Result<String, Failure> {
    let url = url.trim();
    if url.len() > limits::WEBHOOK_URL_MAX {
        return Err(Error::invalid("url", format!("url must be at most {} bytes", limits::WEBHOOK_URL_MAX)).into());
    }
    if http::Uri::try_from(url).is_err() {
        return Err(Error::invalid("url", "url is no URL").into());
    }
    state.outbound.check(url).await.map_err(|error| Error::invalid("url", format!("url {error}")))?;
    Ok(url.to_owned())
}

async fn open(
    conn: &mut PgConnection,
    state: &State,
    ctx: &Ctx,
    owner: Owner,
    action: &'static str,
    endpoint: &WebhookEndpoint,
) -> Result<ids::AuditId, Failure> {
    // The path of a receiver's URL may be a secret of its own.
    let host = http::Uri::try_from(&endpoint.url).ok().and_then(|url| url.host().map(str::to_owned));
    let detail = json!({ "webhook_endpoint_id": endpoint.id, "host": host, "partner_id": owner.partner_id() });
    let subject = Subject { organization_id: owner.organization_id(), project_id: None, detail };
    audit::open(conn, state, ctx, action, subject).await
}

/// The receivers, oldest first.
pub(crate) async fn list(state: &State, ctx: &Ctx, whose: Whose) -> Result<Vec<WebhookEndpoint>, Failure> {
    let mut conn = state.connection().await?;
    let owner = owner(&mut conn, ctx, whose, Access::Administer).await?;
    Ok(webhook_endpoints::list(&mut conn, owner).await?)
}

/// A receiver, if it is this owner's and the caller may manage it.
pub(super) async fn find(
    conn: &mut PgConnection,
    ctx: &Ctx,
    whose: Whose,
    id: WebhookEndpointId,
) -> Result<(Owner, WebhookEndpoint), Failure> {
    let owner = owner(conn, ctx, whose, Access::Administer).await?;
    Ok((owner, webhook_endpoints::find(conn, owner, id).await?.ok_or_else(not_found)?))
}

/// A receiver.
pub(crate) async fn get(
    state: &State,
    ctx: &Ctx,
    whose: Whose,
    id: WebhookEndpointId,
) -> Result<WebhookEndpoint, Failure> {
    Ok(find(&mut *state.connection().await?, ctx, whose, id).await?.1)
}

/// Changes a receiver, in one transaction with its audit row; nobody decides about its deliveries meanwhile.
async fn change(
    state: &State,
    ctx: &Ctx,
    whose: Whose,
    id: WebhookEndpointId,
    action: &'static str,
    act: impl AsyncFnOnce(&mut PgConnection, &mut WebhookEndpoint) -> Result<(), Failure>,
) -> Result<WebhookEndpoint, Failure> {
    let mut tx = state.begin().await?;
    let (owner, _) = find(&mut tx, ctx, whose, id).await?;
    webhook_endpoints::lock(&mut tx, id).await?;
    let (_, mut endpoint) = find(&mut tx, ctx, whose, id).await?;
    let audit_id = open(&mut tx, state, ctx, owner, action, &endpoint).await?;
    act(&mut tx, &mut endpoint).await?;
    audit::close_done(&mut tx, state, audit_id).await?;
    tx.commit().await?;
    Ok(endpoint)
}

/// Changes where a receiver is, what it is called and what it is told of.
pub(crate) async fn update(
    state: &State,
    ctx: &Ctx,
    whose: Whose,
    id: WebhookEndpointId,
    wanted: Wanted,
) -> Result<WebhookEndpoint, Failure> {
    change(state, ctx, whose, id, "webhook.update", async |conn, endpoint| {
        apply(state, endpoint, wanted).await?;
        Ok(webhook_endpoints::update(conn, endpoint, state.clock.now()).await?)
    })
    .await
}

/// Forgets a receiver and what was to be delivered to it.
pub(crate) async fn delete(state: &State, ctx: &Ctx, whose: Whose, id: WebhookEndpointId) -> Result<(), Failure> {
    let deleted = change(state, ctx, whose, id, "webhook.delete", async |conn, endpoint| {
        Ok(webhook_endpoints::delete(conn, endpoint.id).await?)
    });
    deleted.await.map(drop)
}

/// Gives a receiver a new secret. For `grace_hours` deliveries are signed with the one before as well.
pub(crate) async fn rotate_secret(
    state: &State,
    ctx: &Ctx,
    whose: Whose,
    id: WebhookEndpointId,
    grace_hours: i64,
) -> Result<SecretString, Failure> {
    if !(0..=limits::PARTNER_SECRET_GRACE_HOURS_MAX).contains(&grace_hours) {
        let text = format!("grace_hours must be between 0 and {}", limits::PARTNER_SECRET_GRACE_HOURS_MAX);
        return Err(Error::invalid("grace_hours", text).into());
    }
    let mut secret = None;
    change(state, ctx, whose, id, "webhook.rotate_secret", async |conn, endpoint| {
        let until = state.clock.now() + Duration::hours(grace_hours);
        webhook_endpoints::retire_secrets(conn, endpoint.id, until).await?;
        secret = Some(add_secret(conn, state, endpoint.id).await?);
        Ok(())
    })
    .await?;
    Ok(secret.expect("the change above made it"))
}

/// Stops deliveries for a reason that is kept. What waits goes on waiting; what happens from now on is not delivered, but can be listed.
pub(crate) async fn disable(
    state: &State,
    ctx: &Ctx,
    whose: Whose,
    id: WebhookEndpointId,
    reason: &str,
) -> Result<WebhookEndpoint, Failure> {
    let reason = check_reason(reason)?;
    change(state, ctx, whose, id, "webhook.disable", async |conn, endpoint| {
        webhook_endpoints::set_disabled(conn, endpoint.id, Some(&reason), state.clock.now()).await?;
        webhook_deliveries::suspend(conn, endpoint.id).await?;
        endpoint.disabled_at = endpoint.disabled_at.or(Some(state.clock.now()));
        endpoint.disabled_reason = Some(reason);
        Ok(())
    })
    .await
}

/// Lets deliveries go on; what waited is due at once.
pub(crate) async fn enable(
    state: &State,
    ctx: &Ctx,
    whose: Whose,
    id: WebhookEndpointId,
) -> Result<WebhookEndpoint, Failure> {
    change(state, ctx, whose, id, "webhook.enable", async |conn, endpoint| {
        webhook_endpoints::set_disabled(conn, endpoint.id, None, state.clock.now()).await?;
        webhook_deliveries::advance_lanes(conn, endpoint.id, None, state.clock.now()).await?;
        (endpoint.disabled_at, endpoint.disabled_reason) = (None, None);
        Ok(())
    })
    .await
}

/// For the audit log of a delivery.
pub(super) fn subject(owner: Owner, id: WebhookEndpointId, mut detail: Value) -> Subject {
    detail["webhook_endpoint_id"] = json!(id);
    Subject { organization_id: owner.organization_id(), project_id: None, detail }
}
