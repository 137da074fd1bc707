//! Secrets of partners: only hashes are kept. A rotated one works beside its successor until it expires.

use chrono::{DateTime, Utc};
use ids::{PartnerId, PartnerSecretId};
use sqlx::PgConnection;

/// A secret as shown in a list.
#[derive(Clone, Debug)]
pub struct PartnerSecret {
    /// Its id.
    pub id: PartnerSecretId,
    /// When it ends; absent while it was not rotated.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Adds a secret.
pub async fn insert(
    conn: &mut PgConnection,
    id: PartnerSecretId,
    partner_id: PartnerId,
    token_hash: &[u8],
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into partner_secrets (id, partner_id, token_hash, created_at) values ($1, $2, $3, $4)",
        id.as_uuid(),
        partner_id.as_uuid(),
        token_hash,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Hashes of a partner's secrets that have not expired, newest first: at most two.
pub async fn live_hashes(
    conn: &mut PgConnection,
    partner_id: PartnerId,
    at: DateTime<Utc>,
) -> sqlx::Result<Vec<(PartnerSecretId, Vec<u8>)>> {
    let rows = sqlx::query!(
        "select id, token_hash from partner_secrets
         where partner_id = $1 and (expires_at is null or expires_at > $2) order by created_at desc, id desc",
        partner_id.as_uuid(),
        at
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row.token_hash)).collect())
}

/// A partner's secrets that have not expired, newest first.
pub async fn list(
    conn: &mut PgConnection,
    partner_id: PartnerId,
    at: DateTime<Utc>,
) -> sqlx::Result<Vec<PartnerSecret>> {
    let rows = sqlx::query!(
        "select id, expires_at, last_used_at, created_at from partner_secrets
         where partner_id = $1 and (expires_at is null or expires_at > $2) order by created_at desc, id desc",
        partner_id.as_uuid(),
        at
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| PartnerSecret {
            id: row.id.into(),
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            created_at: row.created_at,
        })
        .collect())
}

/// Lets the secrets that are not rotated yet end at `until`, and those rotated before at once, at `at`.
pub async fn retire(
    conn: &mut PgConnection,
    partner_id: PartnerId,
    until: DateTime<Utc>,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update partner_secrets set expires_at = case when expires_at is null then $2 else least(expires_at, $3) end
         where partner_id = $1 and (expires_at is null or expires_at > $3)",
        partner_id.as_uuid(),
        until,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records a use, at most once a minute.
pub async fn touch(conn: &mut PgConnection, id: PartnerSecretId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update partner_secrets set last_used_at = $2
         where id = $1 and (last_used_at is null or last_used_at < $2::timestamptz - interval '1 minute')",
        id.as_uuid(),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}
