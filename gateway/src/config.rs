//! What a gateway is started with.

use std::{net::SocketAddr, path::PathBuf};

use secrecy::SecretString;

/// Addresses, folders and credentials of one gateway.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Address of plain HTTP.
    pub http: SocketAddr,
    /// Address of HTTPS; absent means none is served.
    pub https: Option<SocketAddr>,
    /// Address of Postgres, behind TLS; absent means none is served.
    pub postgres: Option<SocketAddr>,
    /// Address on which routes are pushed; keep it on loopback.
    pub admin: SocketAddr,
    /// Bearer token of the admin address.
    pub admin_token: SecretString,
    /// The gateway's own folder: routes and unsent usage.
    pub folder: PathBuf,
    /// Folder of the local certificate authority.
    pub ca_folder: PathBuf,
    /// Domain under which projects live, for example `localhost`.
    pub base_domain: String,
    /// Regions, each a label under the base domain.
    pub regions: Vec<String>,
    /// Where the certificate comes from.
    pub tls: TlsSource,
    /// Where usage records go; absent means they stay in the spool.
    pub usage: Option<UsageTarget>,
    /// Who measures, for example `gateway:local`. The spool appends an id of its own, so that a lost folder begins a new series.
    pub source: String,
}

/// Where the certificate for HTTPS comes from.
#[derive(Clone, Debug)]
pub enum TlsSource {
    /// A certificate authority made once in `ca_folder`, which signs for the base domain and all regions.
    LocalCa,
    /// The operator's own files, read again when they change.
    PemFiles {
        /// Certificate chain, leaf first.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// Where usage records are sent.
#[derive(Clone, Debug)]
pub struct UsageTarget {
    /// Base URL of the control plane.
    pub control_plane_url: String,
    /// Bearer token for its internal routes.
    pub token: SecretString,
}
