//! User API keys (`uak_…`): only hashes are kept.

use chrono::{DateTime, Utc};
use ids::{ApiKeyId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::users::User;

/// A key as shown in a list.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What its owner calls it.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// When it ends; absent means never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    name: String,
    prefix: String,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        let Row { id, name, prefix, expires_at, last_used_at, created_at } = row;
        Self { id: id.into(), name, prefix, expires_at, last_used_at, created_at }
    }
}

/// Adds a key.
pub async fn insert(conn: &mut PgConnection, user_id: UserId, key: &ApiKey, token_hash: &[u8]) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into api_keys (id, user_id, name, prefix, token_hash, expires_at, created_at) values ($1, $2, $3, $4, $5, $6, $7)",
        key.id.as_uuid(),
        user_id.as_uuid(),
        key.name,
        key.prefix,
        token_hash,
        key.expires_at,
        key.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A user's keys that are not revoked, newest first.
pub async fn list(conn: &mut PgConnection, user_id: UserId) -> sqlx::Result<Vec<ApiKey>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, name, prefix, expires_at, last_used_at, created_at
         from api_keys where user_id = $1 and revoked_at is null order by created_at desc, id desc",
        user_id.as_uuid()
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// How many keys of a user are not revoked.
pub async fn count(conn: &mut PgConnection, user_id: UserId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from api_keys where user_id = $1 and revoked_at is null"#,
        user_id.as_uuid()
    )
    .fetch_one(conn)
    .await
}

/// Revokes a user's key. False when there is none.
pub async fn revoke(conn: &mut PgConnection, user_id: UserId, id: ApiKeyId, at: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update api_keys set revoked_at = $3 where id = $1 and user_id = $2 and revoked_at is null",
        id.as_uuid(),
        user_id.as_uuid(),
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Revokes a user's keys of this name.
pub async fn revoke_named(conn: &mut PgConnection, user_id: UserId, name: &str, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update api_keys set revoked_at = $3 where user_id = $1 and name = $2 and revoked_at is null",
        user_id.as_uuid(),
        name,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The owner of a key that is neither revoked nor expired at `at`.
pub async fn authenticate(
    conn: &mut PgConnection,
    token_hash: &[u8],
    at: DateTime<Utc>,
) -> sqlx::Result<Option<(ApiKeyId, User)>> {
    let row = sqlx::query!(
        "select k.id as key_id, u.id, u.email, u.name, u.avatar_url, u.email_verified, u.operator, u.created_at
         from api_keys k join users u on u.id = k.user_id
         where k.token_hash = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > $2)",
        token_hash,
        at
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| {
        let user = User {
            id: row.id.into(),
            email: row.email,
            name: row.name,
            avatar_url: row.avatar_url,
            email_verified: row.email_verified,
            operator: row.operator,
            created_at: row.created_at,
        };
        (row.key_id.into(), user)
    }))
}

/// Records a use, at most once a minute.
pub async fn touch(conn: &mut PgConnection, id: ApiKeyId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update api_keys set last_used_at = $2
         where id = $1 and (last_used_at is null or last_used_at < $2::timestamptz - interval '1 minute')",
        id.as_uuid(),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}
