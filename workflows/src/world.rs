//! Everything that sagas may touch.

use std::sync::Arc;

use clock::SharedClock;
use ids::ProjectId;
use model::sealing::MasterKey;
use outbound::Outbound;
use providers::{Compute, Database};
use secrecy::SecretString;
use sqlx::PgPool;
use store::projects::Project;

/// Where the gateway is reached.
#[derive(Clone, Debug)]
pub struct GatewayAddresses {
    /// Base URL of its admin interface, without a trailing slash.
    pub admin_url: String,
    /// Base URL of its public side over plain HTTP, on loopback: proofs of serving go through it.
    pub http_url: String,
}

/// The outside world of all sagas.
#[derive(Clone)]
pub struct World {
    /// The control database.
    pub pool: PgPool,
    /// Clusters.
    pub database: Arc<dyn Database>,
    /// Data-plane processes.
    pub compute: Arc<dyn Compute>,
    /// The public edge.
    pub gateway: GatewayAddresses,
    /// Client for the gateway and for data planes; follows no redirects.
    pub http: reqwest::Client,
    /// Makes calls to addresses that tenants chose.
    pub outbound: Arc<Outbound>,
    /// Authenticates us to the gateway's admin interface.
    pub internal_token: SecretString,
    /// Opens projects' secrets.
    pub master_key: MasterKey,
    /// Time.
    pub clock: SharedClock,
    /// Domain under which projects have their hosts.
    pub base_domain: String,
    /// Base URL of the control plane, as data planes reach it.
    pub control_plane_url: String,
    /// Sign-in providers, comma-separated, whose clients the operator shares with projects.
    pub shared_clients: String,
    /// How long a merge can be undone; zero keeps nothing for that.
    pub merge_undo: std::time::Duration,
    /// Public URL of a project, with `{host}` in place of its host, such as `https://{host}:7143`.
    pub public_url: String,
}

/// A client for [`World::http`].
///
/// # Errors
/// When the HTTP library cannot start.
pub fn http_client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()
}

impl World {
    /// The public host of a project.
    #[must_use]
    pub fn host(&self, project: &Project) -> String {
        model::projects::host(&project.app_key, project.region, &self.base_domain)
    }

    /// The public URL of a project.
    #[must_use]
    pub fn public_url(&self, project: &Project) -> String {
        self.public_url.replace("{host}", &self.host(project))
    }

    /// The route of a project in the gateway's admin interface.
    #[must_use]
    pub fn route_url(&self, project_id: ProjectId) -> String {
        format!("{}/routes/{project_id}", self.gateway.admin_url)
    }
}
