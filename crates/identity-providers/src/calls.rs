//! Requests to providers: forms and profiles, answered in JSON.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Request, StatusCode, header};
use outbound::{Limits, Outbound};
use serde_json::Value;
use url::form_urlencoded;

use crate::{
    EndpointOverrides,
    key_sets::{self, KeySets, Keys},
};

/// Limits of every call to a provider.
pub const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(10), body_bytes_max: 1 << 20, follow_redirects: false };

/// What calls to providers are made with.
#[derive(Clone, Copy)]
pub struct Calls<'a> {
    /// Makes them.
    pub outbound: &'a Outbound,
    /// Keeps providers' keys.
    pub key_sets: &'a KeySets,
    /// Where providers are that are not where they usually are.
    pub endpoints: Option<&'a EndpointOverrides>,
}

/// Why a provider gave no identity; for the log, not for the browser.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The call failed.
    #[error("call the provider")]
    Call(#[from] outbound::Error),
    /// The provider's answer was a refusal.
    #[error("the provider answers {0}")]
    Status(StatusCode),
    /// The provider's answer is not what it should be.
    #[error("{0}")]
    Answer(&'static str),
    /// The OpenID Connect library refuses.
    #[error("verify the provider's answer: {0}")]
    Protocol(String),
}

/// How a client proves itself at the token endpoint.
pub(crate) enum ClientProof<'a> {
    /// Id and secret in the form.
    Form,
    /// Id and secret as basic authentication.
    Basic {
        /// Id.
        id: &'a str,
        /// Secret.
        secret: &'a str,
    },
}

/// Posts a form.
pub(crate) async fn post_form(
    outbound: &Outbound,
    url: &str,
    fields: &[(&str, &str)],
    proof: ClientProof<'_>,
) -> Result<Value, Failure> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut request = Request::post(url)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json");
    if let ClientProof::Basic { id, secret } = proof {
        request = request.header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))));
    }
    let request = request.body(body.into_bytes()).map_err(|_| Failure::Answer("the provider's address is no URL"))?;
    answer(outbound, request, LIMITS).await
}

/// Gets a document, as the bearer of a token where there is one.
///
/// # Errors
/// The call fails, is refused, or is not answered in JSON.
pub async fn get(outbound: &Outbound, url: &str, token: Option<&str>) -> Result<Value, Failure> {
    let mut request = Request::get(url).header(header::ACCEPT, "application/json");
    if let Some(token) = token {
        let value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Failure::Answer("the access token cannot be sent"))?;
        request = request.header(header::AUTHORIZATION, value);
    }
    let request = request.body(Vec::new()).map_err(|_| Failure::Answer("the provider's address is no URL"))?;
    answer(outbound, request, Limits { follow_redirects: token.is_none(), ..LIMITS }).await
}

/// The key set at an address.
pub(crate) async fn key_set(outbound: &Outbound, url: &str) -> Result<Keys, &'static str> {
    let request = Request::get(url).body(Vec::new()).map_err(|_| "keys cannot be fetched")?;
    let limits = Limits { timeout: key_sets::FETCH_TIMEOUT, follow_redirects: true, ..LIMITS };
    let answer = outbound.send(request, limits).await.map_err(|_| "keys cannot be fetched")?;
    match answer.status().is_success() {
        true => key_sets::parse(answer.body()),
        false => Err("keys cannot be fetched"),
    }
}

async fn answer(outbound: &Outbound, request: Request<Vec<u8>>, limits: Limits) -> Result<Value, Failure> {
    let answer = outbound.send(request, limits).await?;
    if !answer.status().is_success() {
        return Err(Failure::Status(answer.status()));
    }
    serde_json::from_slice(answer.body()).map_err(|_| Failure::Answer("the provider's answer is not JSON"))
}
