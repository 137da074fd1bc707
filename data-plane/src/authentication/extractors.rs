//! One extractor per requirement, so that a route cannot forget its own.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::{HeaderMap, StatusCode, header, request::Parts};
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;

use super::{Caller, KeyKind, cloud};
use crate::{
    audit,
    http::{Error, Result},
    state::App,
};

/// Any verified caller: API key, anon key or token.
#[derive(Clone, Debug)]
pub struct RequireUser(pub Caller);

/// The bearer of a token.
#[derive(Clone, Debug)]
pub struct RequireToken(pub Caller);

/// An administrator: API key, administrator's token, or the cloud's authorization for this project.
#[derive(Clone, Debug)]
pub struct RequireAdmin(pub Caller);

/// The holder of the API key.
#[derive(Clone, Debug)]
pub struct RequireApiKey(pub Caller);

/// The cloud itself, by a token that it signed for this project.
#[derive(Clone, Copy, Debug)]
pub struct RequireCloud;

/// The platform itself, by the project's platform token.
#[derive(Clone, Copy, Debug)]
pub struct RequirePlatform;

impl FromRequestParts<Arc<App>> for RequireUser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        if let Some(key) = presented_api_key(&parts.headers) {
            return check_api_key(app, &key).await.map(Self);
        }
        let token = bearer(&parts.headers).ok_or_else(|| no_token("No token provided"))?;
        if token.starts_with(KeyKind::Anon.prefix()) {
            return match app.access_keys.accept(app, KeyKind::Anon, token).await? {
                true => Ok(Self(Caller::anon_key())),
                false => Err(Error::unauthorized("AUTH_INVALID_CREDENTIALS", "Invalid anon key")),
            };
        }
        app.signing_keys.verify_access(token).map(Caller::token).map(Self)
    }
}

impl FromRequestParts<Arc<App>> for RequireToken {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let token = bearer(&parts.headers).ok_or_else(|| no_token("No token provided"))?;
        app.signing_keys.verify_access(token).map(Caller::token).map(Self)
    }
}

impl FromRequestParts<Arc<App>> for RequireAdmin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let caller = administrator(&parts.headers, app).await?;
        // Here, so that no route can forget it.
        audit::open(app, parts, caller.actor()).await?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<Arc<App>> for RequireApiKey {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        match presented_api_key(&parts.headers) {
            Some(key) => check_api_key(app, &key).await.map(Self),
            None => Err(Error::unauthorized("AUTH_INVALID_API_KEY", "No API key provided")),
        }
    }
}

impl FromRequestParts<Arc<App>> for RequireCloud {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let token = bearer(&parts.headers).ok_or_else(|| no_token("No authorization token provided"))?;
        cloud::verify_for_this_project(app, token).await?;
        Ok(Self)
    }
}

impl FromRequestParts<Arc<App>> for RequirePlatform {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let presented = bearer(&parts.headers).unwrap_or_default();
        let accepted = app
            .config
            .platform_token
            .as_ref()
            .is_some_and(|expected| bool::from(expected.expose_secret().as_bytes().ct_eq(presented.as_bytes())));
        if !accepted {
            return Err(Error::unauthorized("AUTH_INVALID_CREDENTIALS", "Platform token required"));
        }
        audit::open(app, parts, audit::PLATFORM).await?;
        Ok(Self)
    }
}

async fn administrator(headers: &HeaderMap, app: &Arc<App>) -> Result<Caller> {
    if let Some(key) = presented_api_key(headers) {
        return check_api_key(app, &key).await;
    }
    let token = bearer(headers).ok_or_else(|| no_token("No admin token provided"))?;
    let claims = match cloud::is_authorization(token) {
        true => cloud::verify(app, token).await?,
        false => app.signing_keys.verify_access(token).map_err(|error| match error.status() {
            StatusCode::FORBIDDEN => not_an_administrator(),
            _ => error,
        })?,
    };
    let caller = Caller::token(claims);
    if caller.administrates() {
        return Ok(caller);
    }
    Err(not_an_administrator())
}

fn not_an_administrator() -> Error {
    Error::forbidden("AUTH_UNAUTHORIZED", "Admin access required")
        .with_next_actions("Check the admin token is valid or login as admin to get a new token.")
}

async fn check_api_key(app: &App, key: &str) -> Result<Caller> {
    if app.access_keys.accept(app, KeyKind::Api, key).await? {
        return Ok(Caller::api_key());
    }
    Err(Error::unauthorized("AUTH_INVALID_API_KEY", "Invalid API key")
        .with_next_actions("Check the API key is valid or generate a new API key."))
}

fn no_token(message: &str) -> Error {
    Error::unauthorized("AUTH_INVALID_CREDENTIALS", message)
        .with_next_actions("Check the token is valid or login to get a new token.")
}

/// The API key a request presents: as bearer, or in its own header, which wins over a token.
fn presented_api_key(headers: &HeaderMap) -> Option<String> {
    if let Some(token) = bearer(headers).filter(|token| token.starts_with(KeyKind::Api.prefix())) {
        return Some(token.to_owned());
    }
    let value = headers.get("x-api-key")?.to_str().ok()?;
    (!value.is_empty()).then(|| value.to_owned())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").filter(|token| !token.is_empty())
}
