//! Keys that sign tokens, sealed.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// A signing key as recorded.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// The `kid` of its tokens.
    pub id: String,
    /// The private key, sealed with the master key under the context `signing_key/<id>`.
    pub sealed_private_key: Vec<u8>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it signs nothing new.
    pub retired_at: Option<DateTime<Utc>>,
}

/// Every key whose tokens may still be about, newest first.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<SigningKey>> {
    sqlx::query_as!(
        SigningKey,
        "select id, sealed_private_key, created_at, retired_at from signing_keys order by retired_at nulls first, created_at desc, id"
    )
    .fetch_all(conn)
    .await
}

/// Lets one caller at a time go on until its transaction ends: replicas that start together must agree on one key.
pub async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('control_plane.signing_keys', 0))")
        .execute(conn)
        .await?;
    Ok(())
}

/// Adds a key.
pub async fn insert(
    conn: &mut PgConnection,
    id: &str,
    sealed_private_key: &[u8],
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into signing_keys (id, sealed_private_key, created_at) values ($1, $2, $3)",
        id,
        sealed_private_key,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Replaces how a private key is sealed, unless somebody has done so since `before` was read.
pub async fn replace_sealed(conn: &mut PgConnection, id: &str, before: &[u8], sealed: &[u8]) -> sqlx::Result<()> {
    sqlx::query!(
        "update signing_keys set sealed_private_key = $3 where id = $1 and sealed_private_key = $2",
        id,
        before,
        sealed
    )
    .execute(conn)
    .await?;
    Ok(())
}
