//! What a partner's projects have used, for its own bills.

use axum::{Json, extract::State as AxumState};
use model::{projects::Status, usage::Metric};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{
        Answer, time,
        usage::{PeriodOut, credits, fields, of},
    },
    app::{
        Ctx,
        partners::usage,
        usage::{Amounts, period},
    },
    http::extract::{ProjectPath, Query},
    state::State,
};

/// Which days.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PeriodQuery {
    /// `YYYY-MM-DD`; seven days before the end when absent.
    start_date: Option<String>,
    /// `YYYY-MM-DD`; today when absent.
    end_date: Option<String>,
}

/// The project of a report.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReportedProject {
    id: uuid::Uuid,
    name: String,
    #[schema(value_type = String)]
    status: Status,
    last_activity_at: Option<String>,
}

/// A project's usage over the period.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectSummary {
    max_database_size_bytes: i64,
    max_file_storage_bytes: i64,
    total_ai_tokens: i64,
    total_mcp_calls: i64,
    total_egress_bytes: i64,
    total_ai_credits: f64,
    total_email_requests: i64,
    total_function_calls: i64,
    /// Seconds.
    total_ec2_compute: i64,
}

/// A project's usage on one day.
#[derive(Serialize, ToSchema)]
pub(crate) struct DailyUsage {
    usage_date: String,
    database_size_bytes: i64,
    file_storage_bytes: i64,
    ai_tokens: i64,
    mcp_calls: i64,
    egress_bytes: i64,
    ai_credits: f64,
    email_requests: i64,
    function_calls: i64,
    /// Seconds.
    ec2_compute: i64,
}

/// What a project has used.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartnerProjectUsage {
    project: ReportedProject,
    period: PeriodOut,
    summary: ProjectSummary,
    daily_usage: Vec<DailyUsage>,
}

/// Shows what a project of the partner has used, in all and day by day.
#[utoipa::path(get, path = "/partnership/v1/{partner}/{id}/usage", tag = "partnership",
    params(("partner" = String, Path), ("id" = uuid::Uuid, Path, description = "The project"), PeriodQuery), security(("partner" = [])),
    responses((status = 200, body = PartnerProjectUsage), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn get_partner_project_usage(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
    Query(query): Query<PeriodQuery>,
) -> Answer<Json<PartnerProjectUsage>> {
    let period = period(query.start_date.as_deref(), query.end_date.as_deref(), state.clock.now())?;
    let report = usage::of_project(&state, &ctx, id, period).await?;
    let total = &report.total;
    let summary = ProjectSummary {
        max_database_size_bytes: of(total, Metric::DatabaseBytes),
        max_file_storage_bytes: of(total, Metric::StorageBytes),
        total_ai_tokens: of(total, Metric::AiTokens),
        total_mcp_calls: of(total, Metric::McpCalls),
        total_egress_bytes: of(total, Metric::EgressBytes),
        total_ai_credits: credits(total),
        total_email_requests: of(total, Metric::EmailRequests),
        total_function_calls: of(total, Metric::FunctionCalls),
        total_ec2_compute: of(total, Metric::ComputeSeconds),
    };
    let daily_usage = report.days.iter().map(|(day, amounts)| daily(day.to_string(), amounts)).collect();
    let project = ReportedProject {
        id: id.as_uuid(),
        status: report.view.status(),
        name: report.view.project.name,
        last_activity_at: report.last_activity_at.map(time),
    };
    Ok(Json(PartnerProjectUsage { project, period: period.into(), summary, daily_usage }))
}

fn daily(usage_date: String, amounts: &Amounts) -> DailyUsage {
    DailyUsage {
        usage_date,
        database_size_bytes: of(amounts, Metric::DatabaseBytes),
        file_storage_bytes: of(amounts, Metric::StorageBytes),
        ai_tokens: of(amounts, Metric::AiTokens),
        mcp_calls: of(amounts, Metric::McpCalls),
        egress_bytes: of(amounts, Metric::EgressBytes),
        ai_credits: credits(amounts),
        email_requests: of(amounts, Metric::EmailRequests),
        function_calls: of(amounts, Metric::FunctionCalls),
        ec2_compute: of(amounts, Metric::ComputeSeconds),
    }
}

/// The partner of a report.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReportedPartner {
    id: String,
    name: String,
}

/// The usage of all projects over the period.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartnerSummary {
    /// Maximum over the days of the sum over the projects.
    database_bytes: i64,
    /// Maximum over the days of the sum over the projects.
    storage_bytes: i64,
    ai_tokens: i64,
    mcp_calls: i64,
    egress_bytes: i64,
    ai_credits: f64,
    email_requests: i64,
    function_calls: i64,
    /// Seconds.
    ec2_compute: i64,
    requests: i64,
    monthly_active_users: i64,
}

/// What all projects of a partner have used.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartnerUsage {
    partnership: ReportedPartner,
    period: PeriodOut,
    summary: PartnerSummary,
    /// What arrived in the period more than a week after the day it is of. It is in no sum and no bill.
    #[schema(value_type = Object)]
    late: Map<String, Value>,
}

/// Shows what all projects of the partner have used, deleted ones included.
#[utoipa::path(get, path = "/partnership/v1/{partner}/usage", tag = "partnership", params(("partner" = String, Path), PeriodQuery),
    security(("partner" = [])),
    responses((status = 200, body = PartnerUsage), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn get_partner_usage(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    Query(query): Query<PeriodQuery>,
) -> Answer<Json<PartnerUsage>> {
    let period = period(query.start_date.as_deref(), query.end_date.as_deref(), state.clock.now())?;
    let report = usage::of_partner(&state, &ctx, period).await?;
    let total = &report.total;
    let summary = PartnerSummary {
        database_bytes: of(total, Metric::DatabaseBytes),
        storage_bytes: of(total, Metric::StorageBytes),
        ai_tokens: of(total, Metric::AiTokens),
        mcp_calls: of(total, Metric::McpCalls),
        egress_bytes: of(total, Metric::EgressBytes),
        ai_credits: credits(total),
        email_requests: of(total, Metric::EmailRequests),
        function_calls: of(total, Metric::FunctionCalls),
        ec2_compute: of(total, Metric::ComputeSeconds),
        requests: of(total, Metric::Requests),
        monthly_active_users: of(total, Metric::MonthlyActiveUsers),
    };
    let late = fields(&report.late);
    let partnership = ReportedPartner { id: report.partner.id.to_string(), name: report.partner.name };
    Ok(Json(PartnerUsage { partnership, period: report.period.into(), summary, late }))
}
