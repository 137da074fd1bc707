//! Projects that partners make and run. Their life is every project's; what differs is who owns them and who may see them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ids::{OperationId, OrganizationId, PartnerUserId, ProjectId};
use model::{
    Error,
    instances::InstanceType,
    limits::{self, Plan},
    organizations::check_name,
    partners::PartnerKind,
    projects::{Activity, Status},
};
use secrecy::SecretString;
use sqlx::PgConnection;
use store::{partners::Partner, projects::Project};

use super::{accounts, check_project_limit, partner};
use crate::{
    app::{
        Ctx, Failure, operations,
        projects::{self, ProjectView, create},
    },
    state::State,
};

/// What a partner chooses for a project.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) region: Option<String>,
    pub(crate) instance_type: Option<String>,
}

/// A project with what a partner needs to use it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) view: ProjectView,
    pub(crate) api_key: SecretString,
    pub(crate) last_activity_at: Option<DateTime<Utc>>,
}

/// What came of the wish for a project.
#[derive(Debug)]
pub(crate) enum Synced {
    /// It is there, or on its way.
    Project(Box<Connection>, Option<OperationId>),
    /// A limit is reached; these are there instead.
    Refused(Error, Vec<Connection>),
}

/// Whose project is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beneficiary {
    /// One of the partner's users.
    User(PartnerUserId),
    /// The partner itself.
    Partner,
}

impl Beneficiary {
    const fn user_id(self) -> Option<PartnerUserId> {
        match self {
            Self::User(id) => Some(id),
            Self::Partner => None,
        }
    }
}

/// Makes the project of this name, or finds it. A new one is waited for, within bounds, so that what is answered can be used.
pub(crate) async fn sync(
    state: &State,
    ctx: &Ctx,
    beneficiary: Beneficiary,
    wanted: Wanted,
) -> Result<Synced, Failure> {
    let partner = partner(ctx)?;
    let name = check_name("project_name", &wanted.name)?;
    let region = partner.allowances.region(wanted.region.as_deref())?;
    let instance_type = partner.allowances.instance_type(wanted.instance_type.as_deref())?;
    let mut tx = state.begin().await?;
    // Projects of one partner are made one after another, so that a name is made once and no limit is overrun.
    store::partners::lock(&mut tx, partner.id).await?;
    let (organization_id, plan) = owner(&mut tx, state, partner, beneficiary).await?;
    let existing = store::projects::find_by_partner_name(&mut tx, partner.id, beneficiary.user_id(), &name).await?;
    if let Some(project) = existing {
        tx.commit().await?;
        return await_creation(state, ctx, project.id, None).await;
    }
    store::organizations::lock(&mut tx, organization_id).await?;
    if let Err(refused) = check_limits(&mut tx, partner, organization_id, plan, instance_type).await {
        drop(tx);
        return refuse(state, ctx, partner, beneficiary, refused).await;
    }
    let project = Project {
        instance_type,
        partner_id: Some(partner.id),
        partner_user_id: beneficiary.user_id(),
        ..create::new_project(state, ctx, organization_id, name, region)
    };
    let recorded = create::record(&mut tx, state, ctx, &project).await?;
    tx.commit().await?;
    let operation_id = operations::start(state, recorded).await;
    await_creation(state, ctx, project.id, Some(operation_id)).await
}

/// Which organization owns the project, and on which plan.
async fn owner(
    conn: &mut PgConnection,
    state: &State,
    partner: &Partner,
    beneficiary: Beneficiary,
) -> Result<(OrganizationId, Plan), Failure> {
    let user_id = match beneficiary {
        Beneficiary::Partner if partner.kind == PartnerKind::CoBranded => {
            let text = "Only a white-label partner has projects of its own. Use sync-project for one of your users.";
            return Err(Error::forbidden(text).into());
        }
        Beneficiary::Partner => None,
        Beneficiary::User(id) => {
            let not_found = || Error::not_found("partner.user_not_found", "User");
            store::partner_users::find(conn, partner.id, id).await?.ok_or_else(not_found)?.user_id
        }
    };
    match user_id {
        Some(user_id) => accounts::organization(conn, state, user_id).await,
        None => Ok((partner.organization_id, partner.plan)),
    }
}

async fn check_limits(
    conn: &mut PgConnection,
    partner: &Partner,
    organization_id: OrganizationId,
    plan: Plan,
    instance_type: InstanceType,
) -> Result<(), Failure> {
    create::check_active_quota(conn, plan, organization_id).await?;
    check_project_limit(conn, partner.id).await?;
    Ok(instance_type.check_plan(plan)?)
}

/// A reached limit, with the projects that this user has through the partner already.
async fn refuse(
    state: &State,
    ctx: &Ctx,
    partner: &Partner,
    beneficiary: Beneficiary,
    refused: Failure,
) -> Result<Synced, Failure> {
    if *refused.0.meaning() != model::errors::Meaning::QuotaExceeded {
        return Err(refused);
    }
    let mut conn = state.connection().await?;
    let newest = store::projects::newest_of_partner_user(
        &mut conn,
        partner.id,
        beneficiary.user_id(),
        limits::CANDIDATE_PROJECTS,
    )
    .await?;
    drop(conn);
    let mut candidates = Vec::new();
    for project in newest {
        candidates.push(connection(state, ctx, project.id).await?);
    }
    Ok(Synced::Refused(refused.0, candidates))
}

/// Waits until a project that is being made serves, or for some seconds; then it is answered as it is.
async fn await_creation(
    state: &State,
    ctx: &Ctx,
    id: ProjectId,
    operation_id: Option<OperationId>,
) -> Result<Synced, Failure> {
    let view = projects::get(state, ctx, id).await?;
    let creating = view.running.filter(|running| running.activity == Activity::Creating);
    if let Some(running) = creating {
        let limit = Duration::from_secs(limits::PARTNER_CREATE_WAIT_SECONDS);
        if let Some(operation) = state.hub.finished(running.operation_id, limit).await?
            && operation.state != store::operations::OperationState::Succeeded
        {
            let text = operation.error.unwrap_or_else(|| "The project could not be made. Try again.".to_owned());
            return Err(Error::unavailable("operation.failed", text).into());
        }
    }
    Ok(Synced::Project(Box::new(connection(state, ctx, id).await?), operation_id))
}

/// A project that was made through this partner, with what is needed to use it.
pub(crate) async fn connection(state: &State, ctx: &Ctx, id: ProjectId) -> Result<Connection, Failure> {
    partner(ctx)?;
    let view = projects::get(state, ctx, id).await?;
    let api_key = projects::access_api_key(state, ctx, id).await?;
    let last_activity_at = store::project_activity::find(&mut *state.connection().await?, id).await?;
    Ok(Connection { view, api_key, last_activity_at })
}

/// As [`connection`], for a project of this user.
pub(crate) async fn connection_of_user(
    state: &State,
    ctx: &Ctx,
    user_id: PartnerUserId,
    id: ProjectId,
) -> Result<Connection, Failure> {
    let project = projects::find(&mut *state.connection().await?, ctx, id).await?;
    if project.partner_user_id != Some(user_id) {
        return Err(projects::not_found().into());
    }
    connection(state, ctx, id).await
}

/// A page of the partner's projects in the order of their creation, after the one given.
pub(crate) async fn page(
    state: &State,
    ctx: &Ctx,
    after: Option<ProjectId>,
    limit: i64,
) -> Result<Vec<ProjectView>, Failure> {
    let partner = partner(ctx)?;
    let mut snapshot = state.snapshot().await?;
    let after = match after {
        None => None,
        Some(id) => {
            let last = store::projects::find_ever_of_partner(&mut snapshot, partner.id, id).await?;
            Some(last.map(|project| (project.created_at, project.id)).ok_or_else(projects::not_found)?)
        }
    };
    let found = store::projects::page_of_partner(&mut snapshot, partner.id, after, limit).await?;
    projects::views(&mut snapshot, found).await
}

/// A short-lived token that says: the platform vouches for an administrator of this project.
pub(crate) async fn authorize(state: &State, ctx: &Ctx, id: ProjectId) -> Result<SecretString, Failure> {
    let partner = partner(ctx)?;
    let view = projects::get(state, ctx, id).await?;
    if view.status() == Status::Deleted {
        return Err(projects::not_found().into());
    }
    let user_id = view.project.partner_user_id.map_or_else(|| partner.id.to_string(), |id| id.to_string());
    let mut tx = state.begin().await?;
    let subject = crate::app::audit::Subject {
        organization_id: Some(view.project.organization_id),
        project_id: Some(id),
        ..Default::default()
    };
    let audit_id = crate::app::audit::open(&mut tx, state, ctx, "project.authorize", subject).await?;
    crate::app::audit::close_done(&mut tx, state, audit_id).await?;
    tx.commit().await?;
    Ok(state.signer.sign_project_authorization(id, &user_id, state.clock.now()))
}
