//! Organizations, and what little there is of their billing: plan and periods.

use axum::{
    Json, Router,
    extract::State as AxumState,
    routing::{get, put},
};
use http::StatusCode;
use model::{
    Error,
    limits::Plan,
    organizations::{OrganizationType, Role},
    usage::{Period, current_period, previous_period},
};
use serde::{Deserialize, Serialize};
use store::organizations::Membership;
use utoipa::ToSchema;

use super::{Answer, time};
use crate::{
    app::{
        Ctx,
        organizations::{self, Changes},
    },
    http::extract::{Body, OrganizationPath},
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/organizations/v1", get(list_organizations).post(create_organization))
        .route("/organizations/v1/{org}", put(update_organization).delete(delete_organization))
        .route("/organizations/v1/{org}/subscription-status", get(get_subscription_status))
        .route("/organizations/v1/{org}/billing-cycles", get(get_billing_cycles))
}

/// An organization, with its plan and the caller's role.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrganizationOut {
    id: uuid::Uuid,
    name: String,
    /// `personal`, `team` or `company`.
    #[schema(value_type = String)]
    r#type: OrganizationType,
    #[schema(value_type = String)]
    plan: Plan,
    #[schema(value_type = String)]
    role: Role,
    created_at: String,
    updated_at: String,
}

impl From<Membership> for OrganizationOut {
    fn from(membership: Membership) -> Self {
        let Membership { organization, role } = membership;
        Self {
            id: organization.id.as_uuid(),
            name: organization.name,
            r#type: organization.kind,
            plan: organization.plan,
            role,
            created_at: time(organization.created_at),
            updated_at: time(organization.updated_at),
        }
    }
}

/// The caller's organizations.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrganizationList {
    organizations: Vec<OrganizationOut>,
}

/// One organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrganizationEnvelope {
    organization: OrganizationOut,
}

/// Lists the organizations the caller belongs to.
#[utoipa::path(get, path = "/organizations/v1", tag = "organizations", responses((status = 200, body = OrganizationList), (status = 401)))]
pub(crate) async fn list_organizations(AxumState(state): AxumState<State>, ctx: Ctx) -> Answer<Json<OrganizationList>> {
    let organizations = organizations::list(&state, &ctx).await?;
    Ok(Json(OrganizationList { organizations: organizations.into_iter().map(OrganizationOut::from).collect() }))
}

/// What a caller may set.
#[derive(Deserialize, ToSchema)]
pub(crate) struct OrganizationIn {
    name: Option<String>,
    /// `personal`, `team` or `company`; `team` when absent.
    r#type: Option<String>,
}

impl OrganizationIn {
    fn kind(&self) -> Result<Option<OrganizationType>, Error> {
        let parsed = self.r#type.as_deref().map(str::parse).transpose();
        parsed.map_err(|_| Error::invalid("type", "type must be personal, team or company"))
    }
}

/// Makes an organization that the caller owns, on the free plan.
#[utoipa::path(post, path = "/organizations/v1", tag = "organizations", request_body = OrganizationIn,
    responses((status = 201, body = OrganizationEnvelope), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn create_organization(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    Body(input): Body<OrganizationIn>,
) -> Answer<(StatusCode, Json<OrganizationEnvelope>)> {
    let kind = input.kind()?.unwrap_or(OrganizationType::Team);
    let name = input.name.ok_or_else(|| Error::invalid("name", "name is required"))?;
    let organization = organizations::create(&state, &ctx, &name, kind).await?;
    Ok((StatusCode::CREATED, Json(OrganizationEnvelope { organization: organization.into() })))
}

/// Changes an organization's name or type.
#[utoipa::path(put, path = "/organizations/v1/{org}", tag = "organizations", params(("org" = uuid::Uuid, Path)), request_body = OrganizationIn,
    responses((status = 200, body = OrganizationEnvelope), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn update_organization(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OrganizationPath(id): OrganizationPath,
    Body(input): Body<OrganizationIn>,
) -> Answer<Json<OrganizationEnvelope>> {
    let changes = Changes { kind: input.kind()?, name: input.name };
    let organization = organizations::update(&state, &ctx, id, changes).await?;
    Ok(Json(OrganizationEnvelope { organization: organization.into() }))
}

/// That an organization is deleted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletedOrganization {
    message: String,
    organization_id: uuid::Uuid,
}

/// Deletes an organization and all its projects. Owner only.
#[utoipa::path(delete, path = "/organizations/v1/{org}", tag = "organizations", params(("org" = uuid::Uuid, Path)),
    responses((status = 200, body = DeletedOrganization), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn delete_organization(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OrganizationPath(id): OrganizationPath,
) -> Answer<Json<DeletedOrganization>> {
    organizations::delete(&state, &ctx, id).await?;
    Ok(Json(DeletedOrganization {
        message: "Organization deleted successfully".to_owned(),
        organization_id: id.as_uuid(),
    }))
}

/// What an organization subscribes to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubscriptionStatus {
    status: &'static str,
    #[schema(value_type = String)]
    plan: Plan,
}

/// Shows what the organization subscribes to.
#[utoipa::path(get, path = "/organizations/v1/{org}/subscription-status", tag = "organizations", params(("org" = uuid::Uuid, Path)),
    responses((status = 200, body = SubscriptionStatus), (status = 401), (status = 404)))]
pub(crate) async fn get_subscription_status(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OrganizationPath(id): OrganizationPath,
) -> Answer<Json<SubscriptionStatus>> {
    let plan = organizations::get(&state, &ctx, id).await?.organization.plan;
    Ok(Json(SubscriptionStatus { status: "active", plan }))
}

/// First and last day of a period.
#[derive(Serialize, ToSchema)]
pub(crate) struct CycleOut {
    start_date: String,
    end_date: String,
}

impl From<Period> for CycleOut {
    fn from(period: Period) -> Self {
        Self { start_date: period.start.to_string(), end_date: period.end.to_string() }
    }
}

/// The present and the previous billing period.
#[derive(Serialize, ToSchema)]
pub(crate) struct BillingCycles {
    current: CycleOut,
    previous: CycleOut,
}

/// Shows the organization's billing periods, which are calendar months.
#[utoipa::path(get, path = "/organizations/v1/{org}/billing-cycles", tag = "organizations", params(("org" = uuid::Uuid, Path)),
    responses((status = 200, body = BillingCycles), (status = 401), (status = 404)))]
pub(crate) async fn get_billing_cycles(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OrganizationPath(id): OrganizationPath,
) -> Answer<Json<BillingCycles>> {
    organizations::get(&state, &ctx, id).await?;
    let now = state.clock.now();
    Ok(Json(BillingCycles { current: current_period(now).into(), previous: previous_period(now).into() }))
}
