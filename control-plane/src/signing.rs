//! The RSA keys that sign access tokens, published as a JWKS. They live sealed in the control database, so that all replicas have the same.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use ids::{ProjectId, SessionId, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, jwk::JwkSet};
use model::{limits, sealing::MasterKey, secrets::signing_key_context};
use rsa::{
    RsaPrivateKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding},
    traits::PublicKeyParts as _,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use store::users::User;

const ISSUER: &str = "insforge";
const AUDIENCE: &str = "insforge-api";
/// What a token may be used for: everything its user may do.
pub(crate) const SCOPES: &str = "user:read organizations:read projects:read projects:write";
const BITS: usize = 2048;

/// The signing keys could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The control database failed.
    #[error("reading or writing signing keys")]
    Database(#[from] sqlx::Error),
    /// A key was sealed with another master key, or is damaged.
    #[error("opening signing key {0}")]
    Unusable(String),
}

/// Claims of an access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) sub: UserId,
    pub(crate) email: String,
    pub(crate) role: String,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) jti: uuid::Uuid,
    /// The session the token belongs to: ending it ends the token.
    pub(crate) sid: SessionId,
}

/// Signs with the newest key and verifies with all.
pub(crate) struct Signer {
    key_id: String,
    encoding: EncodingKey,
    decoding: HashMap<String, DecodingKey>,
    jwks: serde_json::Value,
    refresh_key: [u8; 32],
}

impl Signer {
    /// Reads the keys, and makes the first one.
    pub(crate) async fn load_or_create(
        pool: &PgPool,
        master: &MasterKey,
        now: DateTime<Utc>,
    ) -> Result<Self, SigningError> {
        let mut tx = pool.begin().await?;
        store::signing_keys::lock(&mut tx).await?;
        let mut keys = store::signing_keys::list(&mut tx).await?;
        if keys.iter().all(|key| key.retired_at.is_some()) {
            let id = format!("hearth-key-{}-{}", now.format("%Y-%m-%d"), hex::encode(rand::random::<[u8; 4]>()));
            let pem = tokio::task::spawn_blocking(generate_pem).await.expect("making a key does not panic");
            let sealed = master.seal(&signing_key_context(&id), pem.expose_secret().as_bytes());
            store::signing_keys::insert(&mut tx, &id, &sealed, now).await?;
            keys = store::signing_keys::list(&mut tx).await?;
        }
        tx.commit().await?;
        Self::open(&keys, master)
    }

    fn open(keys: &[store::signing_keys::SigningKey], master: &MasterKey) -> Result<Self, SigningError> {
        let mut decoding = HashMap::new();
        let mut published = Vec::new();
        let mut newest = None;
        for key in keys {
            let unusable = || SigningError::Unusable(key.id.clone());
            let pem = master.open(&signing_key_context(&key.id), &key.sealed_private_key).map_err(|_| unusable())?;
            let private = std::str::from_utf8(&pem)
                .ok()
                .and_then(|pem| RsaPrivateKey::from_pkcs8_pem(pem).ok())
                .ok_or_else(unusable)?;
            let part = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
            let (n, e) = (part(private.n()), part(private.e()));
            decoding.insert(key.id.clone(), DecodingKey::from_rsa_components(&n, &e).map_err(|_| unusable())?);
            published
                .push(serde_json::json!({"kty": "RSA", "kid": key.id, "use": "sig", "alg": "RS256", "n": n, "e": e}));
            if newest.is_none() && key.retired_at.is_none() {
                newest = Some((key.id.clone(), EncodingKey::from_rsa_pem(&pem).map_err(|_| unusable())?, pem));
            }
        }
        let (key_id, encoding, pem) = newest.ok_or_else(|| SigningError::Unusable("(none)".to_owned()))?;
        let refresh_key = Sha256::new().chain_update(b"refresh token").chain_update(&pem).finalize().into();
        Ok(Self { key_id, encoding, decoding, jwks: serde_json::json!({ "keys": published }), refresh_key })
    }

    /// The public keys, for anyone.
    pub(crate) fn jwks(&self) -> &serde_json::Value {
        debug_assert!(serde_json::from_value::<JwkSet>(self.jwks.clone()).is_ok());
        &self.jwks
    }

    /// An access token of a session.
    pub(crate) fn sign(&self, user: &User, session_id: SessionId, client_id: &str, now: DateTime<Utc>) -> SecretString {
        let claims = Claims {
            sub: user.id,
            email: user.email.clone(),
            role: "authenticated".to_owned(),
            client_id: client_id.to_owned(),
            scope: SCOPES.to_owned(),
            iat: now.timestamp(),
            exp: now.timestamp() + limits::ACCESS_TOKEN_SECONDS,
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            jti: uuid::Uuid::new_v4(),
            sid: session_id,
        };
        self.sign_claims(&claims)
    }

    /// A code that proves to a project's data plane that the platform vouches for this administrator.
    pub(crate) fn sign_project_authorization(
        &self,
        project_id: ProjectId,
        user_id: &str,
        now: DateTime<Utc>,
    ) -> SecretString {
        let claims = serde_json::json!({
            "projectId": project_id,
            "userId": user_id,
            "type": "project_authorization",
            "iss": ISSUER,
            "iat": now.timestamp(),
            "exp": now.timestamp() + limits::AUTHORIZATION_CODE_SECONDS,
            "jti": uuid::Uuid::new_v4(),
        });
        self.sign_claims(&claims)
    }

    /// Proves to a project's data plane that we found out who signed in. Worth something only with this payload and at this address.
    pub(crate) fn sign_shared_sign_in(
        &self,
        project_id: ProjectId,
        redirect_uri: &str,
        payload: &str,
        now: DateTime<Utc>,
    ) -> SecretString {
        self.sign_claims(&serde_json::json!({
            "type": "shared_sign_in",
            "projectId": project_id,
            "redirect_uri": redirect_uri,
            "payload": hex::encode(Sha256::digest(payload.as_bytes())),
            "iss": ISSUER,
            "iat": now.timestamp(),
            "exp": now.timestamp() + limits::SHARED_IDENTITY_SECONDS,
            "jti": uuid::Uuid::new_v4(),
        }))
    }

    fn sign_claims(&self, claims: &impl Serialize) -> SecretString {
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::RS256) };
        let token = jsonwebtoken::encode(&header, claims, &self.encoding).expect("a valid RSA key signs plain claims");
        SecretString::from(token)
    }

    /// The claims of a token that one of our keys signed and that has not expired.
    pub(crate) fn verify(&self, token: &str, now: DateTime<Utc>) -> Option<Claims> {
        let key_id = jsonwebtoken::decode_header(token).ok()?.kid?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // Expiry is checked below, against the clock that tests can turn.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, self.decoding.get(&key_id)?, &validation).ok()?.claims;
        (claims.exp > now.timestamp()).then_some(claims)
    }

    /// The refresh token that follows `presented`. The same for everyone who presents it: clients that share one file and refresh at once
    /// all end up with the same token, in whatever order they write it.
    pub(crate) fn next_refresh_token(&self, presented: &SecretString) -> SecretString {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.refresh_key).expect("HMAC takes keys of any length");
        mac.update(presented.expose_secret().as_bytes());
        SecretString::from(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }
}

fn generate_pem() -> SecretString {
    let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS).expect("2048 bits is a valid size");
    let pem = key.to_pkcs8_pem(LineEnding::LF).expect("a fresh key can be encoded");
    SecretString::from(pem.as_str().to_owned())
}

/// How a token is kept: only its hash.
pub(crate) fn token_hash(token: &SecretString) -> [u8; 32] {
    Sha256::digest(token.expose_secret().as_bytes()).into()
}
