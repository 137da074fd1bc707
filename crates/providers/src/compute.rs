//! A project's data-plane process.

use std::{net::SocketAddr, path::Path};

use async_trait::async_trait;
use ids::ProjectId;
use model::instances::InstanceSize;
use secrecy::SecretString;

use crate::Result;

/// A data-plane process as it should be. The provider adds what only it knows: port, database address, folders.
#[derive(Clone, Debug)]
pub struct DataPlaneSpec {
    /// Whom it serves.
    pub project_id: ProjectId,
    /// Environment variables, secrets among them.
    pub environment: Vec<(String, SecretString)>,
    /// Memory and CPU.
    pub size: InstanceSize,
}

/// A data-plane process as it is.
#[derive(Clone, Debug)]
pub struct DataPlaneDescription {
    /// Whom it serves.
    pub project_id: ProjectId,
    /// Where it listens, or will when woken: the address is the project's for life.
    pub address: SocketAddr,
    /// Whether it is up.
    pub running: bool,
}

/// Reads data planes.
#[async_trait]
pub trait ComputeReader: Send + Sync {
    /// The project's process, if one is defined.
    async fn describe_data_plane(&self, project_id: ProjectId) -> Result<Option<DataPlaneDescription>>;

    /// Copies what the project's process, stopped by now, kept of its usage into an empty folder of this machine: all of its usage folder's
    /// files. Nothing is copied of one that kept nothing, or of which nothing is left.
    async fn copy_usage(&self, project_id: ProjectId, into: &Path) -> Result<()>;

    /// Every project with a process defined here.
    async fn list_data_planes(&self) -> Result<Vec<ProjectId>>;
}

/// Changes data planes.
#[async_trait]
pub trait Compute: ComputeReader {
    /// Makes sure the process runs with this specification, and waits until it accepts connections. A changed specification restarts it.
    async fn ensure_data_plane(&self, spec: &DataPlaneSpec) -> Result<DataPlaneDescription>;

    /// Stops it until it is ensured again; nothing may wake it meanwhile. Stopping an absent one succeeds.
    async fn stop_data_plane(&self, project_id: ProjectId) -> Result<()>;

    /// Stops and forgets it.
    async fn drop_data_plane(&self, project_id: ProjectId) -> Result<()>;
}
