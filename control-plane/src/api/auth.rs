//! Signing in, refreshing, and the caller's own profile.

use std::net::SocketAddr;

use axum::{
    Extension, Form, Json, Router,
    extract::{ConnectInfo, FromRequest as _, FromRequestParts, Request, State as AxumState},
    response::{AppendHeaders, IntoResponse as _, Response},
    routing::{get, post},
};
use chrono::Duration;
use http::{HeaderName, StatusCode, header, request::Parts};
use http_kit::RequestId;
use model::{errors::Meaning, limits};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::users::User;
use utoipa::ToSchema;

use super::{Answer, time};
use crate::{
    app::{Ctx, auth},
    http::extract::Body,
    signing::SCOPES,
    state::State,
};

const REFRESH_COOKIE: &str = "refreshToken";

pub(super) fn public() -> Router<State> {
    Router::new().route("/auth/v1/login", post(log_in)).route("/api/oauth/v1/token", post(exchange_token))
}

pub(super) fn authenticated() -> Router<State> {
    Router::new().route("/auth/v1/profile", get(get_profile))
}

/// The address a request comes from, where the server knows it.
pub(crate) struct PeerAddress(String);

impl<S: Sync> FromRequestParts<S> for PeerAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(peer.map_or_else(String::new, |ConnectInfo(address)| address.ip().to_string())))
    }
}

/// Credentials.
#[derive(Deserialize, ToSchema)]
pub(crate) struct LogInIn {
    email: String,
    #[schema(value_type = String)]
    password: SecretString,
}

/// A user as the wire shows them, flat and with the nested profile that some clients read.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserOut {
    id: uuid::Uuid,
    email: String,
    name: String,
    avatar_url: Option<String>,
    email_verified: bool,
    created_at: String,
    profile: ProfileOut,
}

/// Name and picture.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProfileOut {
    name: String,
    avatar_url: Option<String>,
}

impl From<User> for UserOut {
    fn from(user: User) -> Self {
        Self {
            id: user.id.as_uuid(),
            profile: ProfileOut { name: user.name.clone(), avatar_url: user.avatar_url.clone() },
            email: user.email,
            name: user.name,
            avatar_url: user.avatar_url,
            email_verified: user.email_verified,
            created_at: time(user.created_at),
        }
    }
}

/// A signed-in user.
#[derive(Serialize, ToSchema)]
pub(crate) struct LogInOut {
    /// Access token, valid for an hour.
    token: String,
    user: UserOut,
}

/// Signs in with e-mail and password. The refresh token comes as a cookie.
#[utoipa::path(post, path = "/auth/v1/login", tag = "auth", request_body = LogInIn,
    responses((status = 200, body = LogInOut), (status = 401, description = "Wrong e-mail or password"), (status = 429)))]
pub(crate) async fn log_in(
    AxumState(state): AxumState<State>,
    PeerAddress(address): PeerAddress,
    Extension(request_id): Extension<RequestId>,
    Body(input): Body<LogInIn>,
) -> Answer<(AppendHeaders<[(HeaderName, String); 1]>, Json<LogInOut>)> {
    let (user, tokens) =
        auth::log_in(&state, request_id.as_str(), input.email.trim(), input.password, &address).await?;
    let cookie = format!(
        "{REFRESH_COOKIE}={}; HttpOnly; SameSite=Lax; Path=/; Max-Age={}",
        tokens.refresh_token.expose_secret(),
        Duration::days(limits::REFRESH_TOKEN_DAYS).num_seconds()
    );
    let token = tokens.access_token.expose_secret().to_owned();
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Json(LogInOut { token, user: user.into() })))
}

/// The caller's profile.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProfileEnvelope {
    user: UserOut,
}

/// Shows the caller's profile.
#[utoipa::path(get, path = "/auth/v1/profile", tag = "auth", responses((status = 200, body = ProfileEnvelope), (status = 401)))]
pub(crate) async fn get_profile(ctx: Ctx) -> Answer<Json<ProfileEnvelope>> {
    Ok(Json(ProfileEnvelope { user: ctx.user()?.clone().into() }))
}

/// A token request, JSON or form.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TokenIn {
    grant_type: Option<String>,
    #[schema(value_type = Option<String>)]
    refresh_token: Option<SecretString>,
}

fn refused(status: StatusCode, error: &str, description: &str) -> Response {
    (status, Json(json!({ "error": error, "error_description": description }))).into_response()
}

/// Clients send JSON; OAuth says form. Both are read.
async fn read_token_request(request: Request) -> Option<TokenIn> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    if content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded")) {
        return Form::from_request(request, &()).await.ok().map(|Form(input)| input);
    }
    Body::from_request(request, &()).await.ok().map(|Body(input)| input)
}

/// Exchanges a refresh token for a new pair of tokens. Errors are OAuth's.
#[utoipa::path(post, path = "/api/oauth/v1/token", tag = "auth", request_body = TokenIn,
    responses((status = 200, description = "`{access_token, refresh_token, token_type, expires_in, scope}`"), (status = 400, description = "`{error, error_description}`")))]
pub(crate) async fn exchange_token(
    AxumState(state): AxumState<State>,
    Extension(request_id): Extension<RequestId>,
    request: Request,
) -> Answer<Response> {
    let Some(input) = read_token_request(request).await else {
        return Ok(refused(StatusCode::BAD_REQUEST, "invalid_request", "The request cannot be read"));
    };
    match (input.grant_type.as_deref(), input.refresh_token) {
        (Some("refresh_token"), Some(token)) => match auth::refresh(&state, request_id.as_str(), token).await {
            Ok(tokens) => Ok(Json(json!({
                "access_token": tokens.access_token.expose_secret(),
                "refresh_token": tokens.refresh_token.expose_secret(),
                "token_type": "Bearer",
                "expires_in": limits::ACCESS_TOKEN_SECONDS,
                "scope": SCOPES,
            }))
            .into_response()),
            Err(failure) if *failure.0.meaning() == Meaning::Unauthenticated => {
                Ok(refused(StatusCode::BAD_REQUEST, "invalid_grant", failure.0.message()))
            }
            Err(failure) => Err(failure),
        },
        (Some("refresh_token"), None) => {
            Ok(refused(StatusCode::BAD_REQUEST, "invalid_request", "refresh_token is missing"))
        }
        (Some(_), _) => {
            Ok(refused(StatusCode::BAD_REQUEST, "unsupported_grant_type", "This grant type is not supported"))
        }
        (None, _) => Ok(refused(StatusCode::BAD_REQUEST, "invalid_request", "grant_type is missing")),
    }
}
