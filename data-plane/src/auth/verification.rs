//! Proving that an address is one's own, by code or by link.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use serde_json::json;

use super::{
    code_mails::{self, Mailing},
    codes::{self, Purpose},
    fields,
    policy::Policy,
    redirects,
    tokens::{self, ClientType},
    users,
};
use crate::{
    email::{self, Template},
    events::Resource,
    http::{ClientAddress, Error, JsonBody, Query, Result, validation::Form},
    state::App,
};

/// `POST /email/send-verification`.
pub(super) async fn send_verification(
    State(app): State<Arc<App>>,
    address: ClientAddress,
    JsonBody(body): JsonBody,
) -> Response {
    let work = async {
        code_mails::space(&app, &body)?;
        let mut form = Form::new(&body);
        let email = fields::email(&mut form);
        let redirect_to = fields::redirect_to(&mut form);
        form.finish()?;
        let (policy, provider, known) =
            code_mails::prepare(&app, &email, |policy| check_redirect(policy, redirect_to)).await?;
        if let Some(name) = known {
            let mailing = mailing(&policy, &email, name, redirect_to);
            code_mails::send_in_background(Arc::clone(&app), provider, mailing);
        }
        Ok(code_mails::accepted(match by_link(&policy) {
            true => "If your email is registered, we have sent you a verification link. Please check your inbox.",
            false => "If your email is registered, we have sent you a verification code. Please check your inbox.",
        }))
    };
    app.limits.code_mails.around(&app, address, work).await
}

/// `POST /email/verify`.
pub(super) async fn verify_email(
    State(app): State<Arc<App>>,
    address: ClientAddress,
    query: Query,
    JsonBody(body): JsonBody,
) -> Response {
    let work = async {
        let mut form = Form::new(&body);
        let email = fields::email(&mut form);
        let code = fields::code(&mut form, "otp", "OTP code");
        form.finish()?;
        let right = codes::check_code(&app, Purpose::VerifyEmail, &email, code).await?;
        let mut client = app.pools.internal().await?;
        let transaction = client.transaction().await?;
        codes::consume(&transaction, &right, app.clock.now()).await?;
        let id = users::mark_verified(&transaction, &email).await?.ok_or_else(codes::wrong_code)?;
        transaction.commit().await?;
        let account = users::find(&client, id).await?.ok_or_else(codes::wrong_code)?;
        app.events.changed(Resource::Users, None);
        let answer = json!({"user": account.json});
        Ok(tokens::session(&app, &client, &account, ClientType::of(&query), answer).await)
    };
    app.limits.code_checks.around(&app, address, work).await
}

/// `GET /email/verify-link`: the browser comes here from the mail and goes on to where the application wants it.
pub(super) async fn verify_by_link(State(app): State<Arc<App>>, query: Query) -> Result<Response> {
    let token = link_token(&query)?;
    let now = app.clock.now();
    let mut client = app.pools.internal().await?;
    let stored = codes::find_token(&client, Purpose::VerifyEmail, token, now).await?.ok_or_else(codes::wrong_token)?;
    let Some(target) = stored.redirect_to.as_deref().filter(|target| !target.is_empty()) else {
        return Err(Error::invalid_input("No redirect target configured for this verification link"));
    };
    let transaction = client.transaction().await?;
    let verified = async {
        let email = codes::consume_token(&transaction, Purpose::VerifyEmail, token, now).await?;
        users::mark_verified(&transaction, &email).await?.ok_or_else(codes::wrong_token)
    };
    match verified.await {
        Ok(_) => {
            transaction.commit().await?;
            app.events.changed(Resource::Users, None);
            Ok(redirects::found(target, &[("insforge_status", "success"), ("insforge_type", "verify_email")]))
        }
        Err(error) => Ok(redirects::found(
            target,
            &[("insforge_status", "error"), ("insforge_type", "verify_email"), ("insforge_error", error.message())],
        )),
    }
}

/// The mail that goes out with a sign-up.
pub(super) async fn send_first(app: &Arc<App>, policy: &Policy, to: &str, redirect_to: Option<&str>) -> Result<()> {
    let (provider, name) = {
        let client = app.pools.internal().await?;
        let provider = email::provider(app, &client).await?.ok_or_else(email::not_configured)?;
        (provider, users::display_name(&client, to).await?)
    };
    code_mails::send(app, &provider, &mailing(policy, to, name.unwrap_or_default(), redirect_to)).await
}

/// Refuses a link-based verification that would lead nowhere, or where the project does not want it to.
pub(super) fn check_redirect(policy: &Policy, redirect_to: Option<&str>) -> Result<()> {
    if !by_link(policy) {
        return Ok(());
    }
    let Some(target) = redirect_to else {
        return Err(Error::invalid_input("redirectTo is required when link-based email verification is enabled"));
    };
    redirects::check(target, policy)
}

/// The token in a link's query.
pub(super) fn link_token(query: &Query) -> Result<&str> {
    match query.get("token") {
        None => Err(Error::invalid_input("token: Required")),
        Some(token) if codes::is_token(token) => Ok(token),
        Some(_) => Err(Error::invalid_input("token: token must be a 64-character hexadecimal token")),
    }
}

fn by_link(policy: &Policy) -> bool {
    policy.verify_email_method == "link"
}

fn mailing(policy: &Policy, email: &str, name: String, redirect_to: Option<&str>) -> Mailing {
    let template = if by_link(policy) { Template::VerificationLink } else { Template::VerificationCode };
    Mailing {
        purpose: Purpose::VerifyEmail,
        template,
        email: email.to_owned(),
        name,
        redirect_to: redirect_to.map(str::to_owned),
    }
}
