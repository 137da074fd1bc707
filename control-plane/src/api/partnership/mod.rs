//! The partnership API: what partners call. Its errors are `{success: false, message}`, with everything that other errors have beside it.

pub(super) mod lifecycle;
pub(super) mod reading;
pub(super) mod sync;
pub(super) mod usage;

use axum::{
    Router,
    routing::{delete, get, post},
};
use model::projects::Status;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{billing, projects::access_host, usage::daily},
    app::partners::projects::Connection,
    state::State,
};

/// The last segment tells what the second one names.
pub(super) fn routes() -> Router<State> {
    let base = "/partnership/v1/{partner}";
    Router::new()
        .route(&format!("{base}/connect-user"), post(sync::connect_partner_user))
        .route(&format!("{base}/sync-embedded-project"), post(sync::sync_embedded_project))
        .route(&format!("{base}/usage"), get(usage::get_partner_usage))
        .route(&format!("{base}/usage/daily"), get(daily::get_partner_daily_usage))
        .route(&format!("{base}/invoice-preview"), get(billing::get_partner_invoice_preview))
        .route(&format!("{base}/{{id}}/usage"), get(usage::get_partner_project_usage))
        .route(&format!("{base}/projects"), get(reading::list_partner_projects))
        .route(&format!("{base}/{{id}}"), delete(lifecycle::delete_partner_project))
        .route(&format!("{base}/{{id}}/sync-project"), post(sync::sync_project))
        .route(&format!("{base}/{{id}}/metadata"), get(reading::get_partner_project))
        .route(&format!("{base}/{{id}}/{{project}}/metadata"), get(reading::get_partner_user_project))
        .route(&format!("{base}/{{id}}/pause"), post(lifecycle::pause_partner_project))
        .route(&format!("{base}/{{id}}/restore"), post(lifecycle::restore_partner_project))
        .route(&format!("{base}/{{id}}/authorization"), post(lifecycle::authorize_partner_project))
        .route(&format!("{base}/{{id}}/upgrade"), post(lifecycle::upgrade_partner_project))
        .route(&format!("{base}/{{id}}/restart"), post(lifecycle::restart_partner_project))
}

/// What is needed to use a project.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartnerProject {
    id: uuid::Uuid,
    access_host: String,
    api_key: String,
    #[schema(value_type = String)]
    status: Status,
}

impl PartnerProject {
    fn new(state: &State, connection: &Connection) -> Self {
        let project = &connection.view.project;
        Self {
            id: project.id.as_uuid(),
            access_host: access_host(state, project),
            api_key: connection.api_key.expose_secret().to_owned(),
            status: connection.view.status(),
        }
    }
}

/// One project.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartnerProjectEnvelope<T> {
    project: T,
}
