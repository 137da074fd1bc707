//! User API keys: shown once, kept as a hash.

use chrono::Duration;
use ids::ApiKeyId;
use model::{Error, limits, organizations::check_name, secrets::random_token};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use store::api_keys::{self, ApiKey};

use super::{
    Ctx, Failure,
    audit::{self, Subject},
};
use crate::{signing::token_hash, state::State};

/// How long a new key lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lifetime {
    Days(i64),
    Never,
}

/// The part of a key that a list shows.
pub(crate) fn shown_prefix(token: &SecretString) -> String {
    token.expose_secret().chars().take(12).collect()
}

pub(crate) async fn list(state: &State, ctx: &Ctx) -> Result<Vec<ApiKey>, Failure> {
    Ok(api_keys::list(&mut *state.connection().await?, ctx.user()?.id).await?)
}

/// Makes a key. The secret is returned here and nowhere else.
pub(crate) async fn create(
    state: &State,
    ctx: &Ctx,
    name: &str,
    lifetime: Lifetime,
) -> Result<(ApiKey, SecretString), Failure> {
    let name = check_name("name", name)?;
    let now = state.clock.now();
    let expires_at = match lifetime {
        Lifetime::Never => None,
        Lifetime::Days(days) if (1..=limits::API_KEY_DAYS_MAX).contains(&days) => Some(now + Duration::days(days)),
        Lifetime::Days(_) => {
            let text = format!("expires_in_days must be between 1 and {}, or null for never", limits::API_KEY_DAYS_MAX);
            return Err(Error::invalid("expires_in_days", text).into());
        }
    };
    let token = random_token("uak_", 32);
    let key = ApiKey {
        id: ApiKeyId::generate(),
        name,
        prefix: shown_prefix(&token),
        expires_at,
        last_used_at: None,
        created_at: now,
    };
    let mut tx = state.begin().await?;
    store::users::lock(&mut tx, ctx.user()?.id).await?;
    if api_keys::count(&mut tx, ctx.user()?.id).await? >= limits::API_KEYS_PER_USER {
        let text = format!("You have {} API keys already. Revoke one first.", limits::API_KEYS_PER_USER);
        return Err(Error::quota_exceeded("api_key.quota_exceeded", text).into());
    }
    let subject = Subject { detail: json!({ "api_key_id": key.id, "name": key.name }), ..Subject::default() };
    let audit_id = audit::open(&mut tx, state, ctx, "api_key.create", subject).await?;
    api_keys::insert(&mut tx, ctx.user()?.id, &key, &token_hash(&token)).await?;
    audit::close_done(&mut tx, state, audit_id).await?;
    tx.commit().await?;
    Ok((key, token))
}

/// Revokes a key of the caller.
pub(crate) async fn revoke(state: &State, ctx: &Ctx, id: ApiKeyId) -> Result<(), Failure> {
    let mut tx = state.begin().await?;
    let subject = Subject { detail: json!({ "api_key_id": id }), ..Subject::default() };
    let audit_id = audit::open(&mut tx, state, ctx, "api_key.revoke", subject).await?;
    if !api_keys::revoke(&mut tx, ctx.user()?.id, id, state.clock.now()).await? {
        return Err(Error::not_found("api_key.not_found", "API key").into());
    }
    audit::close_done(&mut tx, state, audit_id).await?;
    Ok(tx.commit().await?)
}
