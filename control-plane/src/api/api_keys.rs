//! The caller's API keys.

use axum::{
    Json, Router,
    extract::State as AxumState,
    routing::{delete, get},
};
use http::StatusCode;
use model::limits;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Deserializer, Serialize};
use store::api_keys::ApiKey;
use utoipa::ToSchema;

use super::{Answer, time};
use crate::{
    app::{
        Ctx,
        api_keys::{self, Lifetime},
    },
    http::extract::{ApiKeyPath, Body},
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/auth/v1/api-keys", get(list_api_keys).post(create_api_key))
        .route("/auth/v1/api-keys/{id}", delete(revoke_api_key))
}

/// A key without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyOut {
    id: uuid::Uuid,
    name: String,
    /// The first characters, to tell keys apart.
    prefix: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    created_at: String,
}

impl From<ApiKey> for ApiKeyOut {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.as_uuid(),
            name: key.name,
            prefix: key.prefix,
            expires_at: key.expires_at.map(time),
            last_used_at: key.last_used_at.map(time),
            created_at: time(key.created_at),
        }
    }
}

/// The caller's keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyList {
    api_keys: Vec<ApiKeyOut>,
}

/// Lists the caller's API keys that are not revoked.
#[utoipa::path(get, path = "/auth/v1/api-keys", tag = "auth", responses((status = 200, body = ApiKeyList), (status = 401)))]
pub(crate) async fn list_api_keys(AxumState(state): AxumState<State>, ctx: Ctx) -> Answer<Json<ApiKeyList>> {
    let api_keys = api_keys::list(&state, &ctx).await?;
    Ok(Json(ApiKeyList { api_keys: api_keys.into_iter().map(ApiKeyOut::from).collect() }))
}

/// A key to make. Without `expires_in_days` it lasts 90 days; with null it does not expire.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateApiKeyIn {
    name: String,
    #[serde(default, alias = "expiresInDays", deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    expires_in_days: Option<Option<i64>>,
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A new key with its secret, which is not shown again.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedApiKey {
    api_key: ApiKeyOut,
    /// The secret.
    key: String,
}

/// Makes an API key.
#[utoipa::path(post, path = "/auth/v1/api-keys", tag = "auth", request_body = CreateApiKeyIn,
    responses((status = 201, body = CreatedApiKey), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn create_api_key(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    Body(input): Body<CreateApiKeyIn>,
) -> Answer<(StatusCode, Json<CreatedApiKey>)> {
    let lifetime = match input.expires_in_days {
        None => Lifetime::Days(limits::API_KEY_DAYS),
        Some(None) => Lifetime::Never,
        Some(Some(days)) => Lifetime::Days(days),
    };
    let (key, secret) = api_keys::create(&state, &ctx, &input.name, lifetime).await?;
    let created = CreatedApiKey { api_key: key.into(), key: secret.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, Json(created)))
}

/// That a key is revoked.
#[derive(Serialize, ToSchema)]
pub(crate) struct RevokedApiKey {
    message: String,
    id: uuid::Uuid,
}

/// Revokes an API key of the caller.
#[utoipa::path(delete, path = "/auth/v1/api-keys/{id}", tag = "auth", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = RevokedApiKey), (status = 401), (status = 404)))]
pub(crate) async fn revoke_api_key(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ApiKeyPath(id): ApiKeyPath,
) -> Answer<Json<RevokedApiKey>> {
    api_keys::revoke(&state, &ctx, id).await?;
    Ok(Json(RevokedApiKey { message: "API key revoked".to_owned(), id: id.as_uuid() }))
}
