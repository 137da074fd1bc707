//! Organizations: the owners of projects.

use chrono::{DateTime, Utc};
use ids::{OrganizationId, UserId};
use model::{
    limits::Plan,
    organizations::{OrganizationType, Role},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::parse;

/// An organization as recorded.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: OrganizationType,
    /// What it subscribes to.
    pub plan: Plan,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// An organization and what the caller may do in it.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The organization.
    pub organization: Organization,
    /// The caller's role; an operator of this cloud who is no member counts as its owner.
    pub role: Role,
}

struct Row {
    id: Uuid,
    name: String,
    r#type: String,
    plan: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    role: String,
}

impl TryFrom<Row> for Membership {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        let organization = Organization {
            id: row.id.into(),
            name: row.name,
            kind: parse(&row.r#type)?,
            plan: parse(&row.plan)?,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Ok(Self { organization, role: parse(&row.role)? })
    }
}

/// Adds an organization.
pub async fn insert(conn: &mut PgConnection, organization: &Organization) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into organizations (id, name, type, plan, created_at, updated_at) values ($1, $2, $3, $4, $5, $6)",
        organization.id.as_uuid(),
        organization.name,
        organization.kind.as_str(),
        organization.plan.as_str(),
        organization.created_at,
        organization.updated_at
    )
    .execute(&mut *conn)
    .await?;
    note_plan(conn, organization.id, organization.plan, organization.created_at).await
}

async fn note_plan(conn: &mut PgConnection, id: OrganizationId, plan: Plan, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into organization_plans (organization_id, since, plan) values ($1, $2, $3)
         on conflict (organization_id, since) do update set plan = excluded.plan",
        id.as_uuid(),
        at,
        plan.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The organizations a user belongs to, oldest first.
pub async fn list(conn: &mut PgConnection, user_id: UserId) -> sqlx::Result<Vec<Membership>> {
    let rows = sqlx::query_as!(
        Row,
        "select o.id, o.name, o.type, o.plan, o.created_at, o.updated_at, m.role
         from organizations o join members m on m.organization_id = o.id
         where m.user_id = $1 and o.deleted_at is null
         order by o.created_at, o.id",
        user_id.as_uuid()
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Membership::try_from).collect()
}

/// An organization the user may see: as a member, or as an operator of this cloud.
pub async fn find_owned(
    conn: &mut PgConnection,
    user_id: UserId,
    id: OrganizationId,
) -> sqlx::Result<Option<Membership>> {
    let row = sqlx::query_as!(
        Row,
        r#"select o.id, o.name, o.type, o.plan, o.created_at, o.updated_at, coalesce(m.role, 'owner') as "role!"
           from organizations o
           join users u on u.id = $2
           left join members m on m.organization_id = o.id and m.user_id = u.id
           where o.id = $1 and o.deleted_at is null and (m.id is not null or u.operator)"#,
        id.as_uuid(),
        user_id.as_uuid()
    )
    .fetch_optional(conn)
    .await?;
    row.map(Membership::try_from).transpose()
}

/// The plan of an organization that is not deleted.
pub async fn plan(conn: &mut PgConnection, id: OrganizationId) -> sqlx::Result<Option<Plan>> {
    let plan = sqlx::query_scalar!("select plan from organizations where id = $1 and deleted_at is null", id.as_uuid())
        .fetch_optional(conn)
        .await?;
    plan.map(|plan| parse(&plan)).transpose()
}

/// The plan that an organization, deleted or not, had just before a moment; its first one, when it was made later.
pub async fn plan_before(
    conn: &mut PgConnection,
    id: OrganizationId,
    moment: DateTime<Utc>,
) -> sqlx::Result<Option<Plan>> {
    let plan = sqlx::query_scalar!(
        r#"select coalesce(
               (select h.plan from organization_plans h where h.organization_id = o.id and h.since < $2 order by h.since desc limit 1),
               (select h.plan from organization_plans h where h.organization_id = o.id order by h.since limit 1),
               o.plan) as "plan!"
           from organizations o where o.id = $1"#,
        id.as_uuid(),
        moment
    )
    .fetch_optional(conn)
    .await?;
    plan.map(|plan| parse(&plan)).transpose()
}

/// Locks an organization's row until the transaction ends, so that its quotas are checked by one caller at a time.
/// False when it is gone.
pub async fn lock(conn: &mut PgConnection, id: OrganizationId) -> sqlx::Result<bool> {
    let row = sqlx::query!(
        "select id from organizations where id = $1 and deleted_at is null for no key update",
        id.as_uuid()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Changes the name and the type.
pub async fn update(
    conn: &mut PgConnection,
    id: OrganizationId,
    name: &str,
    kind: OrganizationType,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update organizations set name = $2, type = $3, updated_at = $4 where id = $1",
        id.as_uuid(),
        name,
        kind.as_str(),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Changes the plan, from this moment on.
pub async fn set_plan(conn: &mut PgConnection, id: OrganizationId, plan: Plan, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("update organizations set plan = $2, updated_at = $3 where id = $1", id.as_uuid(), plan.as_str(), at)
        .execute(&mut *conn)
        .await?;
    note_plan(conn, id, plan, at).await
}

/// Marks an organization as deleted. Its row stays, because usage and audit refer to it.
pub async fn mark_deleted(conn: &mut PgConnection, id: OrganizationId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update organizations set deleted_at = coalesce(deleted_at, $2), updated_at = $2 where id = $1",
        id.as_uuid(),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}
