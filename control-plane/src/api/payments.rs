//! Payments. This cloud reckons what is owed and takes no money itself: there are no payments to list and no credit is ever bought, and a plan is
//! changed by whoever operates the cloud. Clients ask all the same, and are told so.

use axum::{
    Json, Router,
    extract::State as AxumState,
    routing::{get, post},
};
use ids::OrganizationId;
use model::{
    Error,
    billing::{display, price_list},
    limits::Plan,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use crate::{
    app::{Ctx, organizations},
    http::extract::{Body, OrganizationPath},
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/organizations/v1/{org}/payment-history", get(get_payment_history))
        .route("/billing/v1/{org}/credits", get(get_credits))
        .route("/billing/v1/stripe/checkout-session", post(create_checkout_session))
        .route("/billing/v1/stripe/portal-session", post(create_portal_session))
}

/// Payments of an organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct PaymentHistory {
    #[schema(value_type = Vec<Object>)]
    payments: Vec<()>,
}

/// Lists the organization's payments: none, for this cloud takes no money.
#[utoipa::path(get, path = "/organizations/v1/{org}/payment-history", tag = "billing", params(("org" = uuid::Uuid, Path)),
    responses((status = 200, body = PaymentHistory), (status = 401), (status = 404)))]
pub(crate) async fn get_payment_history(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OrganizationPath(id): OrganizationPath,
) -> Answer<Json<PaymentHistory>> {
    organizations::get(&state, &ctx, id).await?;
    Ok(Json(PaymentHistory { payments: Vec::new() }))
}

/// Credit of an organization.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credits {
    credit_balance_cents: i64,
    credit_balance_formatted: String,
    #[schema(value_type = Vec<Object>)]
    transactions: Vec<()>,
}

/// Shows the organization's credit: none beside what its plan has for compute, which is a line of the invoice.
#[utoipa::path(get, path = "/billing/v1/{org}/credits", tag = "billing", params(("org" = uuid::Uuid, Path)),
    responses((status = 200, body = Credits), (status = 401), (status = 404)))]
pub(crate) async fn get_credits(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OrganizationPath(id): OrganizationPath,
) -> Answer<Json<Credits>> {
    let plan = organizations::get(&state, &ctx, id).await?.organization.plan;
    let credit_balance_formatted = display(&price_list(plan).currency, 0);
    Ok(Json(Credits { credit_balance_cents: 0, credit_balance_formatted, transactions: Vec::new() }))
}

/// The wanted plan.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckoutIn {
    organization_id: uuid::Uuid,
    plan: String,
}

/// Refuses to sell a plan, and says who changes it. Administrators only.
#[utoipa::path(post, path = "/billing/v1/stripe/checkout-session", tag = "billing", request_body = CheckoutIn,
    responses((status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn create_checkout_session(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    Body(input): Body<CheckoutIn>,
) -> Answer<()> {
    let plan: Plan = input.plan.parse().map_err(|error| Error::invalid("plan", format!("{error}")))?;
    let present = administered(&state, &ctx, input.organization_id.into()).await?;
    if plan == present {
        let text = format!("The organization is on the {plan} plan already");
        return Err(Error::conflict("billing.plan_unchanged", text).into());
    }
    Err(Error::conflict("billing.no_payments", format!("{NO_PAYMENTS} to change the plan to {plan}.")).into())
}

/// Whose payments.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PortalIn {
    organization_id: uuid::Uuid,
}

/// Refuses to show how the organization pays, which this cloud does not know. Administrators only.
#[utoipa::path(post, path = "/billing/v1/stripe/portal-session", tag = "billing", request_body = PortalIn,
    responses((status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn create_portal_session(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    Body(input): Body<PortalIn>,
) -> Answer<()> {
    administered(&state, &ctx, input.organization_id.into()).await?;
    Err(Error::conflict("billing.no_payments", format!("{NO_PAYMENTS} about how you pay.")).into())
}

const NO_PAYMENTS: &str = "This cloud takes no payments online. Ask its operator";

/// The plan of an organization that the caller administers.
async fn administered(state: &State, ctx: &Ctx, id: OrganizationId) -> Result<Plan, crate::app::Failure> {
    let membership = organizations::get(state, ctx, id).await?;
    if !membership.role.may_administer() {
        return Err(Error::forbidden("Only administrators may change how the organization pays").into());
    }
    Ok(membership.organization.plan)
}
