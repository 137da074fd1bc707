//! The partnership API: what partners call. Its errors are `{success: false, message}`, with everything that other errors have beside it.

pub(super) mod lifecycle;
pub(super) mod reading;
pub(super) mod sync;
pub(super) mod usage;

use axum::{
    Router,
    extract::{FromRequestParts, RawPathParams},
    routing::{delete, get, post},
};
use http::request::Parts;
use ids::{PartnerUserId, ProjectId};
use model::{Error, projects::Status};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{billing, projects::access_host, usage::daily},
    app::{Failure, partners::projects::Connection, projects},
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

/// The project in `{id}`.
pub(crate) struct IdOfProject(ProjectId);

/// The partner's user in `{id}`.
pub(crate) struct IdOfUser(PartnerUserId);

/// The partner's user in `{id}`, and their project in `{project}`.
pub(crate) struct IdsOfUserAndProject {
    user_id: PartnerUserId,
    project_id: ProjectId,
}

fn project_id(text: &str) -> Result<ProjectId, Error> {
    text.parse().map_err(|_| projects::not_found())
}

fn user_id(text: &str) -> Result<PartnerUserId, Error> {
    text.parse().map_err(|_| Error::not_found("partner.user_not_found", "User"))
}

/// A segment of the path; empty when it cannot be read, which names nothing.
async fn segment<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> String {
    let parameters = RawPathParams::from_request_parts(parts, state).await.ok();
    let found = parameters.iter().flatten().find(|(key, _)| *key == name);
    found.map(|(_, text)| text.to_owned()).unwrap_or_default()
}

impl<S: Send + Sync> FromRequestParts<S> for IdOfProject {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        Ok(Self(project_id(&segment(parts, state, "id").await)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdOfUser {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        Ok(Self(user_id(&segment(parts, state, "id").await)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdsOfUserAndProject {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let user_id = user_id(&segment(parts, state, "id").await)?;
        Ok(Self { user_id, project_id: project_id(&segment(parts, state, "project").await)? })
    }
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
