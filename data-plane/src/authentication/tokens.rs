//! The claims of our tokens, and the CSRF token that belongs to a refresh token.

use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::Role;
use crate::http::cookies::SessionKind;

/// What a verified access token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessClaims {
    /// Whom it names.
    pub sub: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Role.
    pub role: Role,
    /// Unix seconds.
    pub issued_at: Option<i64>,
    /// Unix seconds.
    pub expires_at: Option<i64>,
}

/// An access token's payload on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AccessPayload {
    pub(super) sub: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) iat: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) exp: Option<f64>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
}

/// A refresh token's payload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefreshClaims {
    /// Whose session.
    pub sub: String,
    /// Always `refresh`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Always `insforge`.
    pub iss: String,
    /// Random text that stays the same over the session's rotations.
    #[serde(rename = "csrfNonce")]
    pub csrf_nonce: String,
    /// `user` or `admin`.
    #[serde(rename = "sessionType")]
    pub session_type: String,
    /// Unix seconds.
    pub iat: i64,
    /// Unix seconds.
    pub exp: i64,
}

impl RefreshClaims {
    /// Whether the session is of this kind.
    #[must_use]
    pub fn is_of(&self, kind: SessionKind) -> bool {
        self.session_type == kind.as_str()
    }

    /// Whether `presented` is this session's CSRF token, compared in constant time.
    #[must_use]
    pub fn accepts_csrf(&self, jwt_secret: &SecretString, presented: &str) -> bool {
        csrf_token(jwt_secret, self).as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

/// The CSRF token of a refresh token: the same for all its rotations.
#[must_use]
pub fn csrf_token(jwt_secret: &SecretString, claims: &RefreshClaims) -> String {
    let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(jwt_secret.expose_secret().as_bytes())
        .expect("HMAC takes keys of any length");
    let text = format!("insforge:csrf:v1:{}:{}:{}", claims.session_type, claims.sub, claims.csrf_nonce);
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}
