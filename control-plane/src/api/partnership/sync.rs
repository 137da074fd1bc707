//! Connecting a partner's users, and making their projects.

use axum::{
    Json,
    extract::State as AxumState,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::PartnerProject;
use crate::{
    api::{Answer, WithOperation},
    app::{
        Ctx,
        partners::{
            accounts,
            projects::{self, Beneficiary, Synced, Wanted},
        },
    },
    http::{
        extract::{Body, PartnerUserPath},
        problem,
    },
    state::State,
};

/// A person to connect.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ConnectUserIn {
    name: String,
    email: String,
}

/// Who that is for this partner.
#[derive(Serialize, ToSchema)]
pub(crate) struct Account {
    id: uuid::Uuid,
}

/// One account.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountEnvelope {
    account: Account,
}

/// Connects a person by e-mail address. The same address gives the same account.
#[utoipa::path(post, path = "/partnership/v1/{partner}/connect-user", tag = "partnership", params(("partner" = String, Path)),
    request_body = ConnectUserIn, security(("partner" = [])),
    responses((status = 200, body = AccountEnvelope), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn connect_partner_user(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    Body(input): Body<ConnectUserIn>,
) -> Answer<Json<AccountEnvelope>> {
    let id = accounts::connect(&state, &ctx, &input.name, &input.email).await?;
    Ok(Json(AccountEnvelope { account: Account { id: id.as_uuid() } }))
}

/// A project to make, or to find.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SyncProjectIn {
    project_name: String,
    /// `us-east` when absent.
    region: Option<String>,
    /// `nano` when absent.
    instance_type: Option<String>,
}

impl From<SyncProjectIn> for Wanted {
    fn from(input: SyncProjectIn) -> Self {
        Self { name: input.project_name, region: input.region, instance_type: input.instance_type }
    }
}

/// A project that is there.
#[derive(Serialize, ToSchema)]
pub(crate) struct SyncedProject {
    success: bool,
    project: PartnerProject,
}

fn synced(state: &State, synced: Synced) -> Response {
    match synced {
        Synced::Project(connection, operation_id) => {
            let body = SyncedProject { success: true, project: PartnerProject::new(state, &connection) };
            WithOperation { status: StatusCode::OK, body, operation_id }.into_response()
        }
        Synced::Refused(error, candidates) => {
            let candidates: Vec<_> = candidates.iter().map(|candidate| PartnerProject::new(state, candidate)).collect();
            let body = json!({
                "success": false, "message": error.message(), "error": error.message(), "code": error.code(),
                "candidate_projects": candidates,
            });
            (problem::status(error.meaning()), Json(body)).into_response()
        }
    }
}

/// Makes a project for one of the partner's users, or finds the one of this name.
#[utoipa::path(post, path = "/partnership/v1/{partner}/{id}/sync-project", tag = "partnership",
    params(("partner" = String, Path), ("id" = uuid::Uuid, Path, description = "The user")), request_body = SyncProjectIn,
    security(("partner" = [])),
    responses((status = 200, body = SyncedProject), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn sync_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    PartnerUserPath(id): PartnerUserPath,
    Body(input): Body<SyncProjectIn>,
) -> Answer<Response> {
    let beneficiary = Beneficiary::User(id);
    Ok(synced(&state, projects::sync(&state, &ctx, beneficiary, input.into()).await?))
}

/// Makes a project of the partner itself, or finds the one of this name.
#[utoipa::path(post, path = "/partnership/v1/{partner}/sync-embedded-project", tag = "partnership",
    params(("partner" = String, Path)), request_body = SyncProjectIn, security(("partner" = [])),
    responses((status = 200, body = SyncedProject), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn sync_embedded_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    Body(input): Body<SyncProjectIn>,
) -> Answer<Response> {
    Ok(synced(&state, projects::sync(&state, &ctx, Beneficiary::Partner, input.into()).await?))
}
