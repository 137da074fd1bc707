//! Choosing a new password with what was mailed: a code that is exchanged for a token, or a link that carries one.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use secrecy::SecretString;
use serde_json::json;

use super::{
    code_mails::{self, Mailing},
    codes::{self, Purpose},
    fields,
    policy::Policy,
    redirects,
    verification::link_token,
};
use crate::{
    email::Template,
    http::{ClientAddress, Error, JsonBody, Query, Result, validation::Form},
    state::App,
};

/// `POST /email/send-reset-password`.
pub(super) async fn send_reset(
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
        let check = |policy: &Policy| check_redirect(policy, redirect_to);
        let (policy, provider, known) = code_mails::prepare(&app, &email, check).await?;
        let link = by_link(&policy);
        if let Some(name) = known {
            let mailing = Mailing {
                purpose: Purpose::ResetPassword,
                template: if link { Template::ResetLink } else { Template::ResetCode },
                email,
                name,
                redirect_to: redirect_to.map(str::to_owned),
            };
            code_mails::send_in_background(Arc::clone(&app), provider, mailing);
        }
        Ok(code_mails::accepted(match link {
            true => "If your email is registered, we have sent you a password reset link. Please check your inbox.",
            false => "If your email is registered, we have sent you a password reset code. Please check your inbox.",
        }))
    };
    app.limits.code_mails.around(&app, address, work).await
}

/// `POST /email/exchange-reset-password-token`.
pub(super) async fn exchange_code(
    State(app): State<Arc<App>>,
    address: ClientAddress,
    JsonBody(body): JsonBody,
) -> Response {
    let work = async {
        let mut form = Form::new(&body);
        let email = fields::email(&mut form);
        let code = fields::code(&mut form, "code", "Reset password code");
        form.finish()?;
        let right = codes::check_code(&app, Purpose::ResetPassword, &email, code).await?;
        let (token, expires_at) = codes::exchange(&app, &right).await?;
        Ok(Json(json!({"token": token, "expiresAt": clock::iso_millis(expires_at)})).into_response())
    };
    app.limits.code_checks.around(&app, address, work).await
}

/// `GET /email/reset-password-link`: the browser comes here from the mail; the token goes on to the application, unused.
pub(super) async fn open_link(State(app): State<Arc<App>>, query: Query) -> Result<Response> {
    let token = link_token(&query)?;
    let client = app.pools.internal().await?;
    let stored = codes::find_token(&client, Purpose::ResetPassword, token, app.clock.now())
        .await?
        .ok_or_else(codes::wrong_token)?;
    let Some(target) = stored.redirect_to.as_deref().filter(|target| !target.is_empty()) else {
        return Err(Error::invalid_input("No redirect target configured for this verification link"));
    };
    let kind = ("insforge_type", "reset_password");
    Ok(match stored.valid {
        true => redirects::found(target, &[("token", token), ("insforge_status", "ready"), kind]),
        false => redirects::found(
            target,
            &[("insforge_status", "error"), kind, ("insforge_error", codes::wrong_token().message())],
        ),
    })
}

/// `POST /email/reset-password`.
pub(super) async fn reset_password(
    State(app): State<Arc<App>>,
    address: ClientAddress,
    JsonBody(body): JsonBody,
) -> Response {
    let work = async {
        let mut form = Form::new(&body);
        let password = form.string("newPassword");
        let token = form.string("otp");
        form.finish()?;
        {
            let client = app.pools.internal().await?;
            Policy::read(&client, app.clock.now()).await?.check_password(password)?;
            let stored = codes::find_token(&client, Purpose::ResetPassword, token, app.clock.now()).await?;
            if !stored.is_some_and(|stored| stored.valid) {
                return Err(codes::wrong_token());
            }
        }
        let hash = app.passwords.hash(SecretString::from(password)).await?;
        let mut client = app.pools.internal().await?;
        let transaction = client.transaction().await?;
        let email = codes::consume_token(&transaction, Purpose::ResetPassword, token, app.clock.now()).await?;
        let changed = transaction
            .execute(
                "update auth.users set password = $2, updated_at = now() where id =
                    (select id from auth.users where lower(email) = $1 order by created_at, id limit 1)",
                &[&email, &hash],
            )
            .await?;
        if changed == 0 {
            return Err(codes::wrong_token());
        }
        transaction.commit().await?;
        let message = "Password reset successfully. Please login with your new password.";
        Ok(Json(json!({"message": message})).into_response())
    };
    app.limits.code_checks.around(&app, address, work).await
}

fn by_link(policy: &Policy) -> bool {
    policy.reset_password_method == "link"
}

fn check_redirect(policy: &Policy, redirect_to: Option<&str>) -> Result<()> {
    if !by_link(policy) {
        return Ok(());
    }
    let Some(target) = redirect_to else {
        return Err(Error::invalid_input("redirectTo is required when link-based password reset is enabled"));
    };
    redirects::check(target, policy)
}
