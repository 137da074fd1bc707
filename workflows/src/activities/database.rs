//! Effects on a project's cluster and stored objects.

use ids::ProjectId;
use providers::{DatabaseSource, DatabaseSpec};
use saga::StepError;

use super::{Outcome, project_row, provider_failed};
use crate::World;

/// Name of the snapshot that a branch is reset to.
pub const ORIGIN_SNAPSHOT: &str = "t0";

/// Makes sure the project's cluster exists, from `source` when it is new, and accepts connections.
pub async fn ensure(world: &World, project_id: ProjectId, source: DatabaseSource) -> Outcome {
    let size = project_row(world, project_id).await?.instance_type.size();
    world
        .database
        .ensure_database(&DatabaseSpec { project_id, source, size, throw_away: false })
        .await
        .map_err(provider_failed)
}

/// Starts the project's existing cluster again. A cluster that does not exist is not made up.
pub async fn start(world: &World, project_id: ProjectId) -> Outcome {
    if world.database.describe_database(project_id).await.map_err(provider_failed)?.is_none() {
        return Err(StepError::permanent("project.data_missing", "the project's data is not there"));
    }
    ensure(world, project_id, DatabaseSource::Template).await
}

/// Makes sure a live clone of `parent_id` exists as the branch's own cluster, and accepts connections.
pub async fn ensure_clone(world: &World, branch_id: ProjectId, parent_id: ProjectId) -> Outcome {
    clone(world, branch_id, parent_id, false).await
}

/// Makes sure a live clone of `parent_id` exists under `clone_id`, which has no row of its own, for an operation to try something on.
pub async fn ensure_throw_away_clone(world: &World, clone_id: ProjectId, parent_id: ProjectId) -> Outcome {
    clone(world, clone_id, parent_id, true).await
}

async fn clone(world: &World, project_id: ProjectId, parent_id: ProjectId, throw_away: bool) -> Outcome {
    let size = project_row(world, parent_id).await?.instance_type.size();
    let spec = DatabaseSpec { project_id, source: DatabaseSource::Clone(parent_id), size, throw_away };
    world.database.ensure_database(&spec).await.map_err(provider_failed)
}

/// Checkpoints and stops the cluster.
pub async fn stop(world: &World, project_id: ProjectId) -> Outcome {
    world.database.stop_database(project_id).await.map_err(provider_failed)
}

/// Removes the cluster, its objects and snapshots, and proves that nothing is left.
pub async fn drop(world: &World, project_id: ProjectId) -> Outcome {
    world.database.drop_database(project_id).await.map_err(provider_failed)?;
    match world.database.describe_database(project_id).await.map_err(provider_failed)? {
        None => Ok(()),
        Some(_) => Err(StepError::again("the project's data is still there")),
    }
}

/// Keeps the present state for later resets.
pub async fn keep_origin(world: &World, project_id: ProjectId) -> Outcome {
    world.database.ensure_snapshot(project_id, ORIGIN_SNAPSHOT).await.map_err(provider_failed)
}

/// Lays a copy of the kept state beside the running cluster.
pub async fn prepare_reset(world: &World, project_id: ProjectId) -> Outcome {
    world.database.prepare_reset(project_id, ORIGIN_SNAPSHOT).await.map_err(provider_failed)
}

/// Puts the prepared copy in place of the cluster, which stays stopped.
pub async fn swap_reset(world: &World, project_id: ProjectId) -> Outcome {
    world.database.swap_reset(project_id).await.map_err(provider_failed)
}

/// Puts everything back as it was before the reset.
pub async fn cancel_reset(world: &World, project_id: ProjectId) -> Outcome {
    world.database.cancel_reset(project_id).await.map_err(provider_failed)
}

/// Forgets the state before the reset.
pub async fn finish_reset(world: &World, project_id: ProjectId) -> Outcome {
    world.database.finish_reset(project_id).await.map_err(provider_failed)
}
