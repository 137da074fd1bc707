//! Mailing codes and links: spacing, the code itself, the mail, and sending it without telling who is registered.

use std::sync::Arc;

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use chrono::Duration;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    codes::{self, Purpose},
    policy::Policy,
    users,
};
use crate::{
    email::{self, Provider, Template, Variables},
    http::{Result, limits::too_many},
    state::App,
};

const INTERVAL: Duration = Duration::seconds(60);

/// How somebody without a name is addressed.
const NAMELESS: &str = "User";

/// One code or link on its way to one address.
pub(super) struct Mailing {
    pub(super) purpose: Purpose,
    pub(super) template: Template,
    pub(super) email: String,
    pub(super) name: String,
    pub(super) redirect_to: Option<String>,
}

/// Begins the interval in which an address gets no other code. Counts before anything else is looked at.
///
/// # Errors
/// 429 with the seconds left.
pub(super) fn space(app: &App, body: &Value) -> Result<()> {
    let Some(email) = body["email"].as_str().filter(|email| !email.is_empty()) else { return Ok(()) };
    app.limits.code_mail_cooldown.begin(&email.to_lowercase(), app.clock.now(), INTERVAL).map_err(|seconds| {
        too_many(format!("Please wait {seconds} seconds before requesting another code for this email"), seconds)
    })
}

/// The policy, how to send, and the name of the account if there is one. Refuses what can be refused without knowing the account.
pub(super) async fn prepare(
    app: &App,
    email: &str,
    check: impl FnOnce(&Policy) -> Result<()>,
) -> Result<(Policy, Provider, Option<String>)> {
    let client = app.pools.internal().await?;
    let policy = Policy::read(&client, app.clock.now()).await?;
    check(&policy)?;
    let provider = email::provider(app, &client).await?.ok_or_else(email::not_configured)?;
    let known = users::display_name(&client, email).await?;
    Ok((policy, provider, known))
}

/// Makes the code or link and sends it.
///
/// # Errors
/// The mail is not taken.
pub(super) async fn send(app: &App, provider: &Provider, mailing: &Mailing) -> Result<()> {
    let name = if mailing.name.is_empty() { NAMELESS.to_owned() } else { mailing.name.clone() };
    let mut variables = Variables { name, token: None, link: None };
    let path = match mailing.template {
        Template::VerificationLink => Some("verify-link"),
        Template::ResetLink => Some("reset-password-link"),
        Template::VerificationCode | Template::SignInCode | Template::ResetCode => None,
    };
    match path {
        Some(path) => {
            let token =
                codes::issue_token(app, mailing.purpose, &mailing.email, mailing.redirect_to.as_deref()).await?;
            let base = app.config.api_base_url.trim_end_matches('/');
            variables.link = Some(format!("{base}/api/auth/email/{path}?token={token}"));
        }
        None => variables.token = Some(codes::issue_code(app, mailing.purpose, &mailing.email).await?),
    }
    email::send_template(app, provider, mailing.template, &mailing.email, &variables).await
}

/// Sends after the answer, so that neither its time nor its outcome tells whether the address is registered.
pub(super) fn send_in_background(app: Arc<App>, provider: Provider, mailing: Mailing) {
    app.activity.request_began(app.clock.now());
    tokio::spawn(async move {
        if let Err(error) = send(&app, &provider, &mailing).await {
            tracing::warn!(error.code = error.code(), cause = error.message(), "a mail with a code was not sent");
        }
        app.activity.request_ended();
    });
}

/// 202 with a message that says nothing about the account.
pub(super) fn accepted(message: &str) -> Response {
    (StatusCode::ACCEPTED, Json(json!({"success": true, "message": message}))).into_response()
}
