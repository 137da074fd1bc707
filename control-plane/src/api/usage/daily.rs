//! Usage day by day and project by project, written while it is read: however many projects there are, one page of them is in memory.

use axum::{
    body::Body,
    extract::State as AxumState,
    response::{IntoResponse as _, Response},
};
use futures::{StreamExt as _, stream};
use http::header;
use model::usage::{Metric, Period};
use serde::Deserialize;
use serde_json::{Value, json};
use store::usage_totals::Scope;
use utoipa::IntoParams;

use super::reported;
use crate::{
    api::{
        Answer,
        csv::{self, Format},
    },
    app::{
        Ctx, Failure, organizations,
        partners::partner,
        usage::{
            self,
            daily::{Daily, Part, Row},
        },
    },
    http::extract::{OrganizationPath, Query},
    state::State,
};

/// Which days, and how they are written.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DailyQuery {
    /// `YYYY-MM-DD`; seven days before the end when absent.
    start_date: Option<String>,
    /// `YYYY-MM-DD`; today when absent.
    end_date: Option<String>,
    /// `json` or `csv`; `json` when absent.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    format: Format,
}

/// Shows what an organization used, day by day and project by project. On every day and for every metric the projects and what is
/// unattributed sum to the total.
#[utoipa::path(get, path = "/usage/v1/organizations/{org}/daily", tag = "usage", params(("org" = uuid::Uuid, Path), DailyQuery),
    responses((status = 200, description = "`{period, rows: [{usage_date, kind: project|unattributed|total, project_id?, …}]}`, or the same as CSV", body = Object),
        (status = 400), (status = 401), (status = 404)))]
pub(crate) async fn get_organization_daily_usage(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OrganizationPath(id): OrganizationPath,
    Query(query): Query<DailyQuery>,
) -> Answer<Response> {
    let period = usage::period(query.start_date.as_deref(), query.end_date.as_deref(), state.clock.now())?;
    organizations::get(&state, &ctx, id).await?;
    write(&state, Scope::Organization(id), period, query.format).await
}

/// Shows what the partner's projects used, deleted ones included, day by day and project by project. On every day and for every metric the
/// projects and what is unattributed sum to the total.
#[utoipa::path(get, path = "/partnership/v1/{partner}/usage/daily", tag = "partnership", params(("partner" = String, Path), DailyQuery),
    security(("partner" = [])),
    responses((status = 200, description = "As for an organization", body = Object), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn get_partner_daily_usage(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    Query(query): Query<DailyQuery>,
) -> Answer<Response> {
    let period = usage::period(query.start_date.as_deref(), query.end_date.as_deref(), state.clock.now())?;
    let id = partner(&ctx)?.id;
    write(&state, Scope::Partner(id), period, query.format).await
}

async fn write(state: &State, scope: Scope, period: Period, format: Format) -> Answer<Response> {
    let daily = Daily::begin(state.snapshot().await?, scope, period).await?;
    let (head, tail) = match format {
        Format::Json => (format!("{{\"period\":{},\"rows\":[\n", json!(super::PeriodOut::from(period))), "]}\n"),
        Format::Csv => (csv::line(COLUMNS.iter().copied().chain(Metric::ALL.iter().map(|m| m.reported_as()))), ""),
    };
    let rows = stream::try_unfold((daily, true), move |(mut daily, mut first)| async move {
        let Some(rows) = daily.next().await? else { return Ok::<_, Failure>(None) };
        let mut text = String::new();
        for row in rows {
            if format == Format::Csv {
                text.push_str(&as_csv(&row));
                continue;
            }
            if !std::mem::replace(&mut first, false) {
                text.push_str(",\n");
            }
            text.push_str(&as_json(&row).to_string());
        }
        Ok(Some((text, (daily, first))))
    });
    // What was sent cannot be taken back: an answer that breaks off is no report.
    let broken = |failure: Failure| {
        tracing::error!(error = ?failure, "a usage report could not be read to its end");
        std::io::Error::other("the report breaks off")
    };
    let whole = stream::once(async move { Ok(head) })
        .chain(rows)
        .chain(stream::once(async move { Ok(tail.to_owned()) }))
        .map(move |text| text.map_err(broken));
    let body = Body::from_stream(whole);
    Ok(match format {
        Format::Json => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Format::Csv => csv::answer(&format!("usage-{}-{}", period.start, period.end), body),
    })
}

const COLUMNS: &[&str] = &["usage_date", "kind", "project_id", "project_name", "parent_project_id"];

fn as_csv(row: &Row) -> String {
    let (kind, id, name, parent) = match &row.part {
        Part::Project(project) => {
            let parent = project.parent_id.map(|id| id.to_string()).unwrap_or_default();
            ("project", project.id.to_string(), project.name.clone(), parent)
        }
        Part::Unattributed => ("unattributed", String::new(), String::new(), String::new()),
        Part::Total => ("total", String::new(), String::new(), String::new()),
    };
    let amounts = Metric::ALL.iter().map(|&metric| reported(&row.amounts, metric).to_string());
    csv::line([row.day.to_string(), kind.to_owned(), id, name, parent].into_iter().chain(amounts))
}

fn as_json(row: &Row) -> Value {
    let mut fields = json!({ "usage_date": row.day.to_string() });
    match &row.part {
        Part::Project(project) => {
            fields["kind"] = json!("project");
            fields["project_id"] = json!(project.id);
            fields["project_name"] = json!(project.name);
            if let Some(parent) = project.parent_id {
                fields["parent_project_id"] = json!(parent);
            }
        }
        Part::Unattributed => fields["kind"] = json!("unattributed"),
        Part::Total => fields["kind"] = json!("total"),
    }
    for &metric in Metric::ALL {
        fields[metric.reported_as()] = reported(&row.amounts, metric);
    }
    fields
}
