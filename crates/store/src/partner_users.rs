//! People as partners know them.

use chrono::{DateTime, Utc};
use ids::{PartnerId, PartnerUserId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

/// A partner's user as recorded.
#[derive(Clone, Debug)]
pub struct PartnerUser {
    /// Their id for this partner.
    pub id: PartnerUserId,
    /// The partner.
    pub partner_id: PartnerId,
    /// What the partner calls them.
    pub name: String,
    /// Their address, as the partner wrote it.
    pub email: String,
    /// The account behind it, for a co-branded partner.
    pub user_id: Option<UserId>,
    /// When they were connected.
    pub created_at: DateTime<Utc>,
}

/// Connects a person, or finds who is connected under that address already; the name follows what the partner says.
pub async fn connect(conn: &mut PgConnection, user: &PartnerUser) -> sqlx::Result<PartnerUserId> {
    let id = sqlx::query_scalar!(
        "insert into partner_users (id, partner_id, name, email, user_id, created_at) values ($1, $2, $3, $4, $5, $6)
         on conflict (partner_id, lower(email)) do update set name = excluded.name
         returning id",
        user.id.as_uuid(),
        user.partner_id.as_uuid(),
        user.name,
        user.email,
        user.user_id.map(Uuid::from),
        user.created_at
    )
    .fetch_one(conn)
    .await?;
    Ok(id.into())
}

/// A user of this partner.
pub async fn find(
    conn: &mut PgConnection,
    partner_id: PartnerId,
    id: PartnerUserId,
) -> sqlx::Result<Option<PartnerUser>> {
    let row = sqlx::query!(
        "select id, partner_id, name, email, user_id, created_at from partner_users where id = $1 and partner_id = $2",
        id.as_uuid(),
        partner_id.as_uuid()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| PartnerUser {
        id: row.id.into(),
        partner_id: row.partner_id.into(),
        name: row.name,
        email: row.email,
        user_id: row.user_id.map(Into::into),
        created_at: row.created_at,
    }))
}
