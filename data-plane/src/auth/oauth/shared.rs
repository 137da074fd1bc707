//! Sign-ins through the cloud's own clients: the cloud talks to the provider and passes on who it was.
//!
//! What the cloud passes on travels through the browser. A signature of the cloud (`sig`, a token with the payload's SHA-256 and the address
//! it is for) is checked when it is there, and demanded where the operator says so.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, State},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use identity_providers::{Identity, from_profile, text};
use serde_json::Value;
use url::Url;

use super::{
    callback::{FAILED, finish},
    exchange,
    providers::Provider,
    states,
};
use crate::{
    auth::codes::hashed,
    authentication::verify_cloud_signature,
    http::{Error, Query, Result},
    state::App,
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Where the browser goes, as the cloud says.
pub(super) async fn authorization_url(app: &App, provider: Provider, state: &str) -> Result<Url> {
    let cloud = app.config.cloud_api_host.trim_end_matches('/');
    let path = match provider {
        Provider::X => "oauth/twitter".to_owned(),
        other => format!("auth/v1/shared/{}", other.as_str()),
    };
    let back = return_address(app, state);
    let failed = || {
        let message = format!("Failed to get the shared {} OAuth URL", provider.as_str());
        Error::new(StatusCode::INTERNAL_SERVER_ERROR, "AUTH_OAUTH_CONFIG_ERROR", message)
    };
    let answer = app
        .http
        .get(format!("{cloud}/{path}"))
        .query(&[("redirect_uri", back.as_str())])
        .timeout(TIMEOUT)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status);
    let answer: Value = match answer {
        Ok(answer) => answer.json().await.map_err(|_| failed())?,
        Err(error) => {
            tracing::warn!(cause = telemetry::chain(&error.without_url()), "the cloud begins no shared sign-in");
            return Err(failed());
        }
    };
    let url = answer["auth_url"].as_str().or_else(|| answer["url"].as_str()).unwrap_or_default();
    Url::parse(url).map_err(|_| failed())
}

/// Where the cloud sends the browser back to.
fn return_address(app: &App, state: &str) -> String {
    format!("{}/api/auth/oauth/shared/callback/{state}", app.config.api_base_url.trim_end_matches('/'))
}

/// `GET /oauth/shared/callback/:state`.
pub(super) async fn shared_callback(
    State(app): State<Arc<App>>,
    Path(state): Path<String>,
    query: Query,
) -> Result<Response> {
    let (flow, _) = states::finish(&app, Some(&state), None).await?;
    if query.get("success") != Some("true") {
        return Ok(exchange::redirect_with_error(&flow, query.get("error").unwrap_or(FAILED)));
    }
    match identity(&app, &flow.provider, &state, &query).await {
        Ok(identity) => finish(&app, &flow, &identity).await,
        Err(reason) => {
            tracing::warn!(oauth.provider = flow.provider, reason, "a shared sign-in is refused");
            Ok(exchange::redirect_with_error(&flow, FAILED))
        }
    }
}

async fn identity(app: &App, provider: &str, state: &str, query: &Query) -> Result<Identity, &'static str> {
    let provider = Provider::parse(provider).ok_or("not a shared provider")?;
    let shared = {
        let client = app.pools.internal().await.map_err(|_| "Postgres does not answer")?;
        let config = super::configs::usable(app, &client, provider).await.map_err(|_| "Postgres does not answer")?;
        config.is_some_and(|config| config.shared)
    };
    if !shared {
        return Err("the provider is not shared");
    }
    let payload = query.get("payload").ok_or("no payload")?;
    check_signature(app, state, payload, query.get("sig")).await?;
    let bytes = STANDARD.decode(payload).map_err(|_| "the payload is not base64")?;
    let profile: Value = serde_json::from_slice(&bytes).map_err(|_| "the payload is not JSON")?;
    if !profile.is_object() || text(&profile, "providerId").is_none() {
        return Err("the payload names nobody");
    }
    from_profile(provider, profile).map_err(|_| "the payload names nobody")
}

/// The signature is for one payload and one sign-in: what another project was told, or this one at another time, says nothing here.
async fn check_signature(app: &App, state: &str, payload: &str, signature: Option<&str>) -> Result<(), &'static str> {
    let Some(signature) = signature else {
        return match app.config.outgoing.shared_oauth_signed.as_deref() {
            Some("1") => Err("the payload is not signed"),
            _ => Ok(()),
        };
    };
    let claims = verify_cloud_signature(app, signature).await?;
    if claims["payload"].as_str() != Some(&hashed(payload)) {
        return Err("the signature is of another payload");
    }
    match claims["redirect_uri"].as_str() == Some(&return_address(app, state)) {
        true => Ok(()),
        false => Err("the signature is for another sign-in"),
    }
}
