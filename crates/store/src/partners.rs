//! Partners.

use chrono::{DateTime, Utc};
use ids::{OrganizationId, PartnerId};
use model::{
    limits::Plan,
    partners::{Allowances, PartnerKind},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{parse, parse_list, texts};

/// A partner as recorded.
#[derive(Clone, Debug)]
pub struct Partner {
    /// Its id.
    pub id: PartnerId,
    /// Its display name.
    pub name: String,
    /// Whose customers its users are.
    pub kind: PartnerKind,
    /// Owns a white-label partner's projects.
    pub organization_id: OrganizationId,
    /// That organization's plan.
    pub plan: Plan,
    /// What it may choose.
    pub allowances: Allowances,
    /// Since when it is refused.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    name: String,
    kind: String,
    organization_id: Uuid,
    plan: String,
    project_limit: Option<i32>,
    regions: Option<Vec<String>>,
    instance_types: Option<Vec<String>>,
    disabled_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for Partner {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id.into(),
            name: row.name,
            kind: parse(&row.kind)?,
            organization_id: row.organization_id.into(),
            plan: parse(&row.plan)?,
            allowances: Allowances {
                project_limit: row.project_limit.map(i32::unsigned_abs),
                regions: parse_list(row.regions)?,
                instance_types: parse_list(row.instance_types)?,
            },
            disabled_at: row.disabled_at,
            created_at: row.created_at,
        })
    }
}

/// `select` of all columns, so that they are named once.
macro_rules! select {
    ($tail:tt $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            "select p.id, p.name, p.kind, p.organization_id, o.plan, p.project_limit, p.regions, p.instance_types, p.disabled_at, p.created_at
             from partners p join organizations o on o.id = p.organization_id " + $tail
            $(, $argument)*
        )
    };
}

/// Adds a partner. Its organization is there already.
pub async fn insert(conn: &mut PgConnection, partner: &Partner) -> sqlx::Result<()> {
    let Allowances { project_limit, regions, instance_types } = &partner.allowances;
    let regions = texts(regions.as_deref(), |region| region.as_str());
    let instance_types = texts(instance_types.as_deref(), |kind| kind.as_str());
    sqlx::query!(
        "insert into partners (id, name, kind, organization_id, project_limit, regions, instance_types, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        partner.id.as_uuid(),
        partner.name,
        partner.kind.as_str(),
        partner.organization_id.as_uuid(),
        project_limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)),
        regions.as_deref(),
        instance_types.as_deref(),
        partner.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A partner by id.
pub async fn find(conn: &mut PgConnection, id: PartnerId) -> sqlx::Result<Option<Partner>> {
    select!("where p.id = $1", id.as_uuid()).fetch_optional(conn).await?.map(Partner::try_from).transpose()
}

/// The partner whose own projects this organization has, if it is a partner's.
pub async fn of_organization(
    conn: &mut PgConnection,
    organization_id: OrganizationId,
) -> sqlx::Result<Option<PartnerId>> {
    let id = sqlx::query_scalar!("select id from partners where organization_id = $1", organization_id.as_uuid())
        .fetch_optional(conn)
        .await?;
    Ok(id.map(Into::into))
}

/// All partners, oldest first.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Partner>> {
    select!("order by p.created_at, p.id").fetch_all(conn).await?.into_iter().map(Partner::try_from).collect()
}

/// Locks a partner's row until the transaction ends, so that its projects are created one after another.
pub async fn lock(conn: &mut PgConnection, id: PartnerId) -> sqlx::Result<()> {
    sqlx::query!("select id from partners where id = $1 for no key update", id.as_uuid()).fetch_optional(conn).await?;
    Ok(())
}

/// Refuses a partner from now on, or lets it in again. False when there is none.
pub async fn set_disabled(
    conn: &mut PgConnection,
    id: PartnerId,
    disabled: bool,
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update partners set disabled_at = case when $2 then coalesce(disabled_at, $3) end, updated_at = $3 where id = $1",
        id.as_uuid(),
        disabled,
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Changes the name and what the partner may choose. False when there is none.
pub async fn update(
    conn: &mut PgConnection,
    id: PartnerId,
    name: &str,
    allowances: &Allowances,
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let Allowances { project_limit, regions, instance_types } = allowances;
    let regions = texts(regions.as_deref(), |region| region.as_str());
    let instance_types = texts(instance_types.as_deref(), |kind| kind.as_str());
    let done = sqlx::query!(
        "update partners set name = $2, project_limit = $3, regions = $4, instance_types = $5, updated_at = $6 where id = $1",
        id.as_uuid(),
        name,
        project_limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)),
        regions.as_deref(),
        instance_types.as_deref(),
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
