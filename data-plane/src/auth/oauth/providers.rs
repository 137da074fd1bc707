//! The built-in providers: names, addresses, scopes.

use url::Url;

use crate::{
    config::Endpoints,
    http::{Error, Result},
    state::App,
};

/// Names that the wire knows; three of them have no implementation anywhere.
pub(crate) const NAMES: [&str; 11] = [
    "google",
    "github",
    "discord",
    "linkedin",
    "facebook",
    "instagram",
    "tiktok",
    "apple",
    "x",
    "spotify",
    "microsoft",
];

/// A provider that is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
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

/// Where a provider is.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    pub(super) authorize: String,
    pub(super) token: String,
    pub(super) profile: String,
    pub(super) emails: String,
    pub(super) keys: String,
    pub(super) issuer: String,
}

impl Provider {
    const ALL: [Self; 8] = [
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
    pub(crate) const fn as_str(self) -> &'static str {
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
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == name)
    }

    /// Scopes of a configuration that names none.
    pub(crate) const fn default_scopes(self) -> &'static [&'static str] {
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
    pub(super) fn scope(self, configured: &[String]) -> String {
        let separator = if self == Self::Facebook { "," } else { " " };
        match (configured, self) {
            ([], Self::Microsoft) => "openid profile email offline_access User.Read".to_owned(),
            ([], _) => self.default_scopes().join(separator),
            _ => configured.join(separator),
        }
    }

    /// Whether it gets a PKCE challenge of ours.
    pub(super) const fn uses_pkce(self) -> bool {
        matches!(self, Self::X)
    }

    /// Whether it repeats our nonce in its identity token.
    pub(super) const fn repeats_nonce(self) -> bool {
        matches!(self, Self::Google | Self::Apple)
    }

    /// Where it is, as configured.
    pub(super) fn addresses(self, app: &App) -> Addresses {
        let overridden = app.config.outgoing.oauth_endpoints.as_ref().and_then(|all| all.get(self.as_str())).cloned();
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

/// Refuses a name that the wire does not know.
///
/// # Errors
/// 400 naming those it knows.
pub(super) fn check_name(name: &str) -> Result<()> {
    if NAMES.contains(&name) {
        return Ok(());
    }
    let known = NAMES.join(", ");
    Err(Error::invalid_input(format!("Unsupported OAuth provider: {name}. Supported providers: {known}")))
}

/// Adds parameters that are not there yet.
pub(super) fn add_missing<'a>(url: &mut Url, parameters: impl Iterator<Item = (&'a str, &'a str)>) {
    for (name, value) in parameters {
        if !url.query_pairs().any(|(present, _)| present == name) {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
}

/// Where a provider sends the browser back to.
pub(super) fn callback_url(app: &App, path: &str) -> String {
    format!("{}/api/auth/oauth/{path}/callback", app.config.api_base_url.trim_end_matches('/'))
}
