//! Published key sets (JWKS) of others: kept for ten minutes, fetched again for an unknown key at most every thirty seconds.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::Jwk};
use p521::ecdsa::{Signature, VerifyingKey, signature::Verifier as _};
use serde_json::Value;
use tokio::time::Instant;

const KEPT_FOR: Duration = Duration::from_secs(600);
const REFETCH_AFTER: Duration = Duration::from_secs(30);

/// How long fetching a set may take.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// The algorithm that the token library does not have.
const ES512: &str = "ES512";

/// Key sets by address.
#[derive(Default)]
pub struct KeySets(Mutex<HashMap<String, Kept>>);

#[derive(Clone)]
struct Kept {
    keys: Arc<Keys>,
    at: Instant,
}

/// A key set; keys of unknown kinds are left out.
#[derive(Debug, Default)]
pub struct Keys(Vec<Value>);

impl Keys {
    /// The keys of a JWKS document.
    pub(crate) fn read(document: &Value) -> Option<Self> {
        document["keys"].as_array().map(|keys| Self(keys.clone()))
    }

    fn find(&self, id: Option<&str>) -> Option<&Value> {
        match id {
            Some(id) => self.0.iter().find(|key| key["kid"] == id),
            None => self.0.first(),
        }
    }
}

/// What a token must be to be accepted.
pub struct Expectation<'a> {
    /// Signature algorithms, by name.
    pub algorithms: &'a [&'a str],
    /// Accepted issuers; none means any.
    pub issuers: &'a [&'a str],
    /// Accepted audiences; none means any.
    pub audiences: &'a [&'a str],
    /// Whether it must say when it ends.
    pub expiry_required: bool,
}

impl KeySets {
    /// The claims of a token signed by a key of the set at `url`, which `fetch` reads.
    ///
    /// # Errors
    /// What is wrong with the token, or that the keys cannot be had.
    pub async fn verify<F>(
        &self,
        url: &str,
        fetch: impl Fn() -> F,
        token: &str,
        expectation: &Expectation<'_>,
    ) -> Result<Value, &'static str>
    where
        F: Future<Output = Result<Keys, &'static str>>,
    {
        let header = header_of(token).ok_or("not a token")?;
        let algorithm = header["alg"].as_str().unwrap_or_default();
        if !expectation.algorithms.contains(&algorithm) {
            return Err("unsupported algorithm");
        }
        let id = header["kid"].as_str();
        let keys = self.keys(url, &fetch, id).await?;
        let key = keys.find(id).ok_or("unknown key")?;
        let claims = match algorithm {
            ES512 => verify_es512(token, key)?,
            name => verify_listed(token, key, name.parse().map_err(|_| "unsupported algorithm")?)?,
        };
        check_claims(&claims, expectation)?;
        Ok(claims)
    }

    async fn keys<F>(&self, url: &str, fetch: &impl Fn() -> F, id: Option<&str>) -> Result<Arc<Keys>, &'static str>
    where
        F: Future<Output = Result<Keys, &'static str>>,
    {
        let kept = self.0.lock().expect("no holder of this lock panics").get(url).cloned();
        if let Some(kept) = kept {
            let age = kept.at.elapsed();
            let known = kept.keys.find(id).is_some();
            if (known && age < KEPT_FOR) || (!known && age < REFETCH_AFTER) {
                return Ok(kept.keys);
            }
        }
        let keys = Arc::new(fetch().await?);
        let kept = Kept { keys: Arc::clone(&keys), at: Instant::now() };
        self.0.lock().expect("no holder of this lock panics").insert(url.to_owned(), kept);
        Ok(keys)
    }
}

/// A token's header, unverified.
fn header_of(token: &str) -> Option<Value> {
    decoded_part(token, 0)
}

fn decoded_part(token: &str, index: usize) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(index)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn verify_listed(token: &str, key: &Value, algorithm: Algorithm) -> Result<Value, &'static str> {
    let key: Jwk = serde_json::from_value(key.clone()).map_err(|_| "unusable key")?;
    let key = DecodingKey::from_jwk(&key).map_err(|_| "unusable key")?;
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_aud = false;
    validation.validate_exp = false;
    jsonwebtoken::decode(token, &key, &validation).map(|data| data.claims).map_err(|_| "signature or expiry")
}

fn verify_es512(token: &str, key: &Value) -> Result<Value, &'static str> {
    let coordinate = |name: &str| key[name].as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let (Some(x), Some(y), "P-521") = (coordinate("x"), coordinate("y"), key["crv"].as_str().unwrap_or_default())
    else {
        return Err("unusable key");
    };
    let point = [&[4_u8], x.as_slice(), y.as_slice()].concat();
    let key = VerifyingKey::from_sec1_bytes(&point).map_err(|_| "unusable key")?;
    let (signed, signature) = token.rsplit_once('.').ok_or("not a token")?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "signature or expiry")?;
    let signature = Signature::from_slice(&signature).map_err(|_| "signature or expiry")?;
    key.verify(signed.as_bytes(), &signature).map_err(|_| "signature or expiry")?;
    decoded_part(token, 1).ok_or("not a token")
}

fn check_claims(claims: &Value, expectation: &Expectation<'_>) -> Result<(), &'static str> {
    let now = chrono::Utc::now().timestamp() as f64;
    match claims["exp"].as_f64() {
        Some(expiry) if expiry <= now => return Err("signature or expiry"),
        None if expectation.expiry_required => return Err("signature or expiry"),
        _ => {}
    }
    if claims["nbf"].as_f64().is_some_and(|begin| begin > now) {
        return Err("not valid yet");
    }
    let issuer = claims["iss"].as_str().unwrap_or_default();
    if !expectation.issuers.is_empty() && !expectation.issuers.contains(&issuer) {
        return Err("wrong issuer");
    }
    let named = |audience: &str| match &claims["aud"] {
        Value::String(text) => text == audience,
        Value::Array(list) => list.iter().any(|item| item == audience),
        _ => false,
    };
    match expectation.audiences.is_empty() || expectation.audiences.iter().any(|audience| named(audience)) {
        true => Ok(()),
        false => Err("wrong audience"),
    }
}

/// A key set read from a document's text.
///
/// # Errors
/// It is no key set.
pub fn parse(bytes: &[u8]) -> Result<Keys, &'static str> {
    let document: Value = serde_json::from_slice(bytes).map_err(|_| "keys cannot be read")?;
    Keys::read(&document).ok_or("keys cannot be read")
}
