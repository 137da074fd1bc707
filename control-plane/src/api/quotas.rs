//! What an organization may use.

use std::collections::BTreeMap;

use axum::{Json, Router, extract::State as AxumState, routing::get};
use model::{
    limits::Plan,
    quotas::{QuotaAction, QuotaSubject, percent},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use crate::{
    app::{
        Ctx,
        quotas::{self, Changes, QuotaView, Quotas},
    },
    http::extract::{Body, OrganizationPath},
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new().route("/organizations/v1/{org}/quotas", get(get_quotas).put(update_quotas))
}

/// How much is allowed.
#[derive(Serialize, ToSchema)]
pub(crate) struct QuotaOut {
    /// A metric, or `spend`: what usage costs beyond the plan's price, in millionths of the currency.
    #[schema(value_type = String)]
    subject: QuotaSubject,
    allowed: i64,
    /// `project`: each has it for itself. `organization`: its projects share it in a billing period.
    per: &'static str,
    /// `plan` or `cap`.
    source: &'static str,
    /// What the organization used of it in this period; absent where it is per project.
    used: Option<i64>,
    percent: Option<i64>,
    /// `none`, `throttle`, `read_only` or `sleep`: what is done about it, where it is the organization's.
    #[schema(value_type = String)]
    action: QuotaAction,
}

impl From<QuotaView> for QuotaOut {
    fn from(view: QuotaView) -> Self {
        let QuotaView { subject, allowed, capped, used, action } = view;
        Self {
            subject,
            allowed,
            per: if used.is_some() { "organization" } else { "project" },
            source: if capped { "cap" } else { "plan" },
            percent: used.map(|used| percent(used, allowed)),
            used,
            action,
        }
    }
}

/// All quotas of an organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct QuotaList {
    #[schema(value_type = String)]
    plan: Plan,
    /// First day of the billing period.
    period_start: String,
    /// Its last day.
    period_end: String,
    quotas: Vec<QuotaOut>,
}

impl From<Quotas> for QuotaList {
    fn from(quotas: Quotas) -> Self {
        Self {
            plan: quotas.plan,
            period_start: quotas.period.start.to_string(),
            period_end: quotas.period.end.to_string(),
            quotas: quotas.quotas.into_iter().map(QuotaOut::from).collect(),
        }
    }
}

/// What to change. What is absent stays.
#[derive(Deserialize, ToSchema)]
pub(crate) struct QuotasIn {
    /// For operators of this cloud.
    #[schema(value_type = Option<String>)]
    plan: Option<Plan>,
    /// Metric or `spend` to how much is allowed, in place of the plan's number; null removes a cap.
    #[serde(default)]
    #[schema(value_type = Object)]
    caps: BTreeMap<QuotaSubject, Option<i64>>,
}

/// Shows what an organization may use and how near it is.
#[utoipa::path(get, path = "/organizations/v1/{org}/quotas", tag = "usage", params(("org" = uuid::Uuid, Path)),
    responses((status = 200, body = QuotaList), (status = 401), (status = 404)))]
pub(crate) async fn get_quotas(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OrganizationPath(id): OrganizationPath,
) -> Answer<Json<QuotaList>> {
    Ok(Json(quotas::get(&state, &ctx, id).await?.into()))
}

/// Caps what an organization may use. Restrictions that a raised cap ends are ended within seconds.
#[utoipa::path(put, path = "/organizations/v1/{org}/quotas", tag = "usage", params(("org" = uuid::Uuid, Path)), request_body = QuotasIn,
    responses((status = 200, body = QuotaList), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn update_quotas(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    OrganizationPath(id): OrganizationPath,
    Body(input): Body<QuotasIn>,
) -> Answer<Json<QuotaList>> {
    let changes = Changes { plan: input.plan, caps: input.caps.into_iter().collect() };
    Ok(Json(quotas::update(&state, &ctx, id, changes).await?.into()))
}
