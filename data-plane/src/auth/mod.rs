//! End users and their sessions, administrators' sessions, and the project's auth configuration.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    routing::{get, patch, post, put},
};
use chrono::{DateTime, Utc};
use deadpool_postgres::ClientWrapper;
use serde_json::{Value, json};

use crate::{
    email::{configuration as smtp, templates},
    http::{Error, Result},
    state::App,
};

mod admin_sessions;
mod code_mails;
mod codes;
mod configuration;
mod fields;
mod listing;
pub(crate) mod oauth;
mod password_reset;
pub mod passwords;
mod policy;
mod profiles;
mod redirects;
mod sessions;
mod sign_in_codes;
mod sign_up;
mod tokens;
mod users;
mod verification;

pub(crate) use configuration::oauth_providers;

/// Routes under `/api/auth`.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/public-config", get(configuration::get_public_config))
        .route("/config", get(configuration::get_config).put(configuration::update_config))
        .route("/users", post(sign_up::create_user).get(listing::list_users).delete(listing::delete_users))
        .route("/users/{id}", get(listing::get_user))
        .route("/sessions", post(sessions::create_session))
        .route("/sessions/current", get(sessions::get_current_session))
        .route("/refresh", post(sessions::refresh_session))
        .route("/logout", post(sessions::delete_session))
        .route("/profiles/current", patch(profiles::update_current_profile))
        .route("/profiles/{user_id}", get(profiles::get_profile))
        .route("/tokens/anon", post(tokens::get_anon_token))
        .route("/admin/sessions", post(admin_sessions::create_admin_session))
        .route("/admin/sessions/exchange", post(admin_sessions::exchange_admin_session))
        .route("/admin/sessions/current", get(admin_sessions::get_current_admin_session))
        .route("/admin/refresh", post(admin_sessions::refresh_admin_session))
        .route("/admin/logout", post(admin_sessions::delete_admin_session))
        .merge(mails())
        .merge(oauth::router())
}

fn mails() -> Router<Arc<App>> {
    Router::new()
        .route("/smtp-config", get(smtp::get_smtp_config).put(smtp::update_smtp_config))
        .route("/email-templates", get(templates::list_templates))
        .route("/email-templates/{kind}", put(templates::update_template))
        .route("/email/send-otp", post(sign_in_codes::send_code))
        .route("/email/send-verification", post(verification::send_verification))
        .route("/email/verify", post(verification::verify_email))
        .route("/email/verify-link", get(verification::verify_by_link))
        .route("/email/send-reset-password", post(password_reset::send_reset))
        .route("/email/exchange-reset-password-token", post(password_reset::exchange_code))
        .route("/email/reset-password-link", get(password_reset::open_link))
        .route("/email/reset-password", post(password_reset::reset_password))
}

/// 403 where a project takes no new users.
fn signup_disabled() -> Error {
    Error::forbidden("AUTH_SIGNUP_DISABLED", "User signups are disabled for this project.")
}

/// The public key set at both its addresses.
pub fn well_known() -> Router<Arc<App>> {
    Router::new().route("/.well-known/jwks.json", get(get_jwks)).route("/api/.well-known/jwks.json", get(get_jwks))
}

async fn get_jwks(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.signing_keys.jwks())
}

/// The policy as the metadata shows it: without id and times, and with a list of addresses even where there is none.
pub(crate) async fn policy_for_metadata(client: &ClientWrapper, now: DateTime<Utc>) -> Result<Value> {
    let policy = policy::Policy::read(client, now).await?;
    let mut fields = policy.public_json();
    fields["allowedRedirectUrls"] = json!(policy.allowed_redirect_urls.clone().unwrap_or_default());
    Ok(fields)
}
