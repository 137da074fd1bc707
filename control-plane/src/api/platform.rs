//! Public facts about this cloud: newest version, signing keys, health.

use axum::{Json, Router, extract::State as AxumState, routing::get};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Answer;
use crate::{app::Failure, state::State};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/platform/insforge/latest-version", get(get_latest_version))
        .route("/.well-known/jwks.json", get(get_signing_keys))
        .route("/health", get(get_health))
}

/// The newest backend version.
#[derive(Serialize, ToSchema)]
pub(crate) struct LatestVersion {
    /// With a leading v.
    version: String,
    cached: bool,
}

/// Shows the newest backend version that projects can run.
#[utoipa::path(get, path = "/platform/insforge/latest-version", tag = "platform", responses((status = 200, body = LatestVersion)))]
pub(crate) async fn get_latest_version(AxumState(state): AxumState<State>) -> Json<LatestVersion> {
    Json(LatestVersion { version: state.config.latest_version.tag(), cached: false })
}

/// Shows the public keys of everything this cloud signs.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "platform", responses((status = 200, description = "A JSON Web Key Set")))]
pub(crate) async fn get_signing_keys(AxumState(state): AxumState<State>) -> Json<Value> {
    Json(state.signer.jwks().clone())
}

/// How the control plane is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    status: &'static str,
    version: &'static str,
}

/// Answers when the control plane can reach its database.
#[utoipa::path(get, path = "/health", tag = "platform", responses((status = 200, body = Health), (status = 503)))]
pub(crate) async fn get_health(AxumState(state): AxumState<State>) -> Answer<Json<Health>> {
    sqlx::Connection::ping(&mut *state.connection().await?).await.map_err(Failure::from)?;
    Ok(Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") }))
}
