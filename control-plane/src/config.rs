//! What the control plane must be told.

use std::collections::BTreeMap;

use identity_providers::{Endpoints, Provider};
use model::versions::Version;
use secrecy::SecretString;
use serde::Deserialize;

/// How clients reach the gateway. Ports are shown only where they are not the scheme's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gateway {
    /// Public port for HTTPS; absent when it is not served.
    pub https_port: Option<u16>,
    /// Public port for plain HTTP.
    pub http_port: u16,
    /// Public port for Postgres; absent when it is not served.
    pub postgres_port: Option<u16>,
}

impl Gateway {
    /// The public origin of a host.
    #[must_use]
    pub fn origin(&self, host: &str) -> String {
        let (scheme, port, usual) = match self.https_port {
            Some(port) => ("https", port, 443),
            None => ("http", self.http_port, 80),
        };
        if port == usual { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") }
    }
}

/// A client of the operator's own at a sign-in provider, for projects that have none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedClient {
    /// Its id.
    pub client_id: String,
    /// Its secret; Apple's is JSON with `teamId`, `keyId` and `privateKey`.
    pub client_secret: SecretString,
    /// Scopes to ask for; none means the provider's default.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Where the provider is, if not where it usually is.
    #[serde(default)]
    pub endpoints: Endpoints,
}

/// The clients that the operator shares.
pub type SharedClients = BTreeMap<Provider, SharedClient>;

/// Settings of the control plane.
#[derive(Clone, Debug)]
pub struct Config {
    /// Domain under which projects get their hosts.
    pub base_domain: String,
    /// Where the gateway is.
    pub gateway: Gateway,
    /// The newest backend version this cloud can run; new projects get it.
    pub latest_version: Version,
    /// Idle time after which a new project sleeps; absent means never.
    pub sleep_after_seconds: Option<i64>,
    /// Base URL of the control plane, as browsers reach it.
    pub public_url: String,
    /// Clients at sign-in providers that projects may use.
    pub shared_clients: SharedClients,
    /// The token by which gateway and worker are known.
    pub internal_token: SecretString,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_names_its_port_only_where_it_must() {
        let origin = |https_port, http_port| {
            Gateway { https_port, http_port, postgres_port: None }.origin("a.us-east.localhost")
        };
        assert_eq!(origin(Some(443), 80), "https://a.us-east.localhost");
        assert_eq!(origin(Some(7143), 7180), "https://a.us-east.localhost:7143");
        assert_eq!(origin(None, 80), "http://a.us-east.localhost");
    }
}
