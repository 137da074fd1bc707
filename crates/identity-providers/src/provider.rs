//! The providers: names, addresses, scopes.

use std::collections::HashMap;

use serde::Deserialize;

/// A provider that is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Google.
    Google,
    /// GitHub.
    GitHub,
    /// Discord.
    Discord,
    /// LinkedIn.
    LinkedIn,
    /// Facebook.
    Facebook,
    /// Microsoft.
    Microsoft,
    /// X.
    X,
    /// Apple.
    Apple,
}

/// Addresses of one provider as configured; what is absent stays as built in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    /// Where the browser goes.
    pub authorize: Option<String>,
    /// Where the code is exchanged.
    pub token: Option<String>,
    /// Where the profile is.
    pub profile: Option<String>,
    /// Where e-mail addresses are, for providers that have them apart.
    pub emails: Option<String>,
    /// The key set that signs identity tokens.
    pub keys: Option<String>,
    /// Who signs them.
    pub issuer: Option<String>,
}

/// Configured addresses by the provider's name.
pub type EndpointOverrides = HashMap<String, Endpoints>;

/// Where a provider is. Empty where it has no such thing.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Where the browser goes.
    pub authorize: String,
    /// Where the code is exchanged.
    pub token: String,
    /// Where the profile is.
    pub profile: String,
    /// Where e-mail addresses are.
    pub emails: String,
    /// The key set that signs identity tokens.
    pub keys: String,
    /// Who signs them.
    pub issuer: String,
}

impl Provider {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Google,
        Self::GitHub,
        Self::Discord,
        Self::LinkedIn,
        Self::Facebook,
        Self::Microsoft,
        Self::X,
        Self::Apple,
    ];

    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::GitHub => "github",
            Self::Discord => "discord",
            Self::LinkedIn => "linkedin",
            Self::Facebook => "facebook",
            Self::Microsoft => "microsoft",
            Self::X => "x",
            Self::Apple => "apple",
        }
    }

    /// The provider of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == name)
    }

    /// Scopes of a configuration that names none.
    #[must_use]
    pub const fn default_scopes(self) -> &'static [&'static str] {
        match self {
            Self::Google => &["openid", "email", "profile"],
            Self::GitHub => &["user:email"],
            Self::Discord => &["identify", "email"],
            Self::LinkedIn => &["openid", "profile", "email"],
            Self::Facebook => &["email", "public_profile"],
            Self::Microsoft => &["User.Read"],
            Self::X => &["tweet.read", "users.read"],
            Self::Apple => &["name", "email"],
        }
    }

    /// Scopes as the authorization address holds them.
    pub(crate) fn scope(self, configured: &[String]) -> String {
        let separator = if self == Self::Facebook { "," } else { " " };
        match (configured, self) {
            ([], Self::Microsoft) => "openid profile email offline_access User.Read".to_owned(),
            ([], _) => self.default_scopes().join(separator),
            _ => configured.join(separator),
        }
    }

    /// Whether it gets a PKCE challenge of ours: all that know PKCE for clients with a secret.
    pub(crate) const fn uses_pkce(self) -> bool {
        !matches!(self, Self::LinkedIn | Self::Apple)
    }

    /// Whether it repeats our nonce in its identity token.
    pub(crate) const fn repeats_nonce(self) -> bool {
        matches!(self, Self::Google | Self::Apple)
    }

    /// Where it is, as configured.
    #[must_use]
    pub fn addresses(self, endpoints: Option<&EndpointOverrides>) -> Addresses {
        let overridden = endpoints.and_then(|all| all.get(self.as_str())).cloned();
        let Endpoints { authorize, token, profile, emails, keys, issuer } = overridden.unwrap_or_default();
        let built_in = self.built_in();
        let pick = |configured: Option<String>, index: usize| configured.unwrap_or_else(|| built_in[index].to_owned());
        Addresses {
            authorize: pick(authorize, 0),
            token: pick(token, 1),
            profile: pick(profile, 2),
            emails: pick(emails, 3),
            keys: pick(keys, 4),
            issuer: pick(issuer, 5),
        }
    }

    /// Authorize, token, profile, e-mail addresses, key set, issuer; empty where it has none.
    const fn built_in(self) -> [&'static str; 6] {
        match self {
            Self::Google => [
                "https://accounts.google.com/o/oauth2/v2/auth",
                "https://oauth2.googleapis.com/token",
                "",
                "",
                "https://www.googleapis.com/oauth2/v3/certs",
                "https://accounts.google.com",
            ],
            Self::GitHub => [
                "https://github.com/login/oauth/authorize",
                "https://github.com/login/oauth/access_token",
                "https://api.github.com/user",
                "https://api.github.com/user/emails",
                "",
                "",
            ],
            Self::Discord => [
                "https://discord.com/api/oauth2/authorize",
                "https://discord.com/api/oauth2/token",
                "https://discord.com/api/users/@me",
                "",
                "",
                "",
            ],
            Self::LinkedIn => [
                "https://www.linkedin.com/oauth/v2/authorization",
                "https://www.linkedin.com/oauth/v2/accessToken",
                "",
                "",
                "https://www.linkedin.com/oauth/openid/jwks",
                "https://www.linkedin.com/oauth",
            ],
            Self::Facebook => [
                "https://www.facebook.com/v21.0/dialog/oauth",
                "https://graph.facebook.com/v21.0/oauth/access_token",
                "https://graph.facebook.com/v21.0/me",
                "",
                "",
                "",
            ],
            Self::Microsoft => [
                "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
                "https://login.microsoftonline.com/common/oauth2/v2.0/token",
                "https://graph.microsoft.com/v1.0/me",
                "",
                "",
                "",
            ],
            Self::X => [
                "https://twitter.com/i/oauth2/authorize",
                "https://api.twitter.com/2/oauth2/token",
                "https://api.twitter.com/2/users/me",
                "",
                "",
                "",
            ],
            Self::Apple => [
                "https://appleid.apple.com/auth/authorize",
                "https://appleid.apple.com/auth/token",
                "",
                "",
                "https://appleid.apple.com/auth/keys",
                "https://appleid.apple.com",
            ],
        }
    }
}
