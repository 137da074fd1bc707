//! The provider itself: the four traits, and what only a local provider can do. Every change runs to its end even if its caller gives up.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ids::ProjectId;
use providers::{
    Compute, ComputeReader, DataPlaneDescription, DataPlaneSpec, Database, DatabaseDescription, DatabaseReader,
    DatabaseSpec, Result,
};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use crate::{
    config::LocalConfig,
    failure::{blocking, detached},
    node::Node,
    opening, supervision, waking,
};

/// This machine as a provider: one Postgres cluster and one data-plane process per project. Several processes may open one home at once.
#[derive(Debug)]
pub struct LocalNode {
    node: Arc<Node>,
}

impl LocalNode {
    /// Opens the home, mounts what needs mounting and puts in order what an earlier process left half-done. Processes that survived it are
    /// adopted; nothing is started.
    ///
    /// # Errors
    /// Refused, in a sentence for the operator, when something is missing; else transient.
    pub async fn open(config: LocalConfig) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { node: opening::open(config).await? }))
    }

    /// Builds the template of new projects if there is none for this Postgres and this data plane. Otherwise the first project waits for it.
    ///
    /// # Errors
    /// Transient, with what failed.
    pub async fn prepare_template(&self) -> Result<()> {
        let node = self.node.clone();
        detached(async move {
            let first = node
                .distributions
                .first()
                .cloned()
                .ok_or_else(|| providers::Error::Missing("a Postgres distribution".to_owned()))?;
            node.template(&first).await.map(drop)
        })
        .await
    }

    /// The address of a project that answers, started first if it sleeps. Callers at the same time share one start.
    ///
    /// # Errors
    /// Missing, refused when it is stopped on purpose, else transient.
    pub async fn wake(&self, id: ProjectId) -> Result<SocketAddr> {
        let node = self.node.clone();
        detached(async move { node.wake(id).await }).await
    }

    /// Puts a project to sleep, unless it has open requests or had one within `idle_for`; true when it sleeps on return.
    ///
    /// # Errors
    /// Missing, or transient, also when its data plane does not say whether it is in use.
    pub async fn sleep(&self, id: ProjectId, idle_for: Duration) -> Result<bool> {
        let node = self.node.clone();
        detached(async move { node.sleep(id, idle_for).await }).await
    }

    /// A connection to the Postgres of a project that runs, where its developers' role signs in by password; `None` when it does not run.
    ///
    /// # Errors
    /// Missing, refused when it is not the project's own server that listens, else transient.
    pub async fn connect_postgres(&self, id: ProjectId) -> Result<Option<UnixStream>> {
        let node = self.node.clone();
        detached(async move { node.connect_postgres(id).await }).await
    }

    /// Restarts processes that end by themselves, until told to stop.
    pub async fn supervise(&self, shutdown: CancellationToken) {
        supervision::supervise(self.node.clone(), shutdown).await;
    }

    /// Checkpoints and stops everything, remembering who was awake, and unmounts. Where another process has this home open, projects stay up.
    /// Nothing can be changed through this node afterwards.
    ///
    /// # Errors
    /// Transient when something could not be stopped.
    pub async fn shutdown(&self) -> Result<()> {
        let node = self.node.clone();
        detached(async move { opening::close(&node).await }).await
    }

    /// Starts those who were awake at shutdown, a few at a time. One that fails is logged and left to [`Self::supervise`].
    ///
    /// # Errors
    /// Transient when it is not known who was awake.
    pub async fn resume(&self) -> Result<()> {
        let node = self.node.clone();
        detached(async move { waking::resume(&node).await }).await
    }

    /// Projects whose data plane serves, and since when they are awake.
    #[must_use]
    pub fn awake(&self) -> Vec<(ProjectId, DateTime<Utc>)> {
        self.node.awake()
    }

    /// Folder of the socket of a project's Postgres.
    #[must_use]
    pub fn socket_folder(&self, id: ProjectId) -> std::path::PathBuf {
        self.node.layout.project(id).run()
    }

    /// Whether clones share blocks with what they were made from.
    #[must_use]
    pub fn reflink(&self) -> bool {
        self.node.pool.reflink
    }

    /// The pool's image, if projects lie in one.
    #[must_use]
    pub fn pool_image(&self) -> Option<&std::path::Path> {
        self.node.pool.image()
    }
}

#[async_trait]
impl DatabaseReader for LocalNode {
    async fn describe_database(&self, project_id: ProjectId) -> Result<Option<DatabaseDescription>> {
        self.node.describe_database(project_id)
    }

    async fn list_databases(&self) -> Result<Vec<ProjectId>> {
        let node = self.node.clone();
        blocking(move || node.list_databases()).await
    }
}

/// Runs a change of the node in a task of its own.
macro_rules! change {
    ($self:ident, |$node:ident| $work:expr) => {{
        let $node = $self.node.clone();
        detached(async move { $work.await }).await
    }};
}

#[async_trait]
impl Database for LocalNode {
    async fn ensure_database(&self, spec: &DatabaseSpec) -> Result<()> {
        let spec = spec.clone();
        change!(self, |node| node.ensure_database(spec))
    }

    async fn stop_database(&self, project_id: ProjectId) -> Result<()> {
        change!(self, |node| node.stop_database(project_id))
    }

    async fn drop_database(&self, project_id: ProjectId) -> Result<()> {
        change!(self, |node| node.drop_database(project_id))
    }

    async fn ensure_snapshot(&self, project_id: ProjectId, name: &str) -> Result<()> {
        let name = name.to_owned();
        change!(self, |node| node.ensure_snapshot(project_id, &name))
    }

    async fn prepare_reset(&self, project_id: ProjectId, name: &str) -> Result<()> {
        let name = name.to_owned();
        change!(self, |node| node.prepare_reset(project_id, &name))
    }

    async fn swap_reset(&self, project_id: ProjectId) -> Result<()> {
        change!(self, |node| node.swap_reset(project_id))
    }

    async fn cancel_reset(&self, project_id: ProjectId) -> Result<()> {
        change!(self, |node| node.cancel_reset(project_id))
    }

    async fn finish_reset(&self, project_id: ProjectId) -> Result<()> {
        change!(self, |node| node.finish_reset(project_id))
    }
}

#[async_trait]
impl ComputeReader for LocalNode {
    async fn describe_data_plane(&self, project_id: ProjectId) -> Result<Option<DataPlaneDescription>> {
        self.node.describe_data_plane(project_id)
    }

    async fn copy_usage(&self, project_id: ProjectId, into: &Path) -> Result<()> {
        let (node, into) = (self.node.clone(), into.to_owned());
        blocking(move || node.copy_usage(project_id, &into)).await
    }

    async fn list_data_planes(&self) -> Result<Vec<ProjectId>> {
        let node = self.node.clone();
        blocking(move || node.list_data_planes()).await
    }
}

#[async_trait]
impl Compute for LocalNode {
    async fn ensure_data_plane(&self, spec: &DataPlaneSpec) -> Result<DataPlaneDescription> {
        let spec = spec.clone();
        change!(self, |node| node.ensure_data_plane(&spec))
    }

    async fn stop_data_plane(&self, project_id: ProjectId) -> Result<()> {
        change!(self, |node| node.stop_data_plane(project_id))
    }

    async fn drop_data_plane(&self, project_id: ProjectId) -> Result<()> {
        change!(self, |node| node.drop_data_plane(project_id))
    }
}
