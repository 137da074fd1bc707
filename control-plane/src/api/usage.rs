//! What an organization has used.

use axum::{Json, Router, extract::State as AxumState, routing::get};
use model::{limits::Plan, projects::Status};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Answer, time};
use crate::{
    app::{
        Ctx,
        usage::{self, Amounts},
    },
    http::extract::OrganizationPath,
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new().route("/usage/v1/organizations/{org}", get(get_organization_usage))
}

/// Usage of an organization in the present billing period.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrganizationUsage {
    organization: UsageOrganization,
    /// Metric to amount: bytes, seconds or counts.
    #[schema(value_type = Object)]
    usage_summary: Map<String, Value>,
    projects: Vec<ProjectUsage>,
    #[serde(rename = "_meta")]
    meta: UsageMeta,
}

/// Whose usage.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageOrganization {
    id: uuid::Uuid,
    name: String,
    #[schema(value_type = String)]
    price_plan: Plan,
}

/// Usage of one project or branch.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectUsage {
    id: uuid::Uuid,
    name: String,
    #[schema(value_type = String)]
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_project_id: Option<uuid::Uuid>,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    amounts: Map<String, Value>,
}

/// About the report.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageMeta {
    requested_at: String,
}

fn fields(amounts: Amounts) -> Map<String, Value> {
    amounts.into_iter().map(|(metric, amount)| (metric.as_str().to_owned(), Value::from(amount))).collect()
}

/// Shows what an organization and its projects have used: counters of the present billing period, and present sizes.
#[utoipa::path(get, path = "/usage/v1/organizations/{org}", tag = "usage", params(("org" = uuid::Uuid, Path)),
    responses((status = 200, body = OrganizationUsage), (status = 401), (status = 404)))]
pub(crate) async fn get_organization_usage(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OrganizationPath(id): OrganizationPath,
) -> Answer<Json<OrganizationUsage>> {
    let report = usage::report(&state, &ctx, id).await?;
    let projects = report.projects.into_iter().map(|(view, amounts)| ProjectUsage {
        id: view.project.id.as_uuid(),
        status: view.status(),
        parent_project_id: view.project.parent_id.map(uuid::Uuid::from),
        name: view.project.name,
        amounts: fields(amounts),
    });
    let organization = report.organization;
    Ok(Json(OrganizationUsage {
        projects: projects.collect(),
        organization: UsageOrganization {
            id: organization.id.as_uuid(),
            name: organization.name,
            price_plan: organization.plan,
        },
        usage_summary: fields(report.total),
        meta: UsageMeta { requested_at: time(state.clock.now()) },
    }))
}
