//! `hearth.json`: where this cloud is and how to sign in, for people, scripts and tests. Private to the operator.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use control_plane::Bootstrapped;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use crate::{failure::Failure, home::write_private};

/// The first user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Admin {
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) user_api_key: String,
}

/// The content of `hearth.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Announcement {
    pub(crate) api_url: String,
    pub(crate) gateway_http_url: String,
    pub(crate) gateway_https_url: String,
    /// Where Postgres clients connect; absent where that is switched off.
    #[serde(default)]
    pub(crate) gateway_postgres_address: Option<String>,
    /// The certificate authority that signed the gateway's certificate; absent with the operator's own certificate.
    pub(crate) ca_pem: Option<String>,
    pub(crate) admin: Admin,
    pub(crate) organization_id: String,
}

impl Announcement {
    /// Credentials without addresses, for as long as the cloud is starting.
    pub(crate) fn draft(made: Bootstrapped) -> Self {
        let Bootstrapped { email, password, user_api_key, organization_id } = made;
        Self {
            api_url: String::new(),
            gateway_http_url: String::new(),
            gateway_https_url: String::new(),
            gateway_postgres_address: None,
            ca_pem: None,
            admin: Admin {
                email,
                password: password.expose_secret().to_owned(),
                user_api_key: user_api_key.expose_secret().to_owned(),
            },
            organization_id: organization_id.to_string(),
        }
    }

    /// What an earlier start wrote, if anything.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Writes it, mode 0600.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).expect("plain strings serialise");
        write_private(path, &text).map_err(|cause| Failure::io("write", path, cause))
    }

    /// Says on standard output where everything is. A closed pipe must not stop the cloud.
    pub(crate) fn print(&self, path: &Path) {
        let Self { api_url, gateway_http_url, gateway_https_url, gateway_postgres_address, admin, .. } = self;
        let postgres = gateway_postgres_address.as_deref().unwrap_or("switched off");
        let text = format!(
            "\nHearth is ready.\n  API        {api_url}\n  Gateway    {gateway_http_url}  {gateway_https_url}\n  Postgres   {postgres}\n  \
             Sign in    {}  {}\n  API key    {}\n  Details    {}\nStop with Ctrl-C.\n",
            admin.email,
            admin.password,
            admin.user_api_key,
            path.display()
        );
        let _closed = io::stdout().write_all(text.as_bytes());
    }
}
