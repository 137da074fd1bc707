//! Organizations: who sees them, who changes them, and what goes with them.

use ids::{MemberId, OrganizationId};
use model::{
    Error,
    limits::{self, Plan},
    organizations::{OrganizationType, Role, check_name},
};
use serde_json::json;
use store::organizations::{self, Membership, Organization};

use super::{
    Ctx, Failure,
    audit::{self, Subject},
    operations, projects,
};
use crate::state::State;

/// What a caller may set.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    pub(crate) name: Option<String>,
    pub(crate) kind: Option<OrganizationType>,
}

fn not_found() -> Error {
    Error::not_found("organization.not_found", "Organization")
}

pub(crate) async fn list(state: &State, ctx: &Ctx) -> Result<Vec<Membership>, Failure> {
    Ok(organizations::list(&mut *state.connection().await?, ctx.user()?.id).await?)
}

/// The organization, if the caller may see it.
pub(crate) async fn find(conn: &mut sqlx::PgConnection, ctx: &Ctx, id: OrganizationId) -> Result<Membership, Failure> {
    Ok(organizations::find_owned(conn, ctx.user()?.id, id).await?.ok_or_else(not_found)?)
}

/// Makes an organization of which the caller is the owner, on the free plan.
pub(crate) async fn create(
    state: &State,
    ctx: &Ctx,
    name: &str,
    kind: OrganizationType,
) -> Result<Membership, Failure> {
    let user_id = ctx.user()?.id;
    let name = check_name("name", name)?;
    let now = state.clock.now();
    let organization =
        Organization { id: OrganizationId::generate(), name, kind, plan: Plan::Free, created_at: now, updated_at: now };
    let mut tx = state.begin().await?;
    if store::members::count_owned(&mut tx, user_id).await? >= limits::ORGANIZATIONS_PER_USER {
        let text = format!("You own {} organizations already. Delete one first.", limits::ORGANIZATIONS_PER_USER);
        return Err(Error::quota_exceeded("organization.quota_exceeded", text).into());
    }
    let subject = Subject {
        organization_id: Some(organization.id),
        detail: json!({ "name": organization.name, "type": organization.kind }),
        ..Subject::default()
    };
    let audit_id = audit::open(&mut tx, state, ctx, "organization.create", subject).await?;
    organizations::insert(&mut tx, &organization).await?;
    store::members::insert(&mut tx, MemberId::generate(), organization.id, user_id, Role::Owner, now).await?;
    audit::close_done(&mut tx, state, audit_id).await?;
    tx.commit().await?;
    Ok(Membership { organization, role: Role::Owner })
}

/// Changes the name or the type.
pub(crate) async fn update(
    state: &State,
    ctx: &Ctx,
    id: OrganizationId,
    changes: Changes,
) -> Result<Membership, Failure> {
    let mut tx = state.begin().await?;
    let mut membership = find(&mut tx, ctx, id).await?;
    if !membership.role.may_administer() {
        return Err(Error::forbidden("Only administrators may change the organization").into());
    }
    let organization = &mut membership.organization;
    if let Some(name) = changes.name {
        organization.name = check_name("name", &name)?;
    }
    organization.kind = changes.kind.unwrap_or(organization.kind);
    organization.updated_at = state.clock.now();
    let detail = json!({ "name": organization.name, "type": organization.kind });
    let subject = Subject { organization_id: Some(id), detail, ..Subject::default() };
    let audit_id = audit::open(&mut tx, state, ctx, "organization.update", subject).await?;
    organizations::update(&mut tx, id, &organization.name, organization.kind, organization.updated_at).await?;
    audit::close_done(&mut tx, state, audit_id).await?;
    tx.commit().await?;
    Ok(membership)
}

/// Deletes an organization and, by operations, all its projects.
pub(crate) async fn delete(state: &State, ctx: &Ctx, id: OrganizationId) -> Result<(), Failure> {
    let mut tx = state.begin().await?;
    let membership = find(&mut tx, ctx, id).await?;
    if !membership.role.may_delete() {
        return Err(Error::forbidden("Only the owner may delete the organization").into());
    }
    // From here on no project can be added.
    if !organizations::lock(&mut tx, id).await? {
        return Err(not_found().into());
    }
    let subject = Subject { organization_id: Some(id), ..Subject::default() };
    let audit_id = audit::open(&mut tx, state, ctx, "organization.delete", subject).await?;
    let mut started = Vec::new();
    for project in store::projects::list(&mut tx, id).await? {
        started.push(projects::lifecycle::record_delete(&mut tx, state, ctx, &project).await?);
    }
    organizations::mark_deleted(&mut tx, id, state.clock.now()).await?;
    audit::close_done(&mut tx, state, audit_id).await?;
    tx.commit().await?;
    for recorded in started {
        operations::start(state, recorded).await;
    }
    Ok(())
}

/// The organization, if the caller may see it.
pub(crate) async fn get(state: &State, ctx: &Ctx, id: OrganizationId) -> Result<Membership, Failure> {
    find(&mut *state.connection().await?, ctx, id).await
}
