//! The beginning of a sign-in: the address that the browser goes to, and what must stay secret until it comes back.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{Client, Provider, provider::EndpointOverrides};

/// What nobody but us and the provider may know.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// Our own PKCE verifier.
    pub verifier: String,
    /// Ties an identity token to this sign-in.
    pub nonce: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// New random ones.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a default that is another one each time would surprise")]
    pub fn new() -> Self {
        Self { verifier: random_text(), nonce: random_text() }
    }
}

/// The S256 challenge of a verifier.
#[must_use]
pub fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// Where the browser goes to sign in. `state` is what the provider gives back.
///
/// # Errors
/// The provider's configured address is no URL.
pub fn authorization_url(
    provider: Provider,
    endpoints: Option<&EndpointOverrides>,
    client: &Client<'_>,
    state: &str,
    secrets: &Secrets,
) -> Result<Url, url::ParseError> {
    let mut url = Url::parse(&provider.addresses(endpoints).authorize)?;
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("client_id", client.id)
            .append_pair("redirect_uri", client.redirect_uri)
            .append_pair("response_type", if provider == Provider::Apple { "code id_token" } else { "code" })
            .append_pair("scope", &provider.scope(client.scopes))
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

fn random_text() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
