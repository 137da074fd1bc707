//! The local provider and the gateway: what serves projects, with or without a control plane.

use std::{path::PathBuf, sync::Arc};

use gateway::{GatewayConfig, GatewayHandle, TlsSource, UsageTarget};
use model::regions::Region;
use providers_local::{
    LocalConfig, LocalNode, PoolChoice,
    postgres::{Distribution, find_distributions},
};

use super::waker::LocalWaker;
use crate::{failure::Failure, home::Home, settings::UpSettings};

/// Where the local certificate authority is, below the home.
const AUTHORITY_FOLDER: &str = "ca";
/// How many ports projects may take.
const PROJECT_PORTS: u16 = 10_000;

/// The Postgres installations of this machine and of the settings; the first runs new clusters. Never empty.
pub(crate) fn distributions(settings: &UpSettings) -> Result<Vec<Distribution>, Failure> {
    let found = find_distributions(&settings.postgres_distributions)
        .map_err(|cause| Failure::caused("Could not find Postgres", cause))?;
    if found.is_empty() {
        return Err(Failure::new("Postgres is missing: on Debian, apt install postgresql postgresql-contrib."));
    }
    Ok(found)
}

/// Opens the provider of projects on this machine.
pub(crate) async fn open_node(settings: &UpSettings, home: &Home) -> Result<Arc<LocalNode>, Failure> {
    let binary = data_plane_binary(settings)?;
    let mut config = LocalConfig::new(home.path().to_owned(), binary, distributions(settings)?, home.master_key()?);
    config.pool = if settings.no_pool { PoolChoice::Never } else { PoolChoice::Auto };
    let last_port = settings.first_project_port.saturating_add(PROJECT_PORTS - 1);
    config.environment = clock::environment();
    config.ports = settings.first_project_port..=last_port;
    LocalNode::open(config).await.map_err(|cause| Failure::caused("Could not prepare this machine for projects", cause))
}

/// Starts the gateway over this home's routes.
pub(crate) async fn start_gateway(
    settings: &UpSettings,
    home: &Home,
    node: Arc<LocalNode>,
) -> Result<GatewayHandle, Failure> {
    let token = home.internal_token()?;
    let config = GatewayConfig {
        http: settings.gateway_http_addr,
        https: Some(settings.gateway_https_addr),
        postgres: settings.postgres_address(),
        admin: settings.gateway_admin_addr,
        admin_token: token.clone(),
        folder: home.join("gateway"),
        ca_folder: home.join(AUTHORITY_FOLDER),
        base_domain: settings.base_domain.clone(),
        regions: Region::ALL.iter().map(|region| region.as_str().to_owned()).collect(),
        tls: match (&settings.tls_cert, &settings.tls_key) {
            (Some(certificate), Some(key)) => {
                TlsSource::PemFiles { certificate: certificate.clone(), key: key.clone() }
            }
            _ => TlsSource::LocalCa,
        },
        usage: Some(UsageTarget { control_plane_url: format!("http://{}", settings.api_addr), token }),
        source: "gateway:local".to_owned(),
    };
    let started = gateway::start(config, Arc::new(LocalWaker(node))).await;
    started.map_err(|cause| Failure::caused("Could not start the gateway", cause))
}

/// The certificate authority that signs the gateway's certificate; none with the operator's own certificate. It is made here if no gateway has
/// run yet, so that what a control plane announces is what its gateway will show.
pub(crate) fn authority(settings: &UpSettings, home: &Home) -> Result<Option<String>, Failure> {
    if settings.tls_cert.is_some() {
        return Ok(None);
    }
    let authority = gateway::local_authority(&home.join(AUTHORITY_FOLDER));
    authority.map(Some).map_err(|cause| Failure::caused("Could not make the local certificate authority", cause))
}

/// The data-plane binary of the settings, or the one beside this binary.
fn data_plane_binary(settings: &UpSettings) -> Result<PathBuf, Failure> {
    let path = match &settings.data_plane_binary {
        Some(path) => path.clone(),
        None => std::env::current_exe()
            .map_err(|cause| Failure::caused("Could not find this program's own file", cause))?
            .with_file_name("hearth-data-plane"),
    };
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::new(format!(
        "The data-plane binary {} is missing: build it with `cargo build -p hearth-data-plane` or name it with --data-plane-binary.",
        path.display()
    )))
}
