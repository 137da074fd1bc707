//! Signing in through any OpenID Connect provider, found by its discovery document.

use std::{pin::Pin, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use identity_providers::{self as providers, Failure, Identity, LIMITS, Secrets, denies, text};
use openidconnect::{
    AsyncHttpClient, AuthType, AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest,
    HttpResponse, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse as _,
    core::{
        CoreClient, CoreJsonWebKeySet, CoreJwsSigningAlgorithm as Algorithm, CoreProviderMetadata, CoreResponseType,
    },
};
use outbound::Limits;
use serde_json::{Value, json};

use super::{
    begin::{extra_parameters, flow},
    callback::{FAILED, finish},
    custom_configs::{self, Usable},
    exchange,
    providers::{add_missing, callback_url},
    states,
};
use crate::{
    http::{Error, Query, Result},
    state::App,
};

const SCOPES: [&str; 2] = ["email", "profile"];

/// Signatures of identity tokens that are accepted: all but those that need no key or only the shared secret.
const SIGNATURES: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

/// The library's HTTP client: our calls to addresses that tenants chose.
struct Calls {
    app: Arc<App>,
    limits: Limits,
}

impl<'c> AsyncHttpClient<'c> for Calls {
    type Error = outbound::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, outbound::Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.app.outbound.send(request, self.limits))
    }
}

/// `GET /oauth/custom/:key`.
pub(super) async fn begin(State(app): State<Arc<App>>, Path(key): Path<String>, query: Query) -> Result<Json<Value>> {
    custom_configs::check_key(&key)?;
    let flow = flow(&app, &provider_name(&key), &query).await?;
    let config = custom_configs::usable(&app, &key)
        .await?
        .ok_or_else(|| internal(format!("Custom OAuth provider {key} is not configured.")))?;
    let discovered = discover(&app, &config).await.map_err(|failure| {
        tracing::warn!(oauth.provider = key, cause = telemetry::chain(&failure), "discovery failed");
        internal(format!("Failed to discover the configuration of custom OAuth provider {key}: {failure}"))
    })?;
    let secrets = Secrets::new();
    let state = states::begin(&app, &flow, &secrets).await?;
    let redirect = redirect_url(&app, &key).map_err(|failure| internal(failure.to_string()))?;
    let client = CoreClient::from_provider_metadata(discovered, ClientId::new(config.client_id), None)
        .set_redirect_uri(redirect);
    let verifier = PkceCodeVerifier::new(secrets.verifier);
    let request = client
        .authorize_url(
            AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
            || CsrfToken::new(state),
            || Nonce::new(secrets.nonce),
        )
        .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
    let (mut url, _, _) = request.url();
    // The library orders scopes as they were added, with `openid` in front.
    add_missing(&mut url, extra_parameters(&query));
    Ok(Json(json!({"authUrl": url.as_str()})))
}

/// `GET /oauth/custom/:key/callback`.
pub(super) async fn callback(State(app): State<Arc<App>>, Path(key): Path<String>, query: Query) -> Result<Response> {
    custom_configs::check_key(&key)?;
    let (flow, secrets) = states::finish(&app, query.get("state"), Some(&provider_name(&key))).await?;
    let identity = async {
        let code = query.get("code").filter(|code| !code.is_empty()).ok_or(Failure::Answer("there is no code"))?;
        let config = custom_configs::usable(&app, &key)
            .await
            .map_err(|_| Failure::Answer("the configuration cannot be read"))?
            .ok_or(Failure::Answer("the provider is not configured"))?;
        identify(&app, &key, &config, code, secrets).await
    };
    match identity.await {
        Ok(identity) => finish(&app, &flow, &identity).await,
        Err(failure) => {
            tracing::warn!(oauth.provider = key, cause = telemetry::chain(&failure), "a provider gave no identity");
            Ok(exchange::redirect_with_error(&flow, FAILED))
        }
    }
}

async fn identify(
    app: &Arc<App>,
    key: &str,
    config: &Usable,
    code: &str,
    secrets: Secrets,
) -> Result<Identity, Failure> {
    let discovered = discover(app, config).await?;
    let userinfo = discovered.userinfo_endpoint().map(|url| url.as_str().to_owned());
    let client = CoreClient::from_provider_metadata(
        discovered,
        ClientId::new(config.client_id.clone()),
        Some(ClientSecret::new(config.client_secret.clone())),
    )
    .set_redirect_uri(redirect_url(app, key)?)
    .set_auth_type(AuthType::RequestBody);
    let http = Calls { app: Arc::clone(app), limits: LIMITS };
    let tokens = client
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .map_err(|error| Failure::Protocol(error.to_string()))?
        .set_pkce_verifier(PkceCodeVerifier::new(secrets.verifier))
        .request_async(&http)
        .await
        .map_err(|error| Failure::Protocol(telemetry::chain(&error).to_string()))?;
    let proven = match tokens.id_token() {
        Some(token) => {
            let verifier = client.id_token_verifier().set_allowed_algs(SIGNATURES);
            let claims = token
                .claims(&verifier, &Nonce::new(secrets.nonce))
                .map_err(|error| Failure::Protocol(telemetry::chain(&error).to_string()))?;
            Some(claims.subject().as_str().to_owned())
        }
        None => None,
    };
    let url = userinfo.ok_or(Failure::Answer("the provider has no userinfo endpoint"))?;
    let access_token = openidconnect::OAuth2TokenResponse::access_token(&tokens).secret().clone();
    let profile = providers::get(&app.outbound, &url, Some(&access_token)).await?;
    from_profile(key, profile, proven.as_deref())
}

/// The identity in a userinfo answer, which must be of whom the identity token names.
fn from_profile(key: &str, profile: Value, proven: Option<&str>) -> Result<Identity, Failure> {
    let field = |name: &str| text(&profile, name);
    let account_id = field("sub")
        .or_else(|| field("id"))
        .or_else(|| field("user_id"))
        .ok_or(Failure::Answer("the profile names nobody"))?;
    if proven.is_some_and(|proven| proven != account_id) {
        return Err(Failure::Answer("the profile is of somebody else than the identity token"));
    }
    let email = field("email").ok_or(Failure::Answer("the profile has no e-mail address"))?;
    let local_part = email.split('@').next().unwrap_or_default().to_owned();
    let name = field("name").or_else(|| field("preferred_username")).unwrap_or(local_part);
    let avatar_url = field("picture").or_else(|| field("avatar_url"));
    let email = Some(email).filter(|_| !denies(&profile["email_verified"]));
    Ok(Identity { provider: key.to_owned(), account_id, email, name, avatar_url, data: profile })
}

/// The provider's own description with its keys, fetched each time.
async fn discover(app: &Arc<App>, config: &Usable) -> Result<CoreProviderMetadata, Failure> {
    let document = providers::get(&app.outbound, &config.discovery_endpoint, None).await?;
    let metadata: CoreProviderMetadata = serde_json::from_value(document)
        .map_err(|_| Failure::Answer("the discovery document lacks what OpenID Connect requires"))?;
    let http = Calls { app: Arc::clone(app), limits: Limits { follow_redirects: true, ..LIMITS } };
    let keys = CoreJsonWebKeySet::fetch_async(metadata.jwks_uri(), &http)
        .await
        .map_err(|error| Failure::Protocol(telemetry::chain(&error).to_string()))?;
    Ok(metadata.set_jwks(keys))
}

fn redirect_url(app: &App, key: &str) -> Result<RedirectUrl, Failure> {
    RedirectUrl::new(callback_url(app, &format!("custom/{key}")))
        .map_err(|_| Failure::Answer("the process's own address is no URL"))
}

fn provider_name(key: &str) -> String {
    format!("custom:{key}")
}

fn internal(message: String) -> Error {
    Error::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_must_be_of_the_proven_subject_and_have_an_address() {
        let profile =
            json!({"sub": "1", "email": "Ada@b.co", "preferred_username": "ada", "avatar_url": "https://a.b/c"});
        let identity = from_profile("corp", profile.clone(), Some("1")).expect("an identity");
        assert_eq!((identity.name.as_str(), identity.email.as_deref()), ("ada", Some("Ada@b.co")));
        assert!(from_profile("corp", profile, Some("2")).is_err());
        assert!(from_profile("corp", json!({"sub": "1"}), None).is_err());
        let unproven = from_profile("corp", json!({"user_id": 7, "email": "a@b.co", "email_verified": false}), None);
        let unproven = unproven.expect("an identity");
        assert_eq!((unproven.account_id.as_str(), unproven.email), ("7", None));
    }
}
