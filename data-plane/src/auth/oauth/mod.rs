//! Signing in through providers: the built-in ones, the cloud's shared ones, and any OpenID Connect provider by discovery.
//!
//! A sign-in goes: begin (a state, signed and stored once) → the provider → callback (identity → account) → an exchange code for the
//! application → exchange, where the application proves with its verifier that it began the sign-in.

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

use identity_providers::Calls;

use crate::state::App;

mod accounts;
mod begin;
mod callback;
mod client_secrets;
pub(crate) mod configs;
mod custom;
mod custom_configs;
mod exchange;
mod id_tokens;
pub(crate) mod providers;
mod shared;
mod states;

/// What calls to providers are made with.
fn calls(app: &App) -> Calls<'_> {
    Calls {
        outbound: &app.outbound,
        key_sets: &app.key_sets,
        endpoints: app.config.outgoing.oauth_endpoints.as_deref(),
    }
}

/// Routes under `/api/auth`.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/id-token", post(id_tokens::sign_in))
        .route("/oauth/configs", get(configs::list_configs).post(configs::create_config))
        .route("/oauth/exchange", post(exchange::exchange_code))
        .route("/oauth/shared/callback/{state}", get(shared::shared_callback))
        .route("/oauth/custom/configs", get(custom_configs::list_configs).post(custom_configs::create_config))
        .route(
            "/oauth/custom/{key}/config",
            get(custom_configs::get_config).put(custom_configs::update_config).delete(custom_configs::delete_config),
        )
        .route("/oauth/custom/{key}", get(custom::begin))
        .route("/oauth/custom/{key}/callback", get(custom::callback))
        .route(
            "/oauth/{provider}/config",
            get(configs::get_config).put(configs::update_config).delete(configs::delete_config),
        )
        .route("/oauth/{provider}", get(begin::begin))
        .route("/oauth/{provider}/callback", get(callback::callback_by_query).post(callback::callback_by_form))
}
