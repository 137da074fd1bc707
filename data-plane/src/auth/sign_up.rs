//! `POST /users`: signing up, and administrators creating users.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use deadpool_postgres::ClientWrapper;
use http::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    fields,
    policy::Policy,
    tokens::{self, ClientType},
    users, verification,
};
use crate::{
    audit::Unopened,
    authentication::{RequireUser, Role},
    events::Resource,
    http::{Error, JsonBody, Query, Result, validation::Form},
    state::App,
};

struct SignUp {
    email: String,
    password: SecretString,
    name: Option<String>,
    redirect_to: Option<String>,
    auto_confirm: bool,
}

/// `POST /users`.
pub(super) async fn create_user(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    audit: Unopened,
    query: Query,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    if caller.administrates() {
        audit.open(caller.actor()).await?;
    }
    let (sign_up, plain) = SignUp::from_body(&body)?;
    let client = app.pools.internal().await?;
    let policy = Policy::read(&client, app.clock.now()).await?;
    let by_admin = caller.administrates();
    if !by_admin && policy.disable_signup {
        return Err(super::signup_disabled());
    }
    policy.check_password(plain)?;
    if !by_admin && policy.require_email_verification {
        verification::check_redirect(&policy, sign_up.redirect_to.as_deref())?;
    }
    // Hashing takes long; the connection is free for others meanwhile.
    drop(client);
    let hash = app.passwords.hash(sign_up.password.clone()).await?;
    let client = app.pools.internal().await?;
    let id = insert(&client, &sign_up, &hash, by_admin && sign_up.auto_confirm).await?;
    app.events.changed(Resource::Users, None);
    if policy.require_email_verification {
        drop(client);
        if !by_admin {
            send_verification(&app, &policy, &sign_up).await?;
        }
        let required = !(by_admin && sign_up.auto_confirm);
        return Ok(Json(json!({"accessToken": null, "requireEmailVerification": required})).into_response());
    }
    let account =
        users::find(&client, id).await?.ok_or_else(|| Error::unauthorized("AUTH_UNAUTHORIZED", "User not found"))?;
    let mut answer = json!({"user": account.json, "accessToken": null, "requireEmailVerification": false});
    if by_admin {
        let (now, sub) = (app.clock.now(), id.to_string());
        answer["accessToken"] =
            json!(app.signing_keys.sign_access(&sub, Some(&account.email), Role::Authenticated, now));
        return Ok(Json(answer).into_response());
    }
    Ok(tokens::session(&app, &client, &account, ClientType::of(&query), answer).await)
}

impl SignUp {
    fn from_body(body: &Value) -> Result<(Self, &str)> {
        let mut form = Form::new(body);
        let email = fields::email(&mut form);
        let plain = form.string("password");
        let name = fields::name(&mut form);
        let redirect_to = fields::redirect_to(&mut form).map(str::to_owned);
        let auto_confirm = form.optional_bool("autoConfirm").unwrap_or(false);
        form.finish()?;
        Ok((Self { email, password: SecretString::from(plain), name, redirect_to, auto_confirm }, plain))
    }
}

async fn insert(client: &ClientWrapper, sign_up: &SignUp, hash: &str, verified: bool) -> Result<Uuid> {
    let profile = match &sign_up.name {
        Some(name) => json!({"name": name}),
        None => json!({}),
    };
    let inserted = client
        .query_opt(
            "insert into auth.users (id, email, password, email_verified, profile)
             select $1::uuid, $2::text, $3::text, $4::boolean, $5::jsonb
             where not exists (select from auth.users where lower(email) = $2)
             on conflict (email) do nothing
             returning id",
            &[&Uuid::new_v4(), &sign_up.email, &hash, &verified, &profile],
        )
        .await?;
    inserted.map(|row| row.get(0)).ok_or_else(|| Error::conflict("AUTH_EMAIL_EXISTS", "User already exists"))
}

/// Sends the first verification mail; the account stays whatever becomes of it.
async fn send_verification(app: &Arc<App>, policy: &Policy, sign_up: &SignUp) -> Result<()> {
    let sent = verification::send_first(app, policy, &sign_up.email, sign_up.redirect_to.as_deref()).await;
    sent.map_err(|failure| {
        let status = match failure.status() {
            StatusCode::TOO_MANY_REQUESTS => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Error::new(
            status,
            "AUTH_VERIFICATION_EMAIL_DELIVERY_FAILED",
            "The user account was created, but the verification email could not be sent.",
        )
        .with_next_actions(
            "The user account already exists. Retry delivery with POST /api/auth/email/send-verification instead of registering again.",
        )
    })
}
