//! Signing in to a project through a client of the operator's own: a project's data plane asks where the browser goes, the provider sends it
//! to us, and we pass on to the data plane, signed, who it was.
//!
//! The browser is only ever sent on to the callback of a project of this cloud. Custom domains are not accepted, because nothing proves that
//! a project has the one it names.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::Duration;
use identity_providers::{
    Calls, Client, EndpointOverrides, Failure as ProviderFailure, KeySets, Provider, Secrets, authorization_url,
    identify, to_profile,
};
use ids::AppKey;
use model::{Error, limits, projects::host, regions::Region, secrets::random_token};
use outbound::Outbound;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use store::shared_sign_ins::{self, SharedSignIn};
use url::Url;

use super::Failure;
use crate::{
    config::{Config, SharedClient, SharedClients},
    signing::token_hash,
    state::State,
};

/// What seals what a browser's way back needs.
const CONTEXT: &str = "shared_sign_in";
const FAILED: &str = "Authentication failed";
const REFUSED_BY_USER: &str = "Access was denied";

/// What talking to providers needs. Their addresses are the operator's choice, so any network may be called.
pub(crate) struct SharedProviders {
    outbound: Outbound,
    key_sets: KeySets,
    endpoints: EndpointOverrides,
}

impl SharedProviders {
    /// For these clients.
    pub(crate) fn new(clients: &SharedClients) -> Self {
        let everywhere = ["0.0.0.0/0", "::/0"].map(|network| network.parse().expect("a network"));
        let settings = outbound::Settings { allowed: everywhere.to_vec(), extra_roots_pem: None };
        let endpoints: HashMap<_, _> =
            clients.iter().map(|(provider, client)| (provider.as_str().to_owned(), client.endpoints.clone())).collect();
        Self {
            outbound: Outbound::new(settings).expect("there are no additional certificates"),
            key_sets: KeySets::default(),
            endpoints,
        }
    }

    fn calls(&self) -> Calls<'_> {
        Calls { outbound: &self.outbound, key_sets: &self.key_sets, endpoints: Some(&self.endpoints) }
    }
}

/// What a browser's way back needs.
#[derive(Serialize, Deserialize)]
struct Flow {
    redirect_uri: String,
    secrets: Secrets,
}

/// What a provider sent a browser back with.
pub(crate) struct ProviderAnswer {
    pub(crate) state: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) error: Option<String>,
}

/// Begins a sign-in: where the browser goes.
pub(crate) async fn begin(state: &State, provider: &str, redirect_uri: Option<&str>) -> Result<Url, Failure> {
    let (provider, client) = offered(&state.config, provider)?;
    let redirect_uri = redirect_uri.ok_or_else(|| Error::invalid("redirect_uri", "redirect_uri is missing"))?;
    let (app_key, region) = callback_host(&state.config, redirect_uri).ok_or_else(not_a_callback)?;
    let now = state.clock.now();
    let mut conn = state.connection().await?;
    let project_id = store::projects::find_id_at(&mut conn, &app_key, region).await?.ok_or_else(not_a_callback)?;
    if shared_sign_ins::count(&mut conn, project_id, now).await? >= limits::SHARED_SIGN_INS_PER_PROJECT {
        return Err(Error::throttled(limits::SHARED_SIGN_IN_SECONDS.unsigned_abs()).into());
    }
    let secrets = Secrets::new();
    let token = random_token("", 32);
    let back = callback_url(&state.config, provider);
    let url = authorization_url(
        provider,
        Some(&state.shared_providers.endpoints),
        &as_known(client, &back),
        token.expose_secret(),
        &secrets,
    )
    .map_err(Error::internal)?;
    let flow = serde_json::to_vec(&Flow { redirect_uri: redirect_uri.to_owned(), secrets }).expect("texts are JSON");
    let sign_in = SharedSignIn {
        project_id,
        provider: provider.as_str(),
        sealed_flow: state.master_key.seal(CONTEXT, &flow),
        expires_at: now + Duration::seconds(limits::SHARED_SIGN_IN_SECONDS),
    };
    shared_sign_ins::insert(&mut conn, &token_hash(&token), &sign_in, now).await?;
    Ok(url)
}

/// Ends a sign-in that a provider came back from: where the browser goes on to, with who it was or with what went wrong.
pub(crate) async fn finish(state: &State, provider: &str, answer: ProviderAnswer) -> Result<Url, Failure> {
    let (provider, client) = offered(&state.config, provider)?;
    let token = SecretString::from(answer.state.unwrap_or_default());
    let taken = shared_sign_ins::take(
        &mut *state.connection().await?,
        &token_hash(&token),
        provider.as_str(),
        state.clock.now(),
    )
    .await?;
    let (project_id, sealed) = taken.ok_or_else(|| {
        Error::invalid("state", "This sign-in is unknown, was finished already, or took too long. Start again.")
    })?;
    let flow = state.master_key.open(CONTEXT, &sealed).map_err(Error::internal)?;
    let flow: Flow = serde_json::from_slice(&flow).map_err(Error::internal)?;
    let mut url = Url::parse(&flow.redirect_uri).map_err(Error::internal)?;
    let outcome = match (answer.error.as_deref(), answer.code.filter(|code| !code.is_empty())) {
        (Some("access_denied" | "user_cancelled_login" | "user_cancelled_authorize"), _) => Err(REFUSED_BY_USER),
        (None, Some(code)) => payload(state, provider, client, &code, &flow.secrets).await.map_err(|failure| {
            let cause = telemetry::chain(&failure);
            tracing::warn!(oauth.provider = provider.as_str(), cause, "a provider gave no identity");
            FAILED
        }),
        _ => Err(FAILED),
    };
    match outcome {
        Ok(payload) => {
            let signature =
                state.signer.sign_shared_sign_in(project_id, &flow.redirect_uri, &payload, state.clock.now());
            url.query_pairs_mut()
                .append_pair("success", "true")
                .append_pair("payload", &payload)
                .append_pair("sig", signature.expose_secret());
        }
        Err(reason) => _ = url.query_pairs_mut().append_pair("success", "false").append_pair("error", reason),
    }
    Ok(url)
}

/// Who a code stands for, as the data plane reads it.
async fn payload(
    state: &State,
    provider: Provider,
    client: &SharedClient,
    code: &str,
    secrets: &Secrets,
) -> Result<String, ProviderFailure> {
    let back = callback_url(&state.config, provider);
    let calls = state.shared_providers.calls();
    let identity = identify(calls, provider, &as_known(client, &back), code, secrets, state.clock.now()).await?;
    Ok(STANDARD.encode(to_profile(&identity).to_string()))
}

fn offered<'a>(config: &'a Config, name: &str) -> Result<(Provider, &'a SharedClient), Error> {
    Provider::parse(name)
        .and_then(|provider| Some((provider, config.shared_clients.get(&provider)?)))
        .ok_or_else(|| Error::not_found("shared_sign_in.provider_not_found", "Shared provider"))
}

fn as_known<'a>(client: &'a SharedClient, redirect_uri: &'a str) -> Client<'a> {
    Client { id: &client.client_id, secret: client.client_secret.expose_secret(), scopes: &client.scopes, redirect_uri }
}

/// Where a provider sends browsers back to; the operator registers it there.
fn callback_url(config: &Config, provider: Provider) -> String {
    format!("{}/auth/v1/shared/{}/callback", config.public_url.trim_end_matches('/'), provider.as_str())
}

fn not_a_callback() -> Error {
    Error::invalid("redirect_uri", "redirect_uri must be the shared callback of a project of this cloud")
}

/// The project's host that an address names, when it is exactly the shared callback there.
fn callback_host(config: &Config, text: &str) -> Option<(AppKey, Region)> {
    if text.len() > limits::SHARED_REDIRECT_MAX {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let own_path: Vec<&str> = url.path_segments()?.collect();
    let ["api", "auth", "oauth", "shared", "callback", token] = own_path[..] else { return None };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if token.is_empty() || !token.bytes().all(plain) || url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let labels = url.host_str()?.strip_suffix(&config.base_domain.to_ascii_lowercase())?.strip_suffix('.')?;
    let (app_key, region) = labels.split_once('.')?;
    let (app_key, region): (AppKey, Region) = (app_key.parse().ok()?, region.parse().ok()?);
    let own = Url::parse(&config.gateway.origin(&host(&app_key, region, &config.base_domain))).ok()?;
    (own.origin() == url.origin()).then_some((app_key, region))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Gateway;

    #[test]
    fn only_the_callback_of_a_project_of_this_cloud_is_accepted() {
        let config = Config {
            base_domain: "Apps.Example".to_owned(),
            gateway: Gateway { https_port: Some(443), http_port: 80, postgres_port: None },
            latest_version: "1.0.0".parse().expect("a version"),
            sleep_after_seconds: None,
            public_url: String::new(),
            shared_clients: SharedClients::new(),
            internal_token: SecretString::from(""),
        };
        let accepted = |text: &str| callback_host(&config, text).is_some();
        let path = "/api/auth/oauth/shared/callback/a.b-c_d";
        for origin in ["https://abcd1234.us-east.apps.example", "https://abcd1234-xyz.eu-central.apps.example:443"] {
            assert!(accepted(&format!("{origin}{path}")), "{origin}");
        }
        for origin in [
            "http://abcd1234.us-east.apps.example",
            "https://abcd1234.us-east.apps.example:8443",
            "https://abcd1234.us-east.apps.example.evil.example",
            "https://abcd1234.us-east.evilapps.example",
            "https://x.abcd1234.us-east.apps.example",
            "https://us-east.apps.example",
            "https://abcd1234.nowhere.apps.example",
            "https://apps.example",
            "https://evil.example",
            "https://evil.example\\@abcd1234.us-east.apps.example",
            "https://abcd1234.us-east.apps.example@evil.example",
            "https://user@abcd1234.us-east.apps.example",
            "https://evil.example#.us-east.apps.example",
            "javascript://abcd1234.us-east.apps.example",
            "//abcd1234.us-east.apps.example",
            "",
        ] {
            assert!(!accepted(&format!("{origin}{path}")), "{origin}");
        }
        let host = "https://abcd1234.us-east.apps.example";
        for path in [
            "",
            "/",
            "/api/auth/oauth/shared/callback",
            "/api/auth/oauth/shared/callback/",
            "/api/auth/oauth/shared/callback/a/b",
            "/api/auth/oauth/shared/callback/..",
            "/api/auth/oauth/shared/callback/%2e%2e",
            "/api/auth/oauth/shared/callback/a/../../x",
            "/api/auth/oauth/shared/callback/a%2fb",
            "/api/auth/oauth/shared/callback/a?x=1",
            "/api/auth/oauth/shared/callback/a#x",
            "/api/auth/oauth/shared/callback/a b",
            "/x/api/auth/oauth/shared/callback/a",
            "/API/auth/oauth/shared/callback/a",
        ] {
            assert!(!accepted(&format!("{host}{path}")), "{path}");
        }
        assert!(!accepted(&format!("{host}/api/auth/oauth/shared/callback/{}", "a".repeat(5000))));
    }
}
