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
    redirects,
    tokens::{self, ClientType},
    users,
};
use crate::{
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
    query: Query,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let (sign_up, plain) = SignUp::from_body(&body)?;
    let client = app.pools.internal().await?;
    let policy = Policy::read(&client, app.clock.now()).await?;
    let by_admin = caller.administrates();
    if !by_admin && policy.disable_signup {
        return Err(Error::forbidden("AUTH_SIGNUP_DISABLED", "User signups are disabled for this project."));
    }
    policy.check_password(plain)?;
    if !by_admin && policy.require_email_verification {
        check_redirect(&policy, sign_up.redirect_to.as_deref())?;
    }
    // Hashing takes long; the connection is free for others meanwhile.
    drop(client);
    let hash = app.passwords.hash(sign_up.password.clone()).await?;
    let client = app.pools.internal().await?;
    let id = insert(&client, &sign_up, &hash, by_admin && sign_up.auto_confirm).await?;
    app.events.changed(Resource::Users, None);
    if policy.require_email_verification {
        return answer_unverified(by_admin, sign_up.auto_confirm);
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
    Ok(tokens::session(&app, &account, ClientType::of(&query), answer))
}

impl SignUp {
    fn from_body(body: &Value) -> Result<(Self, &str)> {
        let mut form = Form::new(body);
        let email = fields::email(&mut form);
        let plain = form.string("password");
        let name = fields::name(&mut form);
        let redirect_to = form.optional_string("redirectTo").map(str::to_owned);
        if redirect_to.as_deref().is_some_and(|target| url::Url::parse(target).is_err()) {
            form.issue("redirectTo", "Invalid url");
        }
        let auto_confirm = form.optional_bool("autoConfirm").unwrap_or(false);
        form.finish()?;
        Ok((Self { email, password: SecretString::from(plain), name, redirect_to, auto_confirm }, plain))
    }
}

fn check_redirect(policy: &Policy, redirect_to: Option<&str>) -> Result<()> {
    if policy.verify_email_method != "link" {
        return Ok(());
    }
    let Some(target) = redirect_to else {
        return Err(Error::invalid_input("redirectTo is required when link-based email verification is enabled"));
    };
    if redirects::allowed(target, policy.allowed_redirect_urls.as_deref().unwrap_or_default()) {
        return Ok(());
    }
    Err(Error::invalid_input(format!("{target} is not in the allowed redirect URLs"))
        .with_next_actions("Please add this URL to the allowed redirect URLs in the authentication configuration."))
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

/// The answer when the address must be verified first. No mail provider is served yet, so the mail that should go out does not.
fn answer_unverified(by_admin: bool, auto_confirm: bool) -> Result<Response> {
    if by_admin {
        let body = json!({"accessToken": null, "requireEmailVerification": !auto_confirm});
        return Ok(Json(body).into_response());
    }
    Err(Error::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "AUTH_VERIFICATION_EMAIL_DELIVERY_FAILED",
        "The user account was created, but the verification email could not be sent.",
    )
    .with_next_actions(
        "The user account already exists. Retry delivery with POST /api/auth/email/send-verification instead of registering again.",
    ))
}
