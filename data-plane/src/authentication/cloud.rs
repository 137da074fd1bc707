//! The cloud and this project: the cloud's authorizations, verified against its published keys, and our own signature on calls to it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Duration;
use http::StatusCode;
use identity_providers::key_sets::{self, Expectation, FETCH_TIMEOUT};
use serde_json::Value;

use super::{AccessClaims, Role};
use crate::{
    http::{Error, Result},
    state::App,
};

const ALGORITHMS: &[&str] = &["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];

const SIGN_LIFETIME: Duration = Duration::minutes(10);

const NO_PROJECT: &str = "PROJECT_ID is not configured. Cannot reach the InsForge Cloud API.";

/// Whether a token claims, unverified, to be an authorization of the cloud.
pub(super) fn is_authorization(token: &str) -> bool {
    token
        .split('.')
        .nth(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .is_some_and(|payload| payload["type"] == "project_authorization")
}

/// Verifies an authorization; its bearer administrates this project.
///
/// # Errors
/// 401 for a bad authorization, 403 for one of another project, 500 when this process serves no project.
pub async fn verify(app: &App, token: &str) -> Result<AccessClaims> {
    let claims = verify_for_this_project(app, token).await?;
    let user_id = match (claims["type"].as_str(), claims["userId"].as_str()) {
        (Some("project_authorization"), Some(id)) if !id.is_empty() => id.to_owned(),
        (Some("project_authorization"), _) => return Err(refused("no user")),
        _ => return Err(refused("wrong type")),
    };
    Ok(AccessClaims {
        sub: format!("cloud:{user_id}"),
        email: None,
        role: Role::ProjectAdmin,
        issued_at: None,
        expires_at: claims["exp"].as_f64().map(|seconds| seconds as i64),
    })
}

/// Verifies that the cloud itself signed a token for this project, whatever it is for.
///
/// # Errors
/// As [`verify`].
pub(super) async fn verify_for_this_project(app: &App, token: &str) -> Result<Value> {
    let Some(project_id) = app.config.project_id.as_deref().filter(|id| !id.is_empty()) else {
        return Err(internal(NO_PROJECT));
    };
    let claims = verify_signature(app, token).await.map_err(refused)?;
    if claims["projectId"].as_str() != Some(project_id) {
        return Err(Error::forbidden("AUTH_UNAUTHORIZED", "Project ID mismatch"));
    }
    Ok(claims)
}

/// The claims of anything that the cloud signed.
pub(crate) async fn verify_signature(app: &App, token: &str) -> Result<Value, &'static str> {
    let url = format!("{}/.well-known/jwks.json", app.config.cloud_api_host.trim_end_matches('/'));
    let fetch = || async {
        let answer = app.http.get(&url).timeout(FETCH_TIMEOUT).send().await.map_err(|_| "keys cannot be fetched")?;
        let answer = answer.error_for_status().map_err(|_| "keys cannot be fetched")?;
        key_sets::parse(&answer.bytes().await.map_err(|_| "keys cannot be read")?)
    };
    let expectation = Expectation { algorithms: ALGORITHMS, issuers: &[], audiences: &[], expiry_required: false };
    app.key_sets.verify(&url, fetch, token, &expectation).await
}

/// The project id and our signature, for a call to the cloud.
///
/// # Errors
/// 500 where `feature` has no cloud to call, or no project to name.
pub fn sign_for_cloud<'a>(app: &'a App, feature: &str) -> Result<(&'a str, String)> {
    match app.config.part_of_cloud() {
        true => sign(app),
        false => Err(elsewhere(feature)),
    }
}

/// As [`sign_for_cloud`], for what every platform does that runs the process.
///
/// # Errors
/// 500 where none does, or there is no project to name.
pub fn sign_for_platform<'a>(app: &'a App, feature: &str) -> Result<(&'a str, String)> {
    match app.config.part_of_cloud() || app.config.control_plane_url.is_some() {
        true => sign(app),
        false => Err(elsewhere(feature)),
    }
}

fn sign(app: &App) -> Result<(&str, String)> {
    match app.config.project_id.as_deref() {
        None | Some("" | "local") => Err(internal(NO_PROJECT)),
        Some(project) => Ok((project, app.signing_keys.sign_for_cloud(project, app.clock.now(), SIGN_LIFETIME))),
    }
}

fn elsewhere(feature: &str) -> Error {
    internal(&format!("{feature} is only available on InsForge Cloud projects."))
}

fn refused(reason: &str) -> Error {
    Error::unauthorized("AUTH_INVALID_CREDENTIALS", format!("Invalid cloud authorization code: {reason}"))
}

fn internal(message: &str) -> Error {
    Error::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", message)
}
