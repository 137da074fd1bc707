//! The built-in providers as the wire knows them.

use url::Url;

use crate::{
    http::{Error, Result},
    state::App,
};

pub(crate) use identity_providers::Provider;

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
