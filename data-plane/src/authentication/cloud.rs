//! The cloud's own authorizations: tokens of type `project_authorization`, verified against the cloud's published keys.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use serde::Deserialize;
use serde_json::Value;

use super::{AccessClaims, Role};
use crate::{
    http::{Error, Result},
    state::App,
};

const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::ES256, Algorithm::ES384];

#[derive(Deserialize)]
struct Authorization {
    #[serde(rename = "projectId")]
    project_id: Option<String>,
    #[serde(rename = "userId")]
    user_id: Option<String>,
    exp: Option<f64>,
}

/// Whether a token claims, unverified, to be such an authorization.
pub(super) fn is_authorization(token: &str) -> bool {
    token
        .split('.')
        .nth(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .is_some_and(|payload| payload["type"] == "project_authorization")
}

/// Verifies one; its bearer administrates this project.
///
/// # Errors
/// 401 for a bad authorization, 403 for one of another project, 500 when this process serves no project.
pub async fn verify(app: &App, token: &str) -> Result<AccessClaims> {
    let Some(project_id) = app.config.project_id.as_deref() else {
        return Err(Error::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_ERROR",
            "PROJECT_ID is not configured. Cannot reach the InsForge Cloud API.",
        ));
    };
    let authorization = decode(app, token).await.map_err(|reason| {
        Error::unauthorized("AUTH_INVALID_CREDENTIALS", format!("Invalid cloud authorization code: {reason}"))
    })?;
    if authorization.project_id.as_deref() != Some(project_id) {
        return Err(Error::forbidden("AUTH_UNAUTHORIZED", "Project ID mismatch"));
    }
    let user_id = authorization
        .user_id
        .filter(|id| !id.is_empty())
        .ok_or_else(|| Error::unauthorized("AUTH_INVALID_CREDENTIALS", "Invalid cloud authorization code: no user"))?;
    Ok(AccessClaims {
        sub: format!("cloud:{user_id}"),
        email: None,
        role: Role::ProjectAdmin,
        issued_at: None,
        expires_at: authorization.exp.map(|seconds| seconds as i64),
    })
}

async fn decode(app: &App, token: &str) -> Result<Authorization, &'static str> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| "not a token")?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err("unsupported algorithm");
    }
    let url = format!("{}/.well-known/jwks.json", app.config.cloud_api_host.trim_end_matches('/'));
    let answer = app.http.get(url).timeout(FETCH_TIMEOUT).send().await.map_err(|_| "keys cannot be fetched")?;
    let keys: JwkSet = answer.json().await.map_err(|_| "keys cannot be read")?;
    let key = match &header.kid {
        Some(id) => keys.find(id),
        None => keys.keys.first(),
    }
    .ok_or("unknown key")?;
    let key = DecodingKey::from_jwk(key).map_err(|_| "unusable key")?;
    let mut validation = Validation::new(header.alg);
    validation.validate_aud = false;
    validation.leeway = 0;
    jsonwebtoken::decode(token, &key, &validation).map(|data| data.claims).map_err(|_| "signature or expiry")
}
