//! A project's Postgres cluster together with its stored objects: both are cloned, kept and swapped as one.

use async_trait::async_trait;
use ids::ProjectId;
use model::instances::InstanceSize;

use crate::Result;

/// Where a new project's data comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseSource {
    /// A prepared empty cluster.
    Template,
    /// A live clone of another project, which stays writable meanwhile.
    Clone(ProjectId),
}

/// A cluster as it should be.
#[derive(Clone, Debug)]
pub struct DatabaseSpec {
    /// Whose it is.
    pub project_id: ProjectId,
    /// Where its first contents come from; ignored once it exists.
    pub source: DatabaseSource,
    /// Memory and CPU.
    pub size: InstanceSize,
    /// One that a single operation looks at and removes: it need not outlive a crash of the machine, after which it is made anew, and its
    /// work is not held to its size's CPU.
    pub throw_away: bool,
}

/// A cluster as it is.
#[derive(Clone, Debug)]
pub struct DatabaseDescription {
    /// Whose it is.
    pub project_id: ProjectId,
    /// Whether its processes are up.
    pub running: bool,
    /// Named Postgres distribution, such as `debian-15`.
    pub distribution: String,
    /// Names of the kept snapshots.
    pub snapshots: Vec<String>,
}

/// Reads clusters.
#[async_trait]
pub trait DatabaseReader: Send + Sync {
    /// The project's cluster, if any of it exists.
    async fn describe_database(&self, project_id: ProjectId) -> Result<Option<DatabaseDescription>>;

    /// Every project of which anything exists here, half-made and half-removed ones included.
    async fn list_databases(&self) -> Result<Vec<ProjectId>>;
}

/// Changes clusters.
#[async_trait]
pub trait Database: DatabaseReader {
    /// Makes sure the cluster exists and accepts connections.
    async fn ensure_database(&self, spec: &DatabaseSpec) -> Result<()>;

    /// Checkpoints and stops it; its data stays. Stopping a stopped or absent one succeeds.
    async fn stop_database(&self, project_id: ProjectId) -> Result<()>;

    /// Removes it with its objects and snapshots. On return nothing is left.
    async fn drop_database(&self, project_id: ProjectId) -> Result<()>;

    /// Keeps the present state under `name`. Keeping a name twice keeps the first.
    async fn ensure_snapshot(&self, project_id: ProjectId, name: &str) -> Result<()>;

    /// Copies the snapshot beside the running cluster, ready to be swapped in. The cluster is untouched.
    async fn prepare_reset(&self, project_id: ProjectId, name: &str) -> Result<()>;

    /// Stops the cluster and puts the prepared copy in its place, keeping the old state aside. Leaves it stopped.
    async fn swap_reset(&self, project_id: ProjectId) -> Result<()>;

    /// Undoes `prepare_reset` and `swap_reset`: the old state is back in place, nothing prepared remains. Leaves a swapped cluster stopped.
    async fn cancel_reset(&self, project_id: ProjectId) -> Result<()>;

    /// Forgets the old state.
    async fn finish_reset(&self, project_id: ProjectId) -> Result<()>;
}
