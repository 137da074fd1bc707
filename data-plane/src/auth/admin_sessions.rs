//! Administrators' sessions. The administrator is configuration, not a row.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{
    fields,
    sessions::csrf_accepted,
    tokens::{invalid_csrf, with_cookie},
};
use crate::{
    audit::Unopened,
    authentication::{RefreshClaims, RequireToken, Role, csrf_token, verify_cloud_authorization},
    http::{ClientAddress, Error, JsonBody, Result, cookies::SessionKind, validation::Form},
    state::App,
};

/// What wrong passwords for the one administrator are counted under; no end user's address is like it.
const ADMINISTRATOR: &str = "administrator";

/// `POST /admin/sessions`.
pub(super) async fn create_admin_session(
    State(app): State<Arc<App>>,
    address: ClientAddress,
    audit: Unopened,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let mut form = Form::new(&body);
    let username = fields::username(&mut form);
    let password = form.string("password");
    form.finish()?;
    app.limits.sign_in_failures.attempt(ADMINISTRATOR, address, app.clock.now())?;
    let expected_name = app.config.admin_username().unwrap_or_default();
    let expected_password = app.config.admin_password().map(ExposeSecret::expose_secret).unwrap_or_default();
    let name_equal = same(username, expected_name);
    let password_equal = same(password, expected_password);
    if !(name_equal & password_equal) || expected_password.is_empty() {
        return Err(Error::unauthorized("AUTH_UNAUTHORIZED", "Invalid admin credentials"));
    }
    app.limits.sign_in_failures.succeeded(ADMINISTRATOR, address);
    let sub = format!("local:{username}");
    audit.open(&sub).await?;
    Ok(session(&app, &sub, None))
}

/// `POST /admin/sessions/exchange`: the cloud's authorization becomes a session here.
pub(super) async fn exchange_admin_session(
    State(app): State<Arc<App>>,
    audit: Unopened,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let mut form = Form::new(&body);
    let code = form.string("code");
    form.finish()?;
    let claims = verify_cloud_authorization(&app, code).await?;
    audit.open(&claims.sub).await?;
    Ok(session(&app, &claims.sub, None))
}

/// `GET /admin/sessions/current`.
pub(super) async fn get_current_admin_session(RequireToken(caller): RequireToken) -> Result<Json<Value>> {
    if !caller.administrates() {
        return Err(Error::forbidden("AUTH_UNAUTHORIZED", "Admin access required"));
    }
    Ok(Json(json!({"admin": {"sub": caller.user_id}})))
}

/// `POST /admin/refresh`.
pub(super) async fn refresh_admin_session(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response> {
    let refreshed = claims_of(&app, &headers)
        .and_then(|claims| if csrf_accepted(&app, &claims, &headers) { Ok(claims) } else { Err(invalid_csrf()) });
    match refreshed {
        Ok(claims) => Ok(session(&app, &claims.sub, Some(&claims.csrf_nonce))),
        Err(error) if error.status() == StatusCode::UNAUTHORIZED => Err(error.with_cookie(SessionKind::Admin.clear())),
        Err(error) => Err(error),
    }
}

/// `POST /admin/logout`.
pub(super) async fn delete_admin_session(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response> {
    if let Ok(claims) = claims_of(&app, &headers)
        && !csrf_accepted(&app, &claims, &headers)
    {
        return Err(invalid_csrf());
    }
    let body = json!({"success": true, "message": "Logged out successfully"});
    Ok(with_cookie(body, SessionKind::Admin.clear()))
}

fn session(app: &App, sub: &str, csrf_nonce: Option<&str>) -> Response {
    let now = app.clock.now();
    let (refresh, claims) = app.signing_keys.sign_refresh(SessionKind::Admin, sub, csrf_nonce, now);
    let body = json!({
        "admin": {"sub": sub},
        "accessToken": app.signing_keys.sign_access(sub, None, Role::ProjectAdmin, now),
        "csrfToken": csrf_token(&app.config.jwt_secret, &claims),
    });
    with_cookie(body, SessionKind::Admin.store(&refresh, now))
}

fn claims_of(app: &App, headers: &HeaderMap) -> Result<RefreshClaims> {
    let token = SessionKind::Admin
        .read(headers)
        .ok_or_else(|| Error::unauthorized("AUTH_UNAUTHORIZED", "No admin refresh token provided"))?;
    let claims = app.signing_keys.verify_refresh(&token)?;
    if claims.is_of(SessionKind::Admin) {
        return Ok(claims);
    }
    Err(Error::unauthorized("AUTH_UNAUTHORIZED", "Invalid admin refresh session type"))
}

/// Equality in constant time, whatever the lengths.
fn same(left: &str, right: &str) -> bool {
    Sha256::digest(left.as_bytes()).ct_eq(&Sha256::digest(right.as_bytes())).into()
}
