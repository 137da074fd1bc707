//! States: what a provider carries through a sign-in and gives back. Signed by us, valid once and for an hour; what must stay secret is
//! stored here under the state's hash, encrypted, so that a restart loses nothing.

use chrono::{DateTime, Duration, Utc};
use identity_providers::Secrets;
use serde::Deserialize;
use serde_json::json;

use crate::{
    auth::codes::{hashed, new_token},
    http::{Error, Result},
    state::App,
};

const LIFETIME: Duration = Duration::hours(1);

/// A sign-in on its way.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Flow {
    /// `google`, …, or `custom:` and a key.
    pub(super) provider: String,
    /// Where the application wants the browser back.
    pub(super) redirect_uri: String,
    /// What the application's verifier must meet.
    pub(super) code_challenge: String,
}

/// Begins a sign-in; the state to give to the provider.
pub(super) async fn begin(app: &App, flow: &Flow, secrets: &Secrets) -> Result<String> {
    let now = app.clock.now();
    let expires_at = now + LIFETIME;
    let state = app.signing_keys.sign_shared(&json!({
        "provider": flow.provider,
        "redirectUri": flow.redirect_uri,
        "codeChallenge": flow.code_challenge,
        "createdAt": now.timestamp_millis(),
        "id": new_token(),
        "exp": expires_at.timestamp(),
    }));
    let encrypted = app.cipher.encrypt(&serde_json::to_string(secrets).expect("two texts"));
    let client = app.pools.internal().await?;
    client.execute("delete from auth.oauth_states where expires_at < $1", &[&now]).await?;
    client
        .execute(
            "insert into auth.oauth_states (state_hash, secrets_encrypted, expires_at) values ($1, $2, $3)",
            &[&hashed(&state), &encrypted, &expires_at],
        )
        .await?;
    Ok(state)
}

/// Ends a sign-in that a provider came back with. The state is used up.
///
/// # Errors
/// 400 for a state that is missing, altered, expired, used already, or of another provider.
pub(super) async fn finish(app: &App, state: Option<&str>, provider: Option<&str>) -> Result<(Flow, Secrets)> {
    let state =
        state.filter(|state| !state.is_empty()).ok_or_else(|| Error::invalid_input("State parameter is required"))?;
    let claims = app.signing_keys.read_shared(state).ok_or_else(invalid)?;
    let flow: Flow = serde_json::from_value(claims).map_err(|_| invalid())?;
    if provider.is_some_and(|provider| provider != flow.provider) {
        return Err(invalid());
    }
    let client = app.pools.internal().await?;
    let row = client
        .query_opt(
            "delete from auth.oauth_states where state_hash = $1 returning secrets_encrypted, expires_at",
            &[&hashed(state)],
        )
        .await?
        .filter(|row| row.get::<_, DateTime<Utc>>(1) > app.clock.now())
        .ok_or_else(invalid)?;
    let secrets = app.cipher.decrypt(row.get(0)).map_err(|_| invalid())?;
    Ok((flow, serde_json::from_str(&secrets).map_err(|_| invalid())?))
}

fn invalid() -> Error {
    Error::invalid_input("Invalid state parameter")
}
