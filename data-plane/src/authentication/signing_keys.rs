//! Signing and verifying tokens: RS256 with the project's own key once it is there, HS256 with the shared secret until then.

use std::sync::{Arc, RwLock};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use rand::RngCore as _;
use rsa::{
    RsaPrivateKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding},
    traits::PublicKeyParts as _,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{
    Role,
    tokens::{AccessClaims, AccessPayload, RefreshClaims},
    verified::VerifiedTokens,
};
use crate::http::{
    Error, Result,
    cookies::{REFRESH_LIFETIME, SessionKind},
};

const ACCESS_LIFETIME: Duration = Duration::minutes(15);
const RSA_BITS: usize = 2048;

/// All keys that tokens are signed or verified with.
pub struct SigningKeys {
    shared_encoding: EncodingKey,
    shared_decoding: DecodingKey,
    own: RwLock<Option<Arc<OwnKey>>>,
    verified: VerifiedTokens,
}

struct OwnKey {
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    jwk: Value,
}

/// An RSA key as it is stored.
pub struct StoredKey {
    /// `kid_` and 32 hex digits.
    pub id: String,
    /// PKCS#8.
    pub private_pem: SecretString,
    /// SubjectPublicKeyInfo.
    pub public_pem: String,
}

/// A stored key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("use the stored RSA key: {0}")]
pub struct BadKey(String);

impl StoredKey {
    /// A new key; takes up to seconds of CPU, so call it on a blocking thread.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Self, BadKey> {
        let private = RsaPrivateKey::new(&mut aes_gcm::aead::OsRng, RSA_BITS).map_err(bad_key)?;
        let mut id = [0_u8; 16];
        rand::rng().fill_bytes(&mut id);
        Ok(Self {
            id: format!("kid_{}", hex::encode(id)),
            private_pem: SecretString::from(private.to_pkcs8_pem(LineEnding::LF).map_err(bad_key)?.as_str()),
            public_pem: private.to_public_key().to_public_key_pem(LineEnding::LF).map_err(bad_key)?,
        })
    }
}

impl SigningKeys {
    /// Keys with the shared secret only.
    #[must_use]
    pub fn new(jwt_secret: &SecretString) -> Self {
        Self {
            shared_encoding: EncodingKey::from_secret(jwt_secret.expose_secret().as_bytes()),
            shared_decoding: DecodingKey::from_secret(jwt_secret.expose_secret().as_bytes()),
            own: RwLock::new(None),
            verified: VerifiedTokens::default(),
        }
    }

    /// Starts signing with the project's own key.
    ///
    /// # Errors
    /// It is no RSA key.
    pub fn load(&self, stored: &StoredKey) -> Result<(), BadKey> {
        let private = RsaPrivateKey::from_pkcs8_pem(stored.private_pem.expose_secret()).map_err(bad_key)?;
        let modulus = URL_SAFE_NO_PAD.encode(private.n().to_bytes_be());
        let exponent = URL_SAFE_NO_PAD.encode(private.e().to_bytes_be());
        let own = OwnKey {
            encoding: EncodingKey::from_rsa_pem(stored.private_pem.expose_secret().as_bytes()).map_err(bad_key)?,
            decoding: DecodingKey::from_rsa_components(&modulus, &exponent).map_err(bad_key)?,
            jwk: json!({"kty": "RSA", "n": modulus, "e": exponent, "alg": "RS256", "use": "sig", "kid": stored.id}),
            id: stored.id.clone(),
        };
        *self.own.write().expect("no holder of this lock panics") = Some(Arc::new(own));
        self.verified.forget();
        Ok(())
    }

    /// Whether the project's own key is in use.
    #[must_use]
    pub fn own_key_loaded(&self) -> bool {
        self.own().is_some()
    }

    /// The public key set.
    #[must_use]
    pub fn jwks(&self) -> Value {
        let keys: Vec<Value> = self.own().iter().map(|own| own.jwk.clone()).collect();
        json!({ "keys": keys })
    }

    /// A 15-minute access token.
    #[must_use]
    pub fn sign_access(&self, sub: &str, email: Option<&str>, role: Role, now: DateTime<Utc>) -> String {
        let mut payload = json!({"sub": sub});
        if let Some(email) = email {
            payload["email"] = json!(email);
        }
        payload["role"] = json!(role.as_str());
        payload["iat"] = json!(now.timestamp());
        payload["exp"] = json!((now + ACCESS_LIFETIME).timestamp());
        match self.own() {
            Some(own) => {
                let mut header = Header::new(Algorithm::RS256);
                header.kid = Some(own.id.clone());
                jsonwebtoken::encode(&header, &payload, &own.encoding)
            }
            None => jsonwebtoken::encode(&Header::new(Algorithm::HS256), &payload, &self.shared_encoding),
        }
        .expect("keys were checked when loaded and claims are plain JSON")
    }

    /// A refresh token for a new session, or for the next rotation of the session with `csrf_nonce`.
    #[must_use]
    pub fn sign_refresh(
        &self,
        kind: SessionKind,
        sub: &str,
        csrf_nonce: Option<&str>,
        now: DateTime<Utc>,
    ) -> (String, RefreshClaims) {
        let claims = RefreshClaims {
            sub: sub.to_owned(),
            kind: "refresh".to_owned(),
            iss: "insforge".to_owned(),
            csrf_nonce: csrf_nonce.map_or_else(new_nonce, str::to_owned),
            session_type: kind.as_str().to_owned(),
            iat: now.timestamp(),
            exp: (now + REFRESH_LIFETIME).timestamp(),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.shared_encoding)
            .expect("claims are plain JSON");
        (token, claims)
    }

    /// Our signature on a call to the cloud.
    #[must_use]
    pub(super) fn sign_for_cloud(&self, project: &str, now: DateTime<Utc>, lifetime: Duration) -> String {
        self.sign_shared(&json!({"sub": project, "iat": now.timestamp(), "exp": (now + lifetime).timestamp()}))
    }

    /// Signs claims that only this process reads again.
    #[must_use]
    pub fn sign_shared(&self, claims: &Value) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.shared_encoding)
            .expect("claims are plain JSON")
    }

    /// The claims that [`SigningKeys::sign_shared`] signed, unless they are altered or expired.
    #[must_use]
    pub fn read_shared(&self, token: &str) -> Option<Value> {
        jsonwebtoken::decode(token, &self.shared_decoding, &validation(Algorithm::HS256)).ok().map(|data| data.claims)
    }

    /// Verifies an access token.
    ///
    /// # Errors
    /// 401 `AUTH_UNAUTHORIZED`; 403 for a role that there is not.
    pub fn verify_access(&self, token: &str) -> Result<AccessClaims> {
        if let Some(claims) = self.verified.get(token) {
            return Ok(claims);
        }
        let claims = self.check_access(token)?;
        self.verified.keep(token, &claims);
        Ok(claims)
    }

    fn check_access(&self, token: &str) -> Result<AccessClaims> {
        let payload: AccessPayload = self.decode(token).map_err(|_| invalid_token())?;
        // A refresh token has its own verification; as an access token it would outlive every sign-out.
        if payload.kind.as_deref() == Some("refresh") {
            return Err(invalid_token());
        }
        let role = match payload.role.as_deref() {
            None => Role::Authenticated,
            Some(name) => {
                Role::parse(name).ok_or_else(|| Error::forbidden("AUTH_UNAUTHORIZED", "Invalid user role claim"))?
            }
        };
        let sub = payload
            .sub
            .filter(|sub| !sub.is_empty())
            .ok_or_else(|| Error::unauthorized("AUTH_UNAUTHORIZED", "Invalid token subject"))?;
        Ok(AccessClaims {
            sub,
            email: payload.email,
            role,
            issued_at: payload.iat.map(|seconds| seconds as i64),
            expires_at: payload.exp.map(|seconds| seconds as i64),
        })
    }

    /// Verifies a refresh token.
    ///
    /// # Errors
    /// 401 `AUTH_UNAUTHORIZED`, with one text for a bad token and one for a token of another type.
    pub fn verify_refresh(&self, token: &str) -> Result<RefreshClaims> {
        let refused = || Error::unauthorized("AUTH_UNAUTHORIZED", "Invalid or expired refresh token");
        let wrong_type = || Error::unauthorized("AUTH_UNAUTHORIZED", "Invalid refresh token type");
        let validation = validation(Algorithm::HS256);
        let data: TokenData<Value> =
            jsonwebtoken::decode(token, &self.shared_decoding, &validation).map_err(|_| refused())?;
        let claims: RefreshClaims = serde_json::from_value(data.claims).map_err(|_| wrong_type())?;
        if claims.kind != "refresh" || claims.iss != "insforge" {
            return Err(wrong_type());
        }
        Ok(claims)
    }

    fn decode(&self, token: &str) -> jsonwebtoken::errors::Result<AccessPayload> {
        let header = jsonwebtoken::decode_header(token)?;
        if header.alg == Algorithm::RS256
            && let Some(own) = self.own()
            && header.kid.as_deref() == Some(&own.id)
        {
            return jsonwebtoken::decode(token, &own.decoding, &validation(Algorithm::RS256)).map(|data| data.claims);
        }
        jsonwebtoken::decode(token, &self.shared_decoding, &validation(Algorithm::HS256)).map(|data| data.claims)
    }

    fn own(&self) -> Option<Arc<OwnKey>> {
        self.own.read().expect("no holder of this lock panics").clone()
    }
}

fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_aud = false;
    validation.validate_nbf = true;
    validation.leeway = 0;
    validation
}

fn invalid_token() -> Error {
    Error::unauthorized("AUTH_UNAUTHORIZED", "Invalid token")
}

fn new_nonce() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bad_key(cause: impl std::fmt::Display) -> BadKey {
    BadKey(cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> SigningKeys {
        SigningKeys::new(&SecretString::from("a secret of the tests"))
    }

    #[test]
    fn tokens_of_both_algorithms_verify() {
        let keys = keys();
        let early = keys.sign_access("u1", Some("a@b.c"), Role::Authenticated, Utc::now());
        keys.load(&StoredKey::generate().expect("randomness")).expect("own output");
        let late = keys.sign_access("u1", Some("a@b.c"), Role::Authenticated, Utc::now());
        for token in [early, late] {
            let claims = keys.verify_access(&token).expect("own token");
            assert_eq!((claims.sub.as_str(), claims.role), ("u1", Role::Authenticated));
        }
        assert_eq!(keys.jwks()["keys"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn expired_foreign_and_refresh_tokens_are_refused() {
        let keys = keys();
        let expired = keys.sign_access("u1", None, Role::Authenticated, Utc::now() - Duration::hours(1));
        let foreign = SigningKeys::new(&SecretString::from("another")).sign_access("u", None, Role::Anon, Utc::now());
        let (refresh, _) = keys.sign_refresh(SessionKind::User, "u1", None, Utc::now());
        for token in [expired.as_str(), &foreign, &refresh, "", "a.b.c"] {
            let error = keys.verify_access(token).expect_err("refused");
            assert_eq!((error.code(), error.message()), ("AUTH_UNAUTHORIZED", "Invalid token"));
        }
        let access = keys.sign_access("u1", None, Role::Authenticated, Utc::now());
        let error = keys.verify_refresh(&access).expect_err("refused");
        assert_eq!(error.message(), "Invalid refresh token type");
    }
}
