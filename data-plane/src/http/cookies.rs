//! The two refresh cookies: HttpOnly, Secure and cross-site, each on its own path.

use chrono::{DateTime, Duration, Utc};
use http::{HeaderMap, HeaderValue, header};

/// Lifetime of refresh tokens and of the cookies that carry them.
pub const REFRESH_LIFETIME: Duration = Duration::days(7);

/// Whose session a cookie carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// An end user's.
    User,
    /// An administrator's.
    Admin,
}

impl SessionKind {
    /// The name in tokens and CSRF texts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }

    const fn cookie(self) -> (&'static str, &'static str) {
        match self {
            Self::User => ("insforge_refresh_token", "/api/auth"),
            Self::Admin => ("insforge_admin_refresh_token", "/api/auth/admin"),
        }
    }

    /// The token in the request's cookie.
    #[must_use]
    pub fn read(self, headers: &HeaderMap) -> Option<String> {
        let (name, _) = self.cookie();
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value.to_owned())
            .filter(|value| !value.is_empty())
    }

    /// A `Set-Cookie` value that stores `token`.
    #[must_use]
    pub fn store(self, token: &str, now: DateTime<Utc>) -> HeaderValue {
        let (name, path) = self.cookie();
        let seconds = REFRESH_LIFETIME.num_seconds();
        let expires = http_date(now + REFRESH_LIFETIME);
        let text = format!(
            "{name}={token}; Max-Age={seconds}; Path={path}; Expires={expires}; HttpOnly; Secure; SameSite=None"
        );
        HeaderValue::try_from(text).expect("tokens are base64url and dots")
    }

    /// A `Set-Cookie` value that removes the cookie.
    #[must_use]
    pub fn clear(self) -> HeaderValue {
        let (name, path) = self.cookie();
        let expires = http_date(DateTime::UNIX_EPOCH);
        let text = format!("{name}=; Path={path}; Expires={expires}; HttpOnly; Secure; SameSite=None");
        HeaderValue::try_from(text).expect("constant text")
    }
}

/// `at` as HTTP writes dates.
#[must_use]
pub fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
