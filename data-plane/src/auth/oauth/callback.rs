//! `/oauth/:provider/callback`: the browser comes back from a built-in provider.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use identity_providers::{Identity, Secrets, identify};

use super::{
    accounts, calls, configs, exchange,
    providers::{self, Provider},
    states::{self, Flow},
};
use crate::{
    http::{Error, JsonBody, Query, Result},
    state::App,
};

/// What the browser is told when a provider gave no identity; the log knows more.
pub(super) const FAILED: &str = "Authentication failed";

/// By query, as most providers do.
pub(super) async fn callback_by_query(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response> {
    come_back(&app, &name, query.get("state"), query.get("code")).await
}

/// By form, as Apple does.
pub(super) async fn callback_by_form(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    come_back(&app, &name, body["state"].as_str(), body["code"].as_str()).await
}

async fn come_back(app: &App, name: &str, state: Option<&str>, code: Option<&str>) -> Result<Response> {
    providers::check_name(name)?;
    let (flow, secrets) = states::finish(app, state, Some(name)).await?;
    match sign_in(app, name, code, &secrets).await {
        Ok(identity) => finish(app, &flow, &identity).await,
        Err(error) => Ok(exchange::redirect_with_error(&flow, error.message())),
    }
}

/// Sends the browser on with a code for the identity's account, or with why it has none.
pub(super) async fn finish(app: &App, flow: &Flow, identity: &Identity) -> Result<Response> {
    match accounts::find_or_create(app, identity).await {
        Ok(found) => exchange::redirect_with_code(app, flow, found.id).await,
        Err(error) if error.status().is_server_error() => Ok(exchange::redirect_with_error(flow, FAILED)),
        Err(error) => Ok(exchange::redirect_with_error(flow, error.message())),
    }
}

async fn sign_in(app: &App, name: &str, code: Option<&str>, secrets: &Secrets) -> Result<Identity> {
    let failed = || Error::invalid_input(FAILED);
    let (Some(provider), Some(code)) = (Provider::parse(name), code.filter(|code| !code.is_empty())) else {
        return Err(failed());
    };
    let config = {
        let client = app.pools.internal().await?;
        configs::usable(app, &client, provider).await?.ok_or_else(|| configs::not_configured(name))?
    };
    let back = providers::callback_url(app, name);
    let identity = identify(calls(app), provider, &config.client(&back), code, secrets, app.clock.now()).await;
    identity.map_err(|failure| {
        tracing::warn!(oauth.provider = name, cause = telemetry::chain(&failure), "a provider gave no identity");
        failed()
    })
}
