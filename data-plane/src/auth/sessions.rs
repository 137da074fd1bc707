//! End users' sessions: signing in by password, the current session, rotation and signing out.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use http::HeaderMap;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    fields,
    passwords::Verdict,
    policy::Policy,
    sign_in_codes,
    tokens::{self, ClientType, invalid_csrf},
    users::{self, Account},
};
use crate::{
    authentication::{RefreshClaims, RequireToken},
    http::{ClientAddress, Error, JsonBody, Query, Result, cookies::SessionKind, validation::Form},
    state::App,
};

/// `POST /sessions`.
pub(super) async fn create_session(
    State(app): State<Arc<App>>,
    address: ClientAddress,
    query: Query,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let client_type = ClientType::of(&query);
    let by_code = match body.get("method") {
        None | Some(Value::Null) => false,
        Some(Value::String(method)) if method == "password" => false,
        Some(Value::String(method)) if method == "otp" => true,
        Some(_) => {
            return Err(Error::invalid_input("method: Invalid discriminator value. Expected 'password' | 'otp'"));
        }
    };
    if by_code {
        let work = async { opened(&app, &sign_in_codes::sign_in(&app, &body).await?, client_type).await };
        return Ok(app.limits.code_checks.around(&app, address, work).await);
    }
    opened(&app, &by_password(&app, address, &body).await?, client_type).await
}

async fn opened(app: &App, account: &Account, client_type: ClientType) -> Result<Response> {
    let client = app.pools.internal().await?;
    Ok(tokens::session(app, &client, account, client_type, json!({"user": account.json})).await)
}

/// `GET /sessions/current`.
pub(super) async fn get_current_session(
    State(app): State<Arc<App>>,
    RequireToken(caller): RequireToken,
) -> Result<Json<Value>> {
    let refused = |message| Error::unauthorized("AUTH_INVALID_CREDENTIALS", message);
    let Some(id) = caller.end_user() else { return Err(refused("User not authenticated")) };
    let client = app.pools.internal().await?;
    let account = match fields::parse_uuid(id) {
        Some(id) => users::find(&client, id).await?,
        None => None,
    };
    let account = account.ok_or_else(|| refused("User not found"))?;
    Ok(Json(json!({"user": account.json})))
}

/// `POST /refresh`.
pub(super) async fn refresh_session(
    State(app): State<Arc<App>>,
    query: Query,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let client_type = ClientType::of(&query);
    match client_type {
        ClientType::Other => {
            let token = body.get("refreshToken").or_else(|| body.get("refresh_token")).and_then(Value::as_str);
            let token = token.ok_or_else(|| Error::invalid_input("refreshToken: Required"))?;
            let claims = user_claims(&app, token)?;
            rotate(&app, client_type, &claims).await
        }
        ClientType::Web => refresh_by_cookie(&app, &headers).await.map_err(|error| {
            // A cookie that is refused once is refused for ever.
            let refused = error.status() == http::StatusCode::UNAUTHORIZED;
            if refused { error.with_cookie(SessionKind::User.clear()) } else { error }
        }),
    }
}

/// `POST /logout`.
pub(super) async fn delete_session(State(app): State<Arc<App>>, query: Query, headers: HeaderMap) -> Result<Response> {
    if ClientType::of(&query) == ClientType::Web
        && let Some(token) = SessionKind::User.read(&headers)
        && let Ok(claims) = user_claims(&app, &token)
        && !csrf_accepted(&app, &claims, &headers)
    {
        return Err(invalid_csrf());
    }
    let body = json!({"success": true, "message": "Logged out successfully"});
    Ok(tokens::with_cookie(body, SessionKind::User.clear()))
}

/// Whether the request carries the session's CSRF token.
pub(super) fn csrf_accepted(app: &App, claims: &RefreshClaims, headers: &HeaderMap) -> bool {
    let presented = headers.get("x-csrf-token").and_then(|value| value.to_str().ok()).unwrap_or_default();
    claims.accepts_csrf(&app.config.jwt_secret, presented)
}

async fn by_password(app: &App, address: ClientAddress, body: &Value) -> Result<Account> {
    let mut form = Form::new(body);
    let email = fields::email(&mut form);
    let password = SecretString::from(form.string("password"));
    form.finish()?;
    app.limits.sign_in_failures.attempt(&email, address, app.clock.now())?;
    let (account, policy) = {
        let client = app.pools.internal().await?;
        (users::find_by_email(&client, &email).await?, Policy::read(&client, app.clock.now()).await?)
    };
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    let verdict = app.passwords.check(password.clone(), stored).await?;
    let (Some(account), Verdict::Right | Verdict::RightButOutdated) = (account, verdict) else {
        return Err(Error::unauthorized("AUTH_UNAUTHORIZED", "Invalid credentials"));
    };
    app.limits.sign_in_failures.succeeded(&email, address);
    if policy.require_email_verification && !account.verified {
        return Err(Error::forbidden("FORBIDDEN", "Email verification required")
            .with_next_actions("Please verify your email address before logging in"));
    }
    if verdict == Verdict::RightButOutdated {
        store_new_hash(app, &account, password).await?;
    }
    Ok(account)
}

async fn store_new_hash(app: &App, account: &Account, password: SecretString) -> Result<()> {
    let hash = app.passwords.hash(password).await?;
    let client = app.pools.internal().await?;
    // Nothing is changed when the password was changed meanwhile.
    client
        .execute(
            "update auth.users set password = $1 where id = $2 and password = $3",
            &[&hash, &account.id, &account.password_hash],
        )
        .await?;
    Ok(())
}

async fn refresh_by_cookie(app: &App, headers: &HeaderMap) -> Result<Response> {
    let token = SessionKind::User
        .read(headers)
        .ok_or_else(|| Error::unauthorized("AUTH_UNAUTHORIZED", "No refresh token provided"))?;
    let claims = user_claims(app, &token)?;
    if !csrf_accepted(app, &claims, headers) {
        return Err(invalid_csrf());
    }
    rotate(app, ClientType::Web, &claims).await
}

fn user_claims(app: &App, token: &str) -> Result<RefreshClaims> {
    let claims = app.signing_keys.verify_refresh(token)?;
    if claims.is_of(SessionKind::User) {
        return Ok(claims);
    }
    Err(Error::unauthorized("AUTH_UNAUTHORIZED", "Invalid refresh session type"))
}

async fn rotate(app: &App, client_type: ClientType, claims: &RefreshClaims) -> Result<Response> {
    let client = app.pools.internal().await?;
    let account = match fields::parse_uuid(&claims.sub) {
        Some(id) => users::find(&client, id).await?,
        None => None,
    };
    let account = account.ok_or_else(|| Error::unauthorized("AUTH_UNAUTHORIZED", "User not found"))?;
    let body = json!({"accessToken": null, "user": account.json});
    Ok(tokens::rotated(app, &client, &account, client_type, Some(&claims.csrf_nonce), body).await)
}
