//! TLS at the edge: which certificate is shown, to whom, and when it is replaced.

mod authority;
mod pem_files;

use std::{
    path::PathBuf,
    sync::{Arc, RwLock},
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    client::verify_server_name,
    crypto::{CryptoProvider, ring},
    pki_types::ServerName,
    server::{ClientHello, ParsedCertificate, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{GatewayConfig, TlsSource},
    error::Error,
};
pub use authority::local_authority;

use authority::Authority;

/// How often the local authority signs a new certificate; each is valid much longer.
const RENEW_EVERY: Duration = Duration::from_secs(24 * 3600);
/// How often the operator's files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The gateway's certificate and where its next one comes from.
pub(crate) struct Tls {
    shown: Arc<Shown>,
    origin: Origin,
    provider: Arc<CryptoProvider>,
}

enum Origin {
    Local { authority: Box<Authority>, names: Vec<String> },
    Files { certificate: PathBuf, key: PathBuf },
}

impl Tls {
    /// Makes or reads the first certificate.
    pub(crate) fn start(config: &GatewayConfig) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let origin = match &config.tls {
            TlsSource::LocalCa => {
                Origin::Local { authority: Box::new(Authority::open(&config.ca_folder)?), names: local_names(config) }
            }
            TlsSource::PemFiles { certificate, key } => {
                Origin::Files { certificate: certificate.clone(), key: key.clone() }
            }
        };
        let shown = Arc::new(Shown(RwLock::new(Arc::new(origin.certificate(&provider)?))));
        Ok(Self { shown, origin, provider })
    }

    /// The certificate clients have to trust; none with the operator's own files.
    pub(crate) fn ca_pem(&self) -> Option<String> {
        match &self.origin {
            Origin::Local { authority, .. } => Some(authority.pem().to_owned()),
            Origin::Files { .. } => None,
        }
    }

    /// The server side of a handshake, for these protocols, the preferred one first. A client that names none is served.
    pub(crate) fn server_config(&self, protocols: &[&[u8]]) -> Result<Arc<ServerConfig>, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(Error::Tls)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config))
    }

    /// Replaces the certificate before it expires, or when its files change. A bad replacement is reported and the old one stays.
    pub(crate) async fn run(self, stopping: CancellationToken) {
        let mut seen = self.origin.changed_at();
        let mut failed_once = false;
        let period = match self.origin {
            Origin::Local { .. } => RENEW_EVERY,
            Origin::Files { .. } => LOOK_EVERY,
        };
        loop {
            tokio::select! {
                () = tokio::time::sleep(period) => {}
                () = stopping.cancelled() => return,
            }
            let changed_at = self.origin.changed_at();
            if changed_at.is_some() && changed_at == seen {
                continue;
            }
            match self.origin.certificate(&self.provider) {
                Ok(certificate) => {
                    *self.shown.0.write().expect("no holder of this lock panics") = Arc::new(certificate);
                    tracing::info!("the gateway's certificate was replaced");
                }
                // One of the two files may be replaced a moment before the other.
                Err(_) if !failed_once => {
                    failed_once = true;
                    continue;
                }
                Err(error) => tracing::error!(
                    error = %telemetry::chain(&error),
                    "the gateway's certificate cannot be replaced; the one in use will expire"
                ),
            }
            failed_once = false;
            seen = changed_at;
        }
    }
}

impl Origin {
    fn certificate(&self, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
        match self {
            Self::Local { authority, names } => authority.sign(names, provider),
            Self::Files { certificate, key } => pem_files::read(certificate, key, provider),
        }
    }

    /// When the operator's files were last written; `None` for the local authority, which has nothing to look at.
    fn changed_at(&self) -> Option<(Option<SystemTime>, Option<SystemTime>)> {
        match self {
            Self::Local { .. } => None,
            Self::Files { certificate, key } => Some((pem_files::written_at(certificate), pem_files::written_at(key))),
        }
    }
}

/// The certificate in use, for clients that name a host it covers or none at all. All others are refused in the handshake.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let certificate = Arc::clone(&self.0.read().expect("no holder of this lock panics"));
        let Some(name) = hello.server_name() else { return Some(certificate) };
        let parsed = ParsedCertificate::try_from(certificate.cert.first()?).ok()?;
        let covered = verify_server_name(&parsed, &ServerName::try_from(name).ok()?).is_ok();
        covered.then_some(certificate)
    }
}

fn local_names(config: &GatewayConfig) -> Vec<String> {
    let domain = config.base_domain.to_ascii_lowercase();
    let mut names: Vec<String> = config.regions.iter().map(|region| format!("*.{region}.{domain}")).collect();
    names.extend([domain, "localhost".to_owned(), "127.0.0.1".to_owned()]);
    names.dedup();
    names
}
