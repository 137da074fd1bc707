//! Refresh tokens: one row per family. Only hashes are kept; the previous one works for a short grace after a rotation.

use chrono::{DateTime, Utc};
use ids::{SessionId, UserId};
use sqlx::PgConnection;

/// Which of its two tokens a session was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAge {
    /// The newest.
    Current,
    /// The one before it.
    Previous,
}

/// A session as found by one of its tokens.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// Which token found it.
    pub age: TokenAge,
    /// When its token last changed.
    pub rotated_at: Option<DateTime<Utc>>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Begins a session.
pub async fn insert(
    conn: &mut PgConnection,
    id: SessionId,
    user_id: UserId,
    token_hash: &[u8],
    at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into sessions (id, user_id, token_hash, expires_at, created_at) values ($1, $2, $3, $4, $5)",
        id.as_uuid(),
        user_id.as_uuid(),
        token_hash,
        expires_at,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The session with this token, now or before the last rotation, unless revoked. Locked until the transaction ends.
pub async fn find_by_token(conn: &mut PgConnection, token_hash: &[u8]) -> sqlx::Result<Option<Session>> {
    let row = sqlx::query!(
        r#"select id, user_id, token_hash = $1 as "current!", rotated_at, expires_at
           from sessions
           where (token_hash = $1 or previous_token_hash = $1) and revoked_at is null
           for update"#,
        token_hash
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Session {
        id: row.id.into(),
        user_id: row.user_id.into(),
        age: if row.current { TokenAge::Current } else { TokenAge::Previous },
        rotated_at: row.rotated_at,
        expires_at: row.expires_at,
    }))
}

/// Replaces the session's token; the present one becomes the previous one.
pub async fn rotate(
    conn: &mut PgConnection,
    id: SessionId,
    token_hash: &[u8],
    at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update sessions
         set previous_token_hash = token_hash, token_hash = $2, rotated_at = $3, last_used_at = $3, expires_at = $4
         where id = $1",
        id.as_uuid(),
        token_hash,
        at,
        expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a session: its refresh tokens and its access tokens are refused from now on.
pub async fn revoke(conn: &mut PgConnection, id: SessionId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("update sessions set revoked_at = coalesce(revoked_at, $2) where id = $1", id.as_uuid(), at)
        .execute(conn)
        .await?;
    Ok(())
}

/// Revokes every session of a user.
pub async fn revoke_all(conn: &mut PgConnection, user_id: UserId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update sessions set revoked_at = $2 where user_id = $1 and revoked_at is null",
        user_id.as_uuid(),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes sessions of a user that ended before `before`.
pub async fn purge(conn: &mut PgConnection, user_id: UserId, before: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("delete from sessions where user_id = $1 and expires_at < $2", user_id.as_uuid(), before)
        .execute(conn)
        .await?;
    Ok(())
}
