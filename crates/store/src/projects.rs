//! Projects, and branches, which are projects with a parent.

use chrono::{DateTime, Utc};
use ids::{AppKey, OrganizationId, PartnerId, PartnerUserId, ProjectId, UserId};
use model::{
    instances::InstanceType,
    projects::{Intent, Observed, PauseReason},
    regions::Region,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::parse;

/// A project or a branch as recorded.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its owner.
    pub organization_id: OrganizationId,
    /// Set for a branch.
    pub parent_id: Option<ProjectId>,
    /// Its display name; for a branch unique among its siblings.
    pub name: String,
    /// Its DNS label.
    pub app_key: AppKey,
    /// Where it lives.
    pub region: Region,
    /// What it may use.
    pub instance_type: InstanceType,
    /// Backend version, no leading `v`.
    pub service_version: String,
    /// A further host name.
    pub customized_domain: Option<String>,
    /// Idle time after which it sleeps; absent means never.
    pub sleep_after_seconds: Option<i64>,
    /// What its owner wants.
    pub intent: Intent,
    /// What was last proven.
    pub observed: Observed,
    /// The data plane's own address, `host:port`, once known.
    pub address: Option<String>,
    /// Why the last operation failed, fit for clients.
    pub last_operation_error: Option<String>,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// The partner through which it was made.
    pub partner_id: Option<PartnerId>,
    /// For which of the partner's users; absent for a project of the partner itself.
    pub partner_user_id: Option<PartnerUserId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Why, when its owner did not ask for that.
    pub pause_reason: Option<PauseReason>,
    /// Since when it is gone.
    pub deleted_at: Option<DateTime<Utc>>,
}

struct Row {
    id: Uuid,
    organization_id: Uuid,
    parent_id: Option<Uuid>,
    name: String,
    app_key: String,
    region: String,
    instance_type: String,
    service_version: String,
    customized_domain: Option<String>,
    sleep_after_seconds: Option<i64>,
    intent: String,
    observed: String,
    address: Option<String>,
    last_operation_error: Option<String>,
    created_by: Option<Uuid>,
    partner_id: Option<Uuid>,
    partner_user_id: Option<Uuid>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    paused_at: Option<DateTime<Utc>>,
    pause_reason: Option<String>,
    deleted_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Project {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id.into(),
            organization_id: row.organization_id.into(),
            parent_id: row.parent_id.map(Into::into),
            name: row.name,
            app_key: parse(&row.app_key)?,
            region: parse(&row.region)?,
            instance_type: parse(&row.instance_type)?,
            service_version: row.service_version,
            customized_domain: row.customized_domain,
            sleep_after_seconds: row.sleep_after_seconds,
            intent: parse(&row.intent)?,
            observed: parse(&row.observed)?,
            address: row.address,
            last_operation_error: row.last_operation_error,
            created_by: row.created_by.map(Into::into),
            partner_id: row.partner_id.map(Into::into),
            partner_user_id: row.partner_user_id.map(Into::into),
            created_at: row.created_at,
            updated_at: row.updated_at,
            paused_at: row.paused_at,
            pause_reason: row.pause_reason.map(|reason| parse(&reason)).transpose()?,
            deleted_at: row.deleted_at,
        })
    }
}

/// `select` of all columns, so that they are named once.
macro_rules! select {
    ($tail:tt $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            "select p.id, p.organization_id, p.parent_id, p.name, p.app_key, p.region, p.instance_type, p.service_version,
                    p.customized_domain, p.sleep_after_seconds, p.intent, p.observed, p.address, p.last_operation_error,
                    p.created_by, p.partner_id, p.partner_user_id, p.created_at, p.updated_at, p.paused_at, p.pause_reason, p.deleted_at
             from projects p " + $tail
            $(, $argument)*
        )
    };
}

fn one(row: Option<Row>) -> sqlx::Result<Option<Project>> {
    row.map(Project::try_from).transpose()
}

fn all(rows: Vec<Row>) -> sqlx::Result<Vec<Project>> {
    rows.into_iter().map(Project::try_from).collect()
}

/// Any project, deleted ones included. For workflows, which act for the owner; the API uses [`find_owned`].
pub async fn find_for_operation(conn: &mut PgConnection, id: ProjectId) -> sqlx::Result<Option<Project>> {
    one(select!("where p.id = $1", id.as_uuid()).fetch_optional(conn).await?)
}

/// The live project or branch behind a host name, for whoever calls it: host names are public.
pub async fn find_id_at(conn: &mut PgConnection, app_key: &AppKey, region: Region) -> sqlx::Result<Option<ProjectId>> {
    let id = sqlx::query_scalar!(
        "select id from projects where app_key = $1 and region = $2 and deleted_at is null and intent <> 'deleted'",
        app_key.as_str(),
        region.as_str()
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(Into::into))
}

/// A project that is not deleted and that the user may see: as a member of its organization, or as an operator of this cloud.
pub async fn find_owned(conn: &mut PgConnection, user_id: UserId, id: ProjectId) -> sqlx::Result<Option<Project>> {
    one(select!(
        "where p.id = $1 and p.deleted_at is null and p.intent <> 'deleted' and (
             exists (select from members m where m.organization_id = p.organization_id and m.user_id = $2)
             or exists (select from users u where u.id = $2 and u.operator))",
        id.as_uuid(),
        user_id.as_uuid()
    )
    .fetch_optional(conn)
    .await?)
}

/// A project or branch that is not deleted and that was made through the partner.
pub async fn find_of_partner(
    conn: &mut PgConnection,
    partner_id: PartnerId,
    id: ProjectId,
) -> sqlx::Result<Option<Project>> {
    one(select!(
        "where p.id = $1 and p.partner_id = $2 and p.deleted_at is null and p.intent <> 'deleted'",
        id.as_uuid(),
        partner_id.as_uuid()
    )
    .fetch_optional(conn)
    .await?)
}

/// A project that was made through a partner, also one that is gone since: where a list of them goes on.
pub async fn find_ever_of_partner(
    conn: &mut PgConnection,
    partner_id: PartnerId,
    id: ProjectId,
) -> sqlx::Result<Option<Project>> {
    let found = select!("where p.id = $1 and p.partner_id = $2", id.as_uuid(), partner_id.as_uuid());
    one(found.fetch_optional(conn).await?)
}

/// The live project of this name that a partner made for one of its users, or for itself.
pub async fn find_by_partner_name(
    conn: &mut PgConnection,
    partner_id: PartnerId,
    partner_user_id: Option<PartnerUserId>,
    name: &str,
) -> sqlx::Result<Option<Project>> {
    one(select!(
        "where p.partner_id = $1 and p.partner_user_id is not distinct from $2 and p.name = $3 and p.parent_id is null
           and p.deleted_at is null and p.intent <> 'deleted'",
        partner_id.as_uuid(),
        partner_user_id.map(Uuid::from),
        name
    )
    .fetch_optional(conn)
    .await?)
}

/// Live projects of a partner, without branches, in the order of their creation, at most `limit` after the one given.
pub async fn page_of_partner(
    conn: &mut PgConnection,
    partner_id: PartnerId,
    after: Option<(DateTime<Utc>, ProjectId)>,
    limit: i64,
) -> sqlx::Result<Vec<Project>> {
    let (after_at, after_id) = after.map_or((DateTime::UNIX_EPOCH, Uuid::nil()), |(at, id)| (at, id.as_uuid()));
    all(select!(
        "where p.partner_id = $1 and (p.created_at, p.id) > ($2, $3) and p.parent_id is null
           and p.deleted_at is null and p.intent <> 'deleted'
         order by p.created_at, p.id limit $4",
        partner_id.as_uuid(),
        after_at,
        after_id,
        limit
    )
    .fetch_all(conn)
    .await?)
}

/// Live projects of one of a partner's users, or of the partner itself, without branches, newest first, at most `limit`.
pub async fn newest_of_partner_user(
    conn: &mut PgConnection,
    partner_id: PartnerId,
    partner_user_id: Option<PartnerUserId>,
    limit: i64,
) -> sqlx::Result<Vec<Project>> {
    all(select!(
        "where p.partner_id = $1 and p.partner_user_id is not distinct from $2 and p.parent_id is null
           and p.deleted_at is null and p.intent <> 'deleted'
         order by p.created_at desc, p.id desc limit $3",
        partner_id.as_uuid(),
        partner_user_id.map(Uuid::from),
        limit
    )
    .fetch_all(conn)
    .await?)
}

/// The projects of an organization, oldest first, without branches.
pub async fn list(conn: &mut PgConnection, organization_id: OrganizationId) -> sqlx::Result<Vec<Project>> {
    all(select!(
        "where p.organization_id = $1 and p.parent_id is null and p.deleted_at is null and p.intent <> 'deleted'
         order by p.created_at, p.id",
        organization_id.as_uuid()
    )
    .fetch_all(conn)
    .await?)
}

/// The branches of a project that are not deleted, oldest first; those on their way out included.
pub async fn live_branches(conn: &mut PgConnection, parent_id: ProjectId) -> sqlx::Result<Vec<Project>> {
    all(select!("where p.parent_id = $1 and p.deleted_at is null order by p.created_at, p.id", parent_id.as_uuid())
        .fetch_all(conn)
        .await?)
}

/// Which of these are not proven gone. For reconcilers.
pub async fn not_deleted(conn: &mut PgConnection, ids: &[ProjectId]) -> sqlx::Result<Vec<ProjectId>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let found = sqlx::query_scalar!("select id from projects where id = any($1) and deleted_at is null", &ids)
        .fetch_all(conn)
        .await?;
    Ok(found.into_iter().map(Into::into).collect())
}

/// Projects and branches that are not proven gone, in the order of their ids, at most `limit` after the one given. For reconcilers.
pub async fn page_not_deleted(conn: &mut PgConnection, after: ProjectId, limit: i64) -> sqlx::Result<Vec<Project>> {
    all(select!("where p.id > $1 and p.deleted_at is null order by p.id limit $2", after.as_uuid(), limit)
        .fetch_all(conn)
        .await?)
}

/// Every project and branch that is not proven gone and not what its owner wants. Few at any time. For reconcilers.
pub async fn unserved(conn: &mut PgConnection) -> sqlx::Result<Vec<Project>> {
    all(select!(
        "where p.deleted_at is null
           and (p.intent = 'deleted' or p.intent = 'active' and p.observed <> 'serving' or p.intent = 'paused' and p.observed = 'absent')"
    )
    .fetch_all(conn)
    .await?)
}

/// Every project of an organization that is not proven gone, branches included, parents before branches.
pub async fn all_of_organization(
    conn: &mut PgConnection,
    organization_id: OrganizationId,
) -> sqlx::Result<Vec<Project>> {
    all(select!(
        "where p.organization_id = $1 and p.deleted_at is null order by p.parent_id nulls first, p.created_at",
        organization_id.as_uuid()
    )
    .fetch_all(conn)
    .await?)
}

/// Every project of an organization, deleted ones and branches included, oldest first. For usage reports.
pub async fn history(conn: &mut PgConnection, organization_id: OrganizationId) -> sqlx::Result<Vec<Project>> {
    all(select!("where p.organization_id = $1 order by p.created_at, p.id", organization_id.as_uuid())
        .fetch_all(conn)
        .await?)
}

/// The newest live project or branch that this caller created since `since` with the same name, parent and region.
pub async fn find_duplicate(
    conn: &mut PgConnection,
    organization_id: OrganizationId,
    created_by: UserId,
    parent_id: Option<ProjectId>,
    name: &str,
    region: Region,
    since: DateTime<Utc>,
) -> sqlx::Result<Option<Project>> {
    one(select!(
        "where p.organization_id = $1 and p.created_by = $2 and p.parent_id is not distinct from $3 and p.name = $4 and p.region = $5
           and p.created_at >= $6 and p.deleted_at is null and p.intent <> 'deleted'
         order by p.created_at desc limit 1",
        organization_id.as_uuid(),
        created_by.as_uuid(),
        parent_id.map(Uuid::from),
        name,
        region.as_str(),
        since
    )
    .fetch_optional(conn)
    .await?)
}

/// Locks a project's row until the transaction ends, so that decisions about it are taken one after another.
pub async fn lock(conn: &mut PgConnection, id: ProjectId) -> sqlx::Result<()> {
    sqlx::query!("select id from projects where id = $1 for no key update", id.as_uuid()).fetch_optional(conn).await?;
    Ok(())
}

/// Adds a project or a branch.
pub async fn insert(conn: &mut PgConnection, project: &Project) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into projects (id, organization_id, parent_id, name, app_key, region, instance_type, service_version, customized_domain,
                               sleep_after_seconds, intent, observed, address, created_by, created_at, updated_at, partner_id, partner_user_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        project.id.as_uuid(),
        project.organization_id.as_uuid(),
        project.parent_id.map(Uuid::from),
        project.name,
        project.app_key.as_str(),
        project.region.as_str(),
        project.instance_type.as_str(),
        project.service_version,
        project.customized_domain,
        project.sleep_after_seconds,
        project.intent.as_str(),
        project.observed.as_str(),
        project.address,
        project.created_by.map(Uuid::from),
        project.created_at,
        project.updated_at,
        project.partner_id.map(Uuid::from),
        project.partner_user_id.map(Uuid::from)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records what was proven. Without an address the known one stays, except for `absent`, which has none. A project, not a branch, that begins
/// to serve is looked at for idleness from now on.
pub async fn set_observed(
    conn: &mut PgConnection,
    id: ProjectId,
    observed: Observed,
    address: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update projects
         set observed = $2, address = case when $2 = 'absent' then null else coalesce($3, address) end, updated_at = now(),
             serving_since = case when $2 = 'serving' then case when observed = 'serving' then serving_since else now() end end,
             idle_check_at = case when $2 = 'serving' and parent_id is null then coalesce(idle_check_at, now()) end
         where id = $1",
        id.as_uuid(),
        observed.as_str(),
        address
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records what the owner wants, and since when a paused project is paused.
pub async fn set_intent(conn: &mut PgConnection, id: ProjectId, intent: Intent) -> sqlx::Result<()> {
    sqlx::query!(
        "update projects
         set intent = $2, paused_at = case when $2 = 'paused' then coalesce(paused_at, now()) end,
             pause_reason = case when $2 = 'paused' then pause_reason end, updated_at = now()
         where id = $1",
        id.as_uuid(),
        intent.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records why the last operation failed, or that it did not.
pub async fn set_last_error(conn: &mut PgConnection, id: ProjectId, error: Option<&str>) -> sqlx::Result<()> {
    sqlx::query!(
        "update projects set last_operation_error = $2, updated_at = now() where id = $1",
        id.as_uuid(),
        error
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records that nothing of a project is left. A second call changes nothing.
pub async fn mark_deleted(conn: &mut PgConnection, id: ProjectId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update projects
         set intent = 'deleted', observed = 'absent', address = null, deleted_at = coalesce(deleted_at, $2), updated_at = now()
         where id = $1",
        id.as_uuid(),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Changes the backend version, no leading `v`.
pub async fn set_service_version(conn: &mut PgConnection, id: ProjectId, version: &str) -> sqlx::Result<()> {
    sqlx::query!("update projects set service_version = $2, updated_at = now() where id = $1", id.as_uuid(), version)
        .execute(conn)
        .await?;
    Ok(())
}

/// Changes the instance type.
pub async fn set_instance_type(
    conn: &mut PgConnection,
    id: ProjectId,
    instance_type: InstanceType,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update projects set instance_type = $2, updated_at = now() where id = $1",
        id.as_uuid(),
        instance_type.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The disk a project is entitled to, in GiB.
pub async fn disk_gib(conn: &mut PgConnection, id: ProjectId) -> sqlx::Result<i64> {
    sqlx::query_scalar!("select disk_gib from projects where id = $1", id.as_uuid()).fetch_one(conn).await
}

/// Changes the disk a project is entitled to, in GiB.
pub async fn set_disk_gib(conn: &mut PgConnection, id: ProjectId, disk_gib: i64) -> sqlx::Result<()> {
    sqlx::query!("update projects set disk_gib = $2, updated_at = now() where id = $1", id.as_uuid(), disk_gib)
        .execute(conn)
        .await?;
    Ok(())
}

/// Changes the name and the custom domain.
pub async fn set_profile(
    conn: &mut PgConnection,
    id: ProjectId,
    name: &str,
    customized_domain: Option<&str>,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update projects set name = $2, customized_domain = $3, updated_at = $4 where id = $1",
        id.as_uuid(),
        name,
        customized_domain,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Live projects of an organization that count against its quota: no branches, not paused, and not failed while nothing works on them.
pub async fn count_active(conn: &mut PgConnection, organization_id: OrganizationId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from projects p
           where p.organization_id = $1 and p.parent_id is null and p.deleted_at is null and p.intent = 'active'
             and (p.observed <> 'absent' or exists (
                 select from operations o
                 where o.project_id = p.id and o.state in ('queued', 'running', 'unwinding', 'stuck')))"#,
        organization_id.as_uuid()
    )
    .fetch_one(conn)
    .await
}

/// Live projects of a partner that count against its limit, as [`count_active`] counts them.
pub async fn count_active_of_partner(conn: &mut PgConnection, partner_id: PartnerId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from projects p
           where p.partner_id = $1 and p.parent_id is null and p.deleted_at is null and p.intent = 'active'
             and (p.observed <> 'absent' or exists (
                 select from operations o
                 where o.project_id = p.id and o.state in ('queued', 'running', 'unwinding', 'stuck')))"#,
        partner_id.as_uuid()
    )
    .fetch_one(conn)
    .await
}

/// Whether the domain is another live project's.
pub async fn domain_taken(conn: &mut PgConnection, domain: &str, except: ProjectId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from projects where customized_domain = $1 and id <> $2 and deleted_at is null
           ) as "taken!""#,
        domain,
        except.as_uuid()
    )
    .fetch_one(conn)
    .await
}
