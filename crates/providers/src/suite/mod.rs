//! What every provider passes. A provider's own tests implement [`Subject`] and call [`all`], or single checks; failures panic.

mod clones;
mod lifecycle;
mod resets;

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use ids::ProjectId;
use model::instances::{InstanceSize, InstanceType};
use secrecy::SecretString;

use crate::{Compute, DataPlaneSpec, Database, DatabaseSource, DatabaseSpec};

pub use clones::{clones_are_independent, cloning_nothing_is_missing, snapshots_keep_the_first};
pub use lifecycle::{
    absent_projects_are_no_error, changed_specification_restarts, creating_twice_is_creating_once, many_at_once,
    stopping_keeps_data_and_address,
};
pub use resets::{cancel_restores, prepare_leaves_the_cluster_alone, swap_and_finish};

/// A provider under test, with a way to write to and read from a project's running cluster as a client would.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The provider's databases.
    fn database(&self) -> Arc<dyn Database>;

    /// The provider's compute.
    fn compute(&self) -> Arc<dyn Compute>;

    /// Writes a mark through the database.
    async fn put_mark(&self, project_id: ProjectId, mark: &str);

    /// Reads all marks in the order they were written.
    async fn marks(&self, project_id: ProjectId) -> Vec<String>;
}

/// Runs every check.
pub async fn all(subject: &dyn Subject) {
    absent_projects_are_no_error(subject).await;
    creating_twice_is_creating_once(subject).await;
    stopping_keeps_data_and_address(subject).await;
    changed_specification_restarts(subject).await;
    clones_are_independent(subject).await;
    cloning_nothing_is_missing(subject).await;
    snapshots_keep_the_first(subject).await;
    prepare_leaves_the_cluster_alone(subject).await;
    swap_and_finish(subject).await;
    cancel_restores(subject).await;
    many_at_once(subject, 8).await;
}

/// The smallest size.
#[must_use]
pub fn size() -> InstanceSize {
    InstanceType::Nano.size()
}

/// A new project from the template.
#[must_use]
pub fn new_database(project_id: ProjectId) -> DatabaseSpec {
    DatabaseSpec { project_id, source: DatabaseSource::Template, size: size(), throw_away: false }
}

/// A clone of `parent`.
#[must_use]
pub fn clone_of(parent: ProjectId, project_id: ProjectId) -> DatabaseSpec {
    DatabaseSpec { project_id, source: DatabaseSource::Clone(parent), size: size(), throw_away: false }
}

/// A data plane with a small environment that `variant` changes.
#[must_use]
pub fn data_plane(project_id: ProjectId, variant: &str) -> DataPlaneSpec {
    let secret = |name: &str| format!("{name}-{project_id}");
    let environment = [
        ("PROJECT_ID", project_id.to_string()),
        ("HEARTH_PLATFORM_TOKEN", secret("token")),
        ("JWT_SECRET", secret("jwt-secret")),
        ("ENCRYPTION_KEY", secret("encryption-key")),
        ("ROOT_ADMIN_USERNAME", "admin".to_owned()),
        ("ROOT_ADMIN_PASSWORD", secret("password")),
        ("VARIANT", variant.to_owned()),
    ];
    let environment =
        environment.into_iter().map(|(name, value)| (name.to_owned(), SecretString::from(value))).collect();
    DataPlaneSpec { project_id, environment, size: size() }
}

/// Makes a running project without a data plane.
pub async fn create(subject: &dyn Subject) -> ProjectId {
    let id = ProjectId::generate();
    done("ensure_database", subject.database().ensure_database(&new_database(id))).await;
    id
}

/// Removes a project and proves it gone.
pub async fn remove(subject: &dyn Subject, id: ProjectId) {
    done("drop_data_plane", subject.compute().drop_data_plane(id)).await;
    done("drop_database", subject.database().drop_database(id)).await;
    assert!(
        done("describe_database", subject.database().describe_database(id)).await.is_none(),
        "{id} is still described"
    );
    assert!(
        done("describe_data_plane", subject.compute().describe_data_plane(id)).await.is_none(),
        "{id} is still described"
    );
    assert!(!done("list_databases", subject.database().list_databases()).await.contains(&id), "{id} is still listed");
    assert!(
        !done("list_data_planes", subject.compute().list_data_planes()).await.contains(&id),
        "{id} is still listed"
    );
}

/// Awaits a call that must succeed within a minute.
async fn done<T>(name: &str, call: impl Future<Output = crate::Result<T>>) -> T {
    match tokio::time::timeout(Duration::from_mins(1), call).await {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => {
            panic!("{name} failed: {error}: {:?}", std::error::Error::source(&error).map(ToString::to_string))
        }
        Err(_elapsed) => panic!("{name} did not answer within a minute"),
    }
}
