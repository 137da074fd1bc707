//! Who is calling: API key, anon key or token, and the extractors that routes state their requirement with.
//!
//! A bad credential is always refused; nothing is ever downgraded to anonymous.

use serde_json::{Value, json};

mod access_keys;
mod cloud;
mod extractors;
pub mod signing_keys;
mod tokens;
mod verified;

pub use access_keys::{AccessKeys, KeyKind};
pub(crate) use cloud::verify_signature as verify_cloud_signature;
pub use cloud::{sign_for_cloud, sign_for_platform, verify as verify_cloud_authorization};
pub use extractors::{RequireAdmin, RequireApiKey, RequireCloud, RequirePlatform, RequireToken, RequireUser};
pub use signing_keys::SigningKeys;
pub use tokens::{AccessClaims, RefreshClaims, csrf_token};

/// The Postgres role that a caller's SQL runs under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Nobody in particular.
    Anon,
    /// A signed-in end user.
    Authenticated,
    /// An administrator of the project.
    ProjectAdmin,
}

impl Role {
    /// The role's name in Postgres and in tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anon => "anon",
            Self::Authenticated => "authenticated",
            Self::ProjectAdmin => "project_admin",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Anon, Self::Authenticated, Self::ProjectAdmin].into_iter().find(|role| role.as_str() == name)
    }
}

/// How a caller proved who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// The project's API key.
    ApiKey,
    /// The project's anon key.
    AnonKey,
    /// A token.
    Jwt,
}

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Under which role its SQL runs.
    pub role: Role,
    /// `sub` of its token; `anonymous` for the anon key; none for the API key.
    pub user_id: Option<String>,
    /// Its e-mail address, where the token has one.
    pub email: Option<String>,
    /// What `request.jwt.claims` is set to for its SQL.
    pub claims: Value,
    /// How it proved itself.
    pub via: Via,
}

impl Caller {
    /// Whoever holds the API key.
    #[must_use]
    pub fn api_key() -> Self {
        Self {
            role: Role::ProjectAdmin,
            user_id: None,
            email: None,
            claims: json!({"role": "project_admin"}),
            via: Via::ApiKey,
        }
    }

    /// Whoever holds the anon key.
    #[must_use]
    pub fn anon_key() -> Self {
        Self {
            role: Role::Anon,
            user_id: Some("anonymous".to_owned()),
            email: None,
            claims: json!({"role": "anon"}),
            via: Via::AnonKey,
        }
    }

    /// The bearer of a verified token.
    #[must_use]
    pub fn token(claims: AccessClaims) -> Self {
        let sql_claims = match claims.role {
            Role::Authenticated => {
                let mut fields = json!({"sub": claims.sub});
                if let Some(email) = &claims.email {
                    fields["email"] = json!(email);
                }
                fields["role"] = json!("authenticated");
                if let Some(issued_at) = claims.issued_at {
                    fields["iat"] = json!(issued_at);
                }
                if let Some(expires_at) = claims.expires_at {
                    fields["exp"] = json!(expires_at);
                }
                fields
            }
            other => json!({"role": other.as_str()}),
        };
        Self { role: claims.role, user_id: Some(claims.sub), email: claims.email, claims: sql_claims, via: Via::Jwt }
    }

    /// Whether it may administrate.
    #[must_use]
    pub fn administrates(&self) -> bool {
        self.role == Role::ProjectAdmin
    }

    /// The end user's id, for a signed-in end user only.
    #[must_use]
    pub fn end_user(&self) -> Option<&str> {
        match self.role {
            Role::Authenticated => self.user_id.as_deref(),
            _ => None,
        }
    }

    /// The name it has in audit rows.
    #[must_use]
    pub fn actor(&self) -> &str {
        match self.via {
            Via::ApiKey => "api-key",
            _ => self.user_id.as_deref().unwrap_or("unknown"),
        }
    }
}
