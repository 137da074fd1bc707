//! Users: people who sign in to the control plane.

use chrono::{DateTime, Utc};
use ids::{SessionId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

/// A user as recorded, without the password's hash.
#[derive(Clone, Debug)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their address, as they wrote it.
    pub email: String,
    /// Their name.
    pub name: String,
    /// Their picture.
    pub avatar_url: Option<String>,
    /// Whether the address was proven to be theirs.
    pub email_verified: bool,
    /// Whether they operate this cloud and see every organization.
    pub operator: bool,
    /// When they came.
    pub created_at: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    email: String,
    name: String,
    avatar_url: Option<String>,
    email_verified: bool,
    operator: bool,
    created_at: DateTime<Utc>,
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        let Row { id, email, name, avatar_url, email_verified, operator, created_at } = row;
        Self { id: id.into(), email, name, avatar_url, email_verified, operator, created_at }
    }
}

/// Adds a user.
pub async fn insert(conn: &mut PgConnection, user: &User, password_hash: Option<&str>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into users (id, email, name, avatar_url, email_verified, operator, password_hash, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        user.id.as_uuid(),
        user.email,
        user.name,
        user.avatar_url,
        user.email_verified,
        user.operator,
        password_hash,
        user.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether there is any user.
pub async fn any(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select exists (select from users) as "any!""#).fetch_one(conn).await
}

/// Lets one caller at a time go on until its transaction ends: the first start is done once, however many replicas start.
pub async fn lock_bootstrap(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('control_plane.bootstrap', 0))").execute(conn).await?;
    Ok(())
}

/// The operator who came first, if any user is one.
pub async fn find_first_operator(conn: &mut PgConnection) -> sqlx::Result<Option<User>> {
    let row = sqlx::query_as!(
        Row,
        "select id, email, name, avatar_url, email_verified, operator, created_at
         from users where operator order by created_at, id limit 1"
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(User::from))
}

/// Gives a user another password.
pub async fn set_password(
    conn: &mut PgConnection,
    id: UserId,
    password_hash: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!("update users set password_hash = $2, updated_at = $3 where id = $1", id.as_uuid(), password_hash, at)
        .execute(conn)
        .await?;
    Ok(())
}

/// A user by address, whatever its case, with the password's hash.
pub async fn find_by_email(conn: &mut PgConnection, email: &str) -> sqlx::Result<Option<(User, Option<String>)>> {
    let row = sqlx::query!(
        "select id, email, name, avatar_url, email_verified, operator, created_at, password_hash
         from users where lower(email) = lower($1)",
        email
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
        (user, row.password_hash)
    }))
}

/// The user behind a session, if neither is gone and the session is not revoked.
pub async fn find_by_session(
    conn: &mut PgConnection,
    session_id: SessionId,
    user_id: UserId,
) -> sqlx::Result<Option<User>> {
    let row = sqlx::query_as!(
        Row,
        "select u.id, u.email, u.name, u.avatar_url, u.email_verified, u.operator, u.created_at
         from users u join sessions s on s.user_id = u.id
         where s.id = $1 and u.id = $2 and s.revoked_at is null",
        session_id.as_uuid(),
        user_id.as_uuid()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(User::from))
}

/// A user by id.
pub async fn find(conn: &mut PgConnection, id: UserId) -> sqlx::Result<Option<User>> {
    let row = sqlx::query_as!(
        Row,
        "select id, email, name, avatar_url, email_verified, operator, created_at from users where id = $1",
        id.as_uuid()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(User::from))
}

/// Locks a user's row until the transaction ends, so that their limits hold for concurrent callers.
pub async fn lock(conn: &mut PgConnection, id: UserId) -> sqlx::Result<()> {
    sqlx::query!("select id from users where id = $1 for no key update", id.as_uuid()).fetch_optional(conn).await?;
    Ok(())
}
