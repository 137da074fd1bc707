//! `GET /oauth/:provider`: the address that the browser goes to.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    configs,
    providers::{self, Addresses, Provider},
    shared,
    states::{self, Flow, Secrets},
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
        false => authorization_url(&app, provider, &config, &state, &secrets)?,
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

fn authorization_url(
    app: &App,
    provider: Provider,
    config: &configs::Usable,
    state: &str,
    secrets: &Secrets,
) -> Result<Url> {
    let Addresses { authorize, .. } = provider.addresses(app);
    let mut url = Url::parse(&authorize).map_err(|_| configs::not_configured(provider.as_str()))?;
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("client_id", &config.client_id)
            .append_pair("redirect_uri", &providers::callback_url(app, provider.as_str()))
            .append_pair("response_type", if provider == Provider::Apple { "code id_token" } else { "code" })
            .append_pair("scope", &provider.scope(&config.scopes))
            .append_pair("state", state);
        match provider {
            Provider::Google => _ = query.append_pair("access_type", "offline"),
            Provider::Apple => _ = query.append_pair("response_mode", "form_post"),
            _ => {}
        }
        if provider.repeats_nonce() {
            query.append_pair("nonce", &secrets.nonce);
        }
        if provider.uses_pkce() {
            query
                .append_pair("code_challenge", &challenge_of(&secrets.verifier))
                .append_pair("code_challenge_method", "S256");
        }
    }
    Ok(url)
}

/// The S256 challenge of a verifier.
pub(super) fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}
