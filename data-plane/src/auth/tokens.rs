//! Sessions as responses: tokens in the body, and for browsers the refresh token in a cookie instead.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use deadpool_postgres::ClientWrapper;
use http::{HeaderValue, header};
use serde_json::{Value, json};

use super::users::Account;
use crate::{
    authentication::{KeyKind, RequireAdmin, Role, csrf_token},
    http::{Error, Query, Result, cookies::SessionKind},
    metering::note_active_user,
    secrets,
    state::App,
};

/// Where a client keeps its refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientType {
    /// A browser: in a cookie, guarded by a CSRF token.
    Web,
    /// Anything else: in its own storage.
    Other,
}

impl ClientType {
    /// What the query says; unknown types are browsers.
    pub(super) fn of(query: &Query) -> Self {
        match query.get("client_type") {
            Some("mobile" | "desktop" | "server") => Self::Other,
            _ => Self::Web,
        }
    }
}

/// A new session of a user, with `first` fields in front of the tokens.
pub(super) async fn session(
    app: &App,
    connection: &ClientWrapper,
    account: &Account,
    client: ClientType,
    body: Value,
) -> Response {
    rotated(app, connection, account, client, None, body).await
}

/// The next rotation of a session, or a new one without a nonce.
pub(super) async fn rotated(
    app: &App,
    connection: &ClientWrapper,
    account: &Account,
    client: ClientType,
    csrf_nonce: Option<&str>,
    mut body: Value,
) -> Response {
    note_active_user(app, connection, account.id).await;
    let now = app.clock.now();
    let sub = account.id.to_string();
    body["accessToken"] = json!(app.signing_keys.sign_access(&sub, Some(&account.email), Role::Authenticated, now));
    let (refresh, claims) = app.signing_keys.sign_refresh(SessionKind::User, &sub, csrf_nonce, now);
    match client {
        ClientType::Web => {
            body["csrfToken"] = json!(csrf_token(&app.config.jwt_secret, &claims));
            with_cookie(body, SessionKind::User.store(&refresh, now))
        }
        ClientType::Other => {
            body["refreshToken"] = json!(refresh);
            Json(body).into_response()
        }
    }
}

/// A JSON response that also sets a cookie.
pub(super) fn with_cookie(body: Value, cookie: HeaderValue) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// 403 for a CSRF token that does not belong to the session.
pub(super) fn invalid_csrf() -> Error {
    Error::forbidden("FORBIDDEN", "Invalid CSRF token")
}

/// `POST /tokens/anon`: an older way to ask for the anon key.
pub(super) async fn get_anon_token(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let key = secrets::value(&app, KeyKind::Anon.secret_name())
        .await?
        .ok_or_else(|| Error::not_found("SECRET_NOT_FOUND", "Anon key not initialized"))?;
    Ok(Json(json!({
        "accessToken": key,
        "message": "Anon key retrieved successfully (deprecated route, use GET /api/metadata/anon-key)",
    })))
}
