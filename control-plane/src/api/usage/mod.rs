//! What organizations use: of the present billing period, and day by day.

pub(crate) mod daily;

use std::collections::BTreeMap;

use axum::{Json, Router, extract::State as AxumState, routing::get};
use model::{
    instances::InstanceType,
    limits::Plan,
    projects::Status,
    usage::{Metric, Period},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Answer, time};
use crate::{
    app::{
        Ctx,
        usage::{Amounts, report},
    },
    http::extract::OrganizationPath,
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/usage/v1/organizations/{org}", get(get_organization_usage))
        .route("/usage/v1/organizations/{org}/daily", get(daily::get_organization_daily_usage))
}

/// Usage of an organization in the present billing period.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrganizationUsage {
    organization: UsageOrganization,
    /// Metric to amount: bytes, seconds, credits or counts.
    #[schema(value_type = Object)]
    usage_summary: Map<String, Value>,
    /// Instance type to seconds; they sum to `ec2_compute`.
    #[schema(value_type = Object)]
    ec2_compute_by_instance_type: Map<String, Value>,
    projects: Vec<ProjectUsage>,
    /// What of the summary is no project's; nothing, as a rule. Projects and this sum to the summary.
    #[schema(value_type = Object)]
    unattributed: Map<String, Value>,
    /// What arrived in the period more than a week after the day it is of. It is in no sum and no bill.
    #[schema(value_type = Object)]
    late: Map<String, Value>,
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
    period: PeriodOut,
}

/// First and last moment of a period, in UTC.
#[derive(Serialize, ToSchema)]
pub(crate) struct PeriodOut {
    start: String,
    end: String,
}

impl From<Period> for PeriodOut {
    fn from(period: Period) -> Self {
        Self { start: format!("{}T00:00:00Z", period.start), end: format!("{}T23:59:59Z", period.end) }
    }
}

/// An amount as reports write it: credits, which are counted in millionths, as a fraction, all else as it is.
pub(crate) fn reported(amounts: &Amounts, metric: Metric) -> Value {
    let amount = of(amounts, metric);
    if metric == Metric::AiCredits { Value::from(credits(amounts)) } else { Value::from(amount) }
}

/// An amount; nothing when it is not there.
pub(crate) fn of(amounts: &Amounts, metric: Metric) -> i64 {
    amounts.get(&metric).copied().unwrap_or(0)
}

/// Credits are counted in millionths.
pub(crate) fn credits(amounts: &Amounts) -> f64 {
    // A bill of nine million credits is exact in the mantissa of a float.
    #[expect(clippy::cast_precision_loss, reason = "the wire has a fraction, and amounts this large do not occur")]
    let micro = of(amounts, Metric::AiCredits) as f64;
    micro / 1_000_000.0
}

/// Amounts by the names that reports have for them.
pub(crate) fn fields(amounts: &Amounts) -> Map<String, Value> {
    amounts.keys().map(|&metric| (metric.reported_as().to_owned(), reported(amounts, metric))).collect()
}

/// Shows what an organization and its projects have used: counters of the present billing period, and present sizes.
#[utoipa::path(get, path = "/usage/v1/organizations/{org}", tag = "usage", params(("org" = uuid::Uuid, Path)),
    responses((status = 200, body = OrganizationUsage), (status = 401), (status = 404)))]
pub(crate) async fn get_organization_usage(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OrganizationPath(id): OrganizationPath,
) -> Answer<Json<OrganizationUsage>> {
    let report = report::report(&state, &ctx, id).await?;
    let projects = report.projects.into_iter().map(|(view, amounts)| ProjectUsage {
        id: view.project.id.as_uuid(),
        status: view.status(),
        parent_project_id: view.project.parent_id.map(uuid::Uuid::from),
        name: view.project.name,
        amounts: fields(&amounts),
    });
    let organization = report.organization;
    Ok(Json(OrganizationUsage {
        projects: projects.collect(),
        organization: UsageOrganization {
            id: organization.id.as_uuid(),
            name: organization.name,
            price_plan: organization.plan,
        },
        usage_summary: fields(&report.total),
        ec2_compute_by_instance_type: by_instance_type(report.compute),
        unattributed: fields(&report.unattributed),
        late: fields(&report.late),
        meta: UsageMeta { requested_at: time(state.clock.now()), period: report.period.into() },
    }))
}

fn by_instance_type(compute: BTreeMap<InstanceType, i64>) -> Map<String, Value> {
    compute.into_iter().map(|(instance, seconds)| (instance.as_str().to_owned(), Value::from(seconds))).collect()
}
