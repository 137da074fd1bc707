//! Prices, and what a billing cycle costs so far.

use axum::{
    Json, Router,
    extract::State as AxumState,
    response::{IntoResponse as _, Response},
    routing::get,
};
use model::{
    billing::{Bill, Line, Share, display, edition, price_list},
    limits::Plan,
    usage::Metric,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::usage_days::NamedProject;
use utoipa::{IntoParams, ToSchema};

use super::{
    Answer,
    csv::{self, Format},
};
use crate::{
    app::{
        Ctx,
        billing::{self, Preview, cycle},
    },
    http::extract::{OrganizationPath, Query},
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/billing/v1/plans", get(get_price_lists))
        .route("/billing/v1/{org}/invoice-preview", get(get_invoice_preview))
}

/// The prices of every plan.
#[derive(Serialize, ToSchema)]
pub(crate) struct PriceLists {
    plans: Vec<PriceListOut>,
}

/// The prices of a plan that hold today.
#[derive(Serialize, ToSchema)]
pub(crate) struct PriceListOut {
    #[schema(value_type = String)]
    plan: Plan,
    currency: String,
    effective_from: String,
    monthly_micros: i64,
    /// Metric to `{included, unit, unit_micros}`: each unit beyond what is included costs that many millionths of the currency.
    #[schema(value_type = Object)]
    metrics: Map<String, Value>,
    /// Instance type to the price of an hour, in millionths of the currency.
    #[schema(value_type = Object)]
    compute_hour_micros: Map<String, Value>,
    compute_credit_micros: i64,
}

/// Shows what each plan costs today.
#[utoipa::path(get, path = "/billing/v1/plans", tag = "billing", responses((status = 200, body = PriceLists), (status = 401)))]
pub(crate) async fn get_price_lists(AxumState(state): AxumState<State>, _ctx: Ctx) -> Json<PriceLists> {
    let today = state.clock.now().date_naive();
    let plans = Plan::ALL.iter().filter_map(|&plan| {
        let edition = edition(plan, today)?;
        let metrics = edition.metrics.iter().map(|(metric, price)| {
            let fields = json!({ "included": price.included, "unit": price.unit, "unit_micros": price.unit_micros });
            (metric.reported_as().to_owned(), fields)
        });
        let hours = edition.compute.iter().flat_map(|compute| &compute.hour_micros);
        Some(PriceListOut {
            plan,
            currency: price_list(plan).currency.clone(),
            effective_from: edition.effective_from.to_string(),
            monthly_micros: edition.monthly_micros,
            metrics: metrics.collect(),
            compute_hour_micros: hours.map(|(kind, micros)| (kind.as_str().to_owned(), json!(micros))).collect(),
            compute_credit_micros: edition.compute.as_ref().map_or(0, |compute| compute.credit_micros),
        })
    });
    Json(PriceLists { plans: plans.collect() })
}

/// Which cycle, and how it is written.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InvoiceQuery {
    /// `current`, `previous` or a month such as `2026-01`; `current` when absent.
    cycle: Option<String>,
    /// Whether each line says what of it is which project's. An organization's does unless told not to, a partner's only when told to.
    by_project: Option<bool>,
    /// `json` or `csv`; `json` when absent.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    format: Format,
}

/// What a billing cycle costs so far. All money is in millionths of the currency: lines sum to the total, shares to their line.
#[derive(Serialize, ToSchema)]
pub(crate) struct InvoiceOut {
    #[schema(value_type = String)]
    plan: Plan,
    currency: String,
    start_date: String,
    end_date: String,
    lines: Vec<LineOut>,
    total_micros: i64,
    /// The total as people read it, rounded to cents.
    total_display: String,
}

/// One line of an invoice.
#[derive(Serialize, ToSchema)]
pub(crate) struct LineOut {
    /// `plan`, `usage`, `compute` or `compute_credit`.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_type: Option<&'static str>,
    quantity: i64,
    included: i64,
    billable: i64,
    unit: i64,
    unit_micros: i64,
    amount_micros: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    projects: Vec<ShareOut>,
}

/// A project's share of a line; one without a project is unattributed.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShareOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<uuid::Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_name: Option<String>,
    /// Set for a branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_project_id: Option<uuid::Uuid>,
    quantity: i64,
    amount_micros: i64,
}

/// Shows what an organization's billing cycle costs so far, line by line and shared by projects and branches. Administrators only.
#[utoipa::path(get, path = "/billing/v1/{org}/invoice-preview", tag = "billing", params(("org" = uuid::Uuid, Path), InvoiceQuery),
    responses((status = 200, body = InvoiceOut), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn get_invoice_preview(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OrganizationPath(id): OrganizationPath,
    Query(query): Query<InvoiceQuery>,
) -> Answer<Response> {
    let period = cycle(query.cycle.as_deref(), state.clock.now())?;
    let by_project = query.by_project.unwrap_or(true);
    let preview = billing::of_organization(&state, &ctx, id, period, by_project).await?;
    Ok(write(preview, query.format))
}

/// Shows what the partner's projects cost so far by the partner's plan.
#[utoipa::path(get, path = "/partnership/v1/{partner}/invoice-preview", tag = "partnership",
    params(("partner" = String, Path), InvoiceQuery), security(("partner" = [])),
    responses((status = 200, body = InvoiceOut), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn get_partner_invoice_preview(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    Query(query): Query<InvoiceQuery>,
) -> Answer<Response> {
    let period = cycle(query.cycle.as_deref(), state.clock.now())?;
    let preview = billing::of_partner(&state, &ctx, period, query.by_project.unwrap_or(false)).await?;
    Ok(write(preview, query.format))
}

fn write(preview: Preview, format: Format) -> Response {
    let Preview { plan, currency, period, invoice } = preview;
    let owner = |share: &Share| invoice.parts.get(share.part).and_then(|part| part.project.as_ref());
    let lines: Vec<LineOut> = invoice.lines.iter().map(|line| LineOut::new(line, owner)).collect();
    if format == Format::Csv {
        let name = format!("invoice-{}", period.start.format("%Y-%m"));
        return csv::answer(&name, table(&lines, invoice.total_micros));
    }
    let total_display = display(currency, invoice.total_micros);
    let (start_date, end_date) = (period.start.to_string(), period.end.to_string());
    let total_micros = invoice.total_micros;
    Json(InvoiceOut { plan, currency: currency.to_owned(), start_date, end_date, lines, total_micros, total_display })
        .into_response()
}

impl LineOut {
    fn new<'a>(line: &Line, owner: impl Fn(&Share) -> Option<&'a NamedProject>) -> Self {
        let (kind, metric, instance_type) = match line.bill {
            Bill::Plan => ("plan", None, None),
            Bill::Metric(metric) => ("usage", Some(metric.reported_as()), None),
            Bill::Compute(instance) => ("compute", Some(Metric::ComputeSeconds.reported_as()), Some(instance.as_str())),
            Bill::ComputeCredit => ("compute_credit", None, None),
        };
        let projects = line.shares.iter().map(|share| {
            let project = owner(share);
            ShareOut {
                project_id: project.map(|project| project.id),
                project_name: project.map(|project| project.name.clone()),
                parent_project_id: project.and_then(|project| project.parent_id),
                quantity: share.quantity,
                amount_micros: share.amount_micros,
            }
        });
        let priced = line.priced;
        Self {
            kind,
            metric,
            instance_type,
            quantity: priced.quantity,
            included: priced.included,
            billable: priced.billable,
            unit: priced.unit,
            unit_micros: priced.unit_micros,
            amount_micros: line.amount_micros,
            projects: projects.collect(),
        }
    }
}

const COLUMNS: &[&str] = &[
    "row",
    "kind",
    "metric",
    "instance_type",
    "project_id",
    "project_name",
    "parent_project_id",
    "quantity",
    "included",
    "billable",
    "unit",
    "unit_micros",
    "amount_micros",
];

/// Rows `line` sum to the row `total`; rows `share` after a line sum to it.
fn table(lines: &[LineOut], total_micros: i64) -> String {
    let mut text = csv::line(COLUMNS);
    let id = |id: Option<uuid::Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    for line in lines {
        let what = [line.kind, line.metric.unwrap_or_default(), line.instance_type.unwrap_or_default()];
        let numbers = [line.quantity, line.included, line.billable, line.unit, line.unit_micros, line.amount_micros];
        let fields = ["line"].into_iter().chain(what).chain(["", "", ""]).map(str::to_owned);
        text.push_str(&csv::line(fields.chain(numbers.map(|number| number.to_string()))));
        for share in &line.projects {
            let whose = [
                id(share.project_id),
                share.project_name.clone().unwrap_or_else(|| "unattributed".to_owned()),
                id(share.parent_project_id),
            ];
            let amounts = [share.quantity.to_string(), String::new(), String::new(), String::new(), String::new()];
            let fields = ["share"].into_iter().chain(what).map(str::to_owned).chain(whose).chain(amounts);
            text.push_str(&csv::line(fields.chain([share.amount_micros.to_string()])));
        }
    }
    let empty = std::iter::repeat_n(String::new(), COLUMNS.len() - 2);
    text.push_str(&csv::line(["total".to_owned()].into_iter().chain(empty).chain([total_micros.to_string()])));
    text
}
