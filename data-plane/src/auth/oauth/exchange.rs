//! Exchange codes: what the application gets in the redirect, and turns into a session with its verifier.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use chrono::{DateTime, Duration, Utc};
use identity_providers::challenge_of;
use serde_json::json;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::states::Flow;
use crate::{
    auth::{
        codes::{hashed, new_token},
        redirects,
        tokens::{self, ClientType},
        users,
    },
    http::{Error, JsonBody, Query, Result, validation::Form},
    state::App,
};

const LIFETIME: Duration = Duration::minutes(5);

/// Sends the browser back to the application with a code for `user`.
pub(super) async fn redirect_with_code(app: &App, flow: &Flow, user: Uuid) -> Result<Response> {
    let (code, now) = (new_token(), app.clock.now());
    let client = app.pools.internal().await?;
    client.execute("delete from auth.oauth_exchange_codes where expires_at < $1", &[&now]).await?;
    client
        .execute(
            "insert into auth.oauth_exchange_codes (code_hash, user_id, code_challenge, expires_at)
             values ($1, $2, $3, $4)",
            &[&hashed(&code), &user, &flow.code_challenge, &(now + LIFETIME)],
        )
        .await?;
    Ok(redirects::found(&flow.redirect_uri, &[("insforge_code", &code)]))
}

/// Sends the browser back to the application with what went wrong.
pub(super) fn redirect_with_error(flow: &Flow, message: &str) -> Response {
    redirects::found(&flow.redirect_uri, &[("error", message)])
}

/// `POST /oauth/exchange`.
pub(super) async fn exchange_code(
    State(app): State<Arc<App>>,
    query: Query,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let mut form = Form::new(&body);
    let code = form.string("code");
    let verifier = form.string("code_verifier");
    if form.issues().is_empty() {
        match verifier.len() {
            0..43 => form.issue("code_verifier", "String must contain at least 43 character(s)"),
            43..=128 => {}
            _ => form.issue("code_verifier", "String must contain at most 128 character(s)"),
        }
    }
    form.finish()?;
    let client = app.pools.internal().await?;
    let invalid = || Error::invalid_input("Invalid or expired code");
    // Whatever comes of it, the code is burnt.
    let row = client
        .query_opt(
            "delete from auth.oauth_exchange_codes where code_hash = $1 returning user_id, code_challenge, expires_at",
            &[&hashed(code)],
        )
        .await?
        .filter(|row| row.get::<_, DateTime<Utc>>(2) > app.clock.now())
        .ok_or_else(invalid)?;
    let expected: &str = row.get(1);
    if !bool::from(challenge_of(verifier).as_bytes().ct_eq(expected.as_bytes())) {
        return Err(Error::bad_request("AUTH_UNAUTHORIZED", "PKCE verification failed"));
    }
    let account = users::find(&client, row.get(0)).await?.ok_or_else(invalid)?;
    let answer = json!({"accessToken": null, "user": account.json});
    Ok(tokens::session(&app, &client, &account, ClientType::of(&query), answer).await)
}
