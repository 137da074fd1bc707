//! `GET /oauth/:provider`: the address that the browser goes to.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use identity_providers::{Secrets, authorization_url};
use serde_json::{Value, json};
use url::Url;

use super::{
    calls, configs,
    providers::{self, Provider},
    shared,
    states::{self, Flow},
};
use crate::{
    auth::{policy::Policy, redirects},
    http::{Error, Query, Result, validation},
    state::App,
};

/// Parameters that are ours and not the provider's.
const OWN_PARAMETERS: [&str; 2] = ["redirect_uri", "code_challenge"];

/// `GET /oauth/:provider`.
pub(super) async fn begin(State(app): State<Arc<App>>, Path(name): Path<String>, query: Query) -> Result<Json<Value>> {
    providers::check_name(&name)?;
    let flow = flow(&app, &name, &query).await?;
    let Some(provider) = Provider::parse(&name) else {
        return Err(Error::new(
            StatusCode::NOT_IMPLEMENTED,
            "AUTH_UNSUPPORTED_PROVIDER",
            format!("{name} OAuth is not implemented yet."),
        ));
    };
    let config = {
        let client = app.pools.internal().await?;
        configs::usable(&app, &client, provider).await?.ok_or_else(|| configs::not_configured(&name))?
    };
    let secrets = Secrets::new();
    let state = states::begin(&app, &flow, &secrets).await?;
    let mut url = match config.shared {
        true => shared::authorization_url(&app, provider, &state).await?,
        false => {
            let back = providers::callback_url(&app, &name);
            authorization_url(provider, calls(&app).endpoints, &config.client(&back), &state, &secrets)
                .map_err(|_| configs::not_configured(&name))?
        }
    };
    providers::add_missing(&mut url, extra_parameters(&query));
    Ok(Json(json!({"authUrl": url.as_str()})))
}

/// What the application asks for, validated and allowed by the project.
pub(super) async fn flow(app: &App, provider: &str, query: &Query) -> Result<Flow> {
    let mut issues = Vec::new();
    let mut issue = |path: &str, message: &str| {
        issues.push(validation::Issue { path: path.to_owned(), message: message.to_owned() });
    };
    let redirect_uri = query.get("redirect_uri").unwrap_or_else(|| {
        issue("redirect_uri", "Required");
        ""
    });
    if query.get("redirect_uri").is_some() && Url::parse(redirect_uri).is_err() {
        issue("redirect_uri", "Invalid url");
    }
    match query.get("code_challenge") {
        None => issue("code_challenge", "Required"),
        Some(text) if text.len() < 43 => issue("code_challenge", "String must contain at least 43 character(s)"),
        Some(text) if text.len() > 128 => issue("code_challenge", "String must contain at most 128 character(s)"),
        Some(text) if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte)) => {
            issue("code_challenge", "Invalid");
        }
        Some(_) => {}
    }
    if !issues.is_empty() {
        return Err(Error::invalid_input(validation::joined(&issues)));
    }
    let client = app.pools.internal().await?;
    redirects::check(redirect_uri, &Policy::read(&client, app.clock.now()).await?)?;
    Ok(Flow {
        provider: provider.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        code_challenge: query.get("code_challenge").unwrap_or_default().to_owned(),
    })
}

/// Parameters that the application wants the provider to see.
pub(super) fn extra_parameters(query: &Query) -> impl Iterator<Item = (&str, &str)> {
    query.pairs().filter(|(name, _)| !OWN_PARAMETERS.contains(name))
}
