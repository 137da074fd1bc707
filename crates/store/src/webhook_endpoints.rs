//! Receivers of events and the secrets by which they know that a delivery is ours.

use chrono::{DateTime, Utc};
use ids::{WebhookEndpointId, WebhookSecretId};
use model::events::{EventType, Owner};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{parse_list, texts};

/// A receiver of events.
#[derive(Clone, Debug)]
pub struct WebhookEndpoint {
    /// Its id.
    pub id: WebhookEndpointId,
    /// Where deliveries go.
    pub url: String,
    /// What its owner calls it.
    pub description: Option<String>,
    /// What it is told of; absent means everything.
    pub types: Option<Vec<EventType>>,
    /// Since when nothing is delivered.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Why.
    pub disabled_reason: Option<String>,
    /// When it was named.
    pub created_at: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    url: String,
    description: Option<String>,
    types: Option<Vec<String>>,
    disabled_at: Option<DateTime<Utc>>,
    disabled_reason: Option<String>,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for WebhookEndpoint {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        let Row { id, url, description, types, disabled_at, disabled_reason, created_at } = row;
        let types = parse_list(types)?;
        Ok(Self { id: id.into(), url, description, types, disabled_at, disabled_reason, created_at })
    }
}

fn owner_ids(owner: Owner) -> (Option<Uuid>, Option<Uuid>) {
    (owner.organization_id().map(Uuid::from), owner.partner_id().map(|id| id.as_uuid()))
}

/// Adds a receiver.
pub async fn insert(conn: &mut PgConnection, owner: Owner, endpoint: &WebhookEndpoint) -> sqlx::Result<()> {
    let (organization_id, partner_id) = owner_ids(owner);
    let types = texts(endpoint.types.as_deref(), EventType::as_str);
    sqlx::query!(
        "insert into webhook_endpoints (id, organization_id, partner_id, url, description, types, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $7)",
        endpoint.id.as_uuid(),
        organization_id,
        partner_id,
        endpoint.url,
        endpoint.description,
        types.as_deref(),
        endpoint.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A receiver of this owner.
pub async fn find(
    conn: &mut PgConnection,
    owner: Owner,
    id: WebhookEndpointId,
) -> sqlx::Result<Option<WebhookEndpoint>> {
    let (organization_id, partner_id) = owner_ids(owner);
    let row = sqlx::query_as!(
        Row,
        "select id, url, description, types, disabled_at, disabled_reason, created_at from webhook_endpoints
         where id = $1 and organization_id is not distinct from $2 and partner_id is not distinct from $3",
        id.as_uuid(),
        organization_id,
        partner_id
    )
    .fetch_optional(conn)
    .await?;
    row.map(WebhookEndpoint::try_from).transpose()
}

/// The receivers of this owner, oldest first.
pub async fn list(conn: &mut PgConnection, owner: Owner) -> sqlx::Result<Vec<WebhookEndpoint>> {
    let (organization_id, partner_id) = owner_ids(owner);
    let rows = sqlx::query_as!(
        Row,
        "select id, url, description, types, disabled_at, disabled_reason, created_at from webhook_endpoints
         where organization_id = $1 or partner_id = $2 order by created_at, id",
        organization_id,
        partner_id
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(WebhookEndpoint::try_from).collect()
}

/// Locks a receiver's row until the transaction ends: nobody else decides what is delivered next. False when it is gone.
pub async fn lock(conn: &mut PgConnection, id: WebhookEndpointId) -> sqlx::Result<bool> {
    let row = sqlx::query!("select id from webhook_endpoints where id = $1 for no key update", id.as_uuid());
    Ok(row.fetch_optional(conn).await?.is_some())
}

/// Changes where a receiver is and what it is told of.
pub async fn update(conn: &mut PgConnection, endpoint: &WebhookEndpoint, at: DateTime<Utc>) -> sqlx::Result<()> {
    let types = texts(endpoint.types.as_deref(), EventType::as_str);
    sqlx::query!(
        "update webhook_endpoints set url = $2, description = $3, types = $4, updated_at = $5 where id = $1",
        endpoint.id.as_uuid(),
        endpoint.url,
        endpoint.description,
        types.as_deref(),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stops deliveries for a reason, or lets them go on.
pub async fn set_disabled(
    conn: &mut PgConnection,
    id: WebhookEndpointId,
    reason: Option<&str>,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update webhook_endpoints
         set disabled_at = case when $2::text is not null then coalesce(disabled_at, $3) end, disabled_reason = $2, updated_at = $3
         where id = $1",
        id.as_uuid(),
        reason,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets a receiver and what was to be delivered to it.
pub async fn delete(conn: &mut PgConnection, id: WebhookEndpointId) -> sqlx::Result<()> {
    sqlx::query!("delete from webhook_endpoints where id = $1", id.as_uuid()).execute(conn).await?;
    Ok(())
}

/// Adds a secret.
pub async fn insert_secret(
    conn: &mut PgConnection,
    id: WebhookSecretId,
    endpoint_id: WebhookEndpointId,
    sealed: &[u8],
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into webhook_secrets (id, endpoint_id, sealed, created_at) values ($1, $2, $3, $4)",
        id.as_uuid(),
        endpoint_id.as_uuid(),
        sealed,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets the secret that is not rotated yet end at `until`, and forgets those rotated before.
pub async fn retire_secrets(
    conn: &mut PgConnection,
    endpoint_id: WebhookEndpointId,
    until: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from webhook_secrets where endpoint_id = $1 and expires_at is not null",
        endpoint_id.as_uuid()
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("update webhook_secrets set expires_at = $2 where endpoint_id = $1", endpoint_id.as_uuid(), until)
        .execute(conn)
        .await?;
    Ok(())
}

/// The sealed secrets of a receiver that have not expired, newest first: at most two.
pub async fn live_secrets(
    conn: &mut PgConnection,
    endpoint_id: WebhookEndpointId,
    at: DateTime<Utc>,
) -> sqlx::Result<Vec<(WebhookSecretId, Vec<u8>)>> {
    let rows = sqlx::query!(
        "select id, sealed from webhook_secrets
         where endpoint_id = $1 and (expires_at is null or expires_at > $2) order by created_at desc, id desc",
        endpoint_id.as_uuid(),
        at
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row.sealed)).collect())
}

/// Sealed secrets of all endpoints in the order of their ids, behind `after`.
pub async fn sealed_secrets(
    conn: &mut PgConnection,
    after: Option<WebhookSecretId>,
    limit: i64,
) -> sqlx::Result<Vec<(WebhookSecretId, Vec<u8>)>> {
    let rows = sqlx::query!(
        "select id, sealed from webhook_secrets where $1::uuid is null or id > $1 order by id limit $2",
        after.map(|id| id.as_uuid()),
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row.sealed)).collect())
}

/// Replaces how a secret is sealed, unless somebody has done so since `before` was read.
pub async fn replace_sealed_secret(
    conn: &mut PgConnection,
    id: WebhookSecretId,
    before: &[u8],
    sealed: &[u8],
) -> sqlx::Result<()> {
    sqlx::query!("update webhook_secrets set sealed = $3 where id = $1 and sealed = $2", id.as_uuid(), before, sealed)
        .execute(conn)
        .await?;
    Ok(())
}
