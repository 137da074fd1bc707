//! What the operator says about calls that leave the process: private networks that may be reached, certificates, providers' addresses.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use identity_providers::{EndpointOverrides, Provider};
use ipnet::IpNet;
use secrecy::SecretString;

/// Settings of outgoing calls.
#[derive(Clone, Debug, Args)]
pub struct Outgoing {
    /// Private networks that tenants may have the process call, comma-separated. None by default; loopback opens every local service.
    #[arg(long, env = "HEARTH_OUTBOUND_ALLOW", value_delimiter = ',', value_parser = super::trust::network)]
    pub outbound_allow: Vec<IpNet>,
    /// File with certificates that outgoing TLS trusts besides the public ones, PEM.
    #[arg(long, env = "HEARTH_OUTBOUND_CA_FILE")]
    pub outbound_ca_file: Option<PathBuf>,
    /// Other addresses of built-in sign-in providers, as JSON: `{"google": {"authorize": "https://…", "token": "https://…"}}`.
    #[arg(long, env = "HEARTH_OAUTH_ENDPOINTS", value_parser = endpoints)]
    pub oauth_endpoints: Option<Arc<EndpointOverrides>>,
    /// Providers whose clients the platform shares with this project, comma-separated.
    #[arg(long, env = data_plane_contract::SHARED_CLIENTS_VARIABLE, value_delimiter = ',', value_parser = provider)]
    pub shared_clients: Vec<Provider>,
    /// `1` refuses shared sign-ins that the platform has not signed.
    #[arg(long, env = data_plane_contract::SHARED_SIGN_INS_SIGNED_VARIABLE)]
    pub shared_oauth_signed: Option<String>,
}

fn endpoints(text: &str) -> Result<Arc<EndpointOverrides>, String> {
    serde_json::from_str(text).map(Arc::new).map_err(|error| error.to_string())
}

fn provider(name: &str) -> Result<Provider, String> {
    Provider::parse(name).ok_or_else(|| format!("unknown provider {name}"))
}

/// Client ids and secrets of sign-in providers that a process on its own is seeded with.
#[derive(Clone, Debug, Args)]
pub struct ProviderSeeds {
    /// Google's client id.
    #[arg(long, env = "GOOGLE_CLIENT_ID")]
    pub google_client_id: Option<String>,
    /// Google's client secret.
    #[arg(long, env = "GOOGLE_CLIENT_SECRET", hide_env_values = true)]
    pub google_client_secret: Option<SecretString>,
    /// GitHub's client id.
    #[arg(long, env = "GITHUB_CLIENT_ID")]
    pub github_client_id: Option<String>,
    /// GitHub's client secret.
    #[arg(long, env = "GITHUB_CLIENT_SECRET", hide_env_values = true)]
    pub github_client_secret: Option<SecretString>,
    /// Discord's client id.
    #[arg(long, env = "DISCORD_CLIENT_ID")]
    pub discord_client_id: Option<String>,
    /// Discord's client secret.
    #[arg(long, env = "DISCORD_CLIENT_SECRET", hide_env_values = true)]
    pub discord_client_secret: Option<SecretString>,
    /// LinkedIn's client id.
    #[arg(long, env = "LINKEDIN_CLIENT_ID")]
    pub linkedin_client_id: Option<String>,
    /// LinkedIn's client secret.
    #[arg(long, env = "LINKEDIN_CLIENT_SECRET", hide_env_values = true)]
    pub linkedin_client_secret: Option<SecretString>,
    /// Microsoft's client id.
    #[arg(long, env = "MICROSOFT_CLIENT_ID")]
    pub microsoft_client_id: Option<String>,
    /// Microsoft's client secret.
    #[arg(long, env = "MICROSOFT_CLIENT_SECRET", hide_env_values = true)]
    pub microsoft_client_secret: Option<SecretString>,
    /// X's client id.
    #[arg(long, env = "X_CLIENT_ID")]
    pub x_client_id: Option<String>,
    /// X's client secret.
    #[arg(long, env = "X_CLIENT_SECRET", hide_env_values = true)]
    pub x_client_secret: Option<SecretString>,
    /// Apple's client id.
    #[arg(long, env = "APPLE_CLIENT_ID")]
    pub apple_client_id: Option<String>,
    /// Apple's client secret, JSON with team, key id and private key.
    #[arg(long, env = "APPLE_CLIENT_SECRET", hide_env_values = true)]
    pub apple_client_secret: Option<SecretString>,
}

impl ProviderSeeds {
    /// Provider, client id and client secret of each that has both.
    #[must_use]
    pub fn complete(&self) -> Vec<(&'static str, &str, &SecretString)> {
        [
            ("google", &self.google_client_id, &self.google_client_secret),
            ("github", &self.github_client_id, &self.github_client_secret),
            ("discord", &self.discord_client_id, &self.discord_client_secret),
            ("linkedin", &self.linkedin_client_id, &self.linkedin_client_secret),
            ("microsoft", &self.microsoft_client_id, &self.microsoft_client_secret),
            ("x", &self.x_client_id, &self.x_client_secret),
            ("apple", &self.apple_client_id, &self.apple_client_secret),
        ]
        .into_iter()
        .filter_map(|(provider, id, secret)| Some((provider, id.as_deref()?, secret.as_ref()?)))
        .filter(|(_, id, _)| !id.is_empty())
        .collect()
    }
}
