//! Memberships: who belongs to which organization, and as what.

use chrono::{DateTime, Utc};
use ids::{MemberId, OrganizationId, UserId};
use model::organizations::Role;
use sqlx::PgConnection;

/// Adds a member.
pub async fn insert(
    conn: &mut PgConnection,
    id: MemberId,
    organization_id: OrganizationId,
    user_id: UserId,
    role: Role,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into members (id, organization_id, user_id, role, joined_at) values ($1, $2, $3, $4, $5)",
        id.as_uuid(),
        organization_id.as_uuid(),
        user_id.as_uuid(),
        role.as_str(),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How many live organizations a user owns. Locks the user's row, so that the limit holds for concurrent callers.
pub async fn count_owned(conn: &mut PgConnection, user_id: UserId) -> sqlx::Result<i64> {
    crate::users::lock(conn, user_id).await?;
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from members m join organizations o on o.id = m.organization_id
           where m.user_id = $1 and m.role = 'owner' and o.deleted_at is null"#,
        user_id.as_uuid()
    )
    .fetch_one(conn)
    .await
}
