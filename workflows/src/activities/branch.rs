//! What is recorded of a branch.

use data_plane_contract::identity::CloneMode;
use ids::ProjectId;
use saga::{StepContext, operations::BranchMode};

use super::{Outcome, project::begin, schema, store_failed};
use crate::World;

/// Which rows a branch of this mode keeps.
#[must_use]
pub const fn clone_mode(mode: BranchMode) -> CloneMode {
    match mode {
        BranchMode::Full => CloneMode::Full,
        BranchMode::SchemaOnly => CloneMode::SchemaOnly,
    }
}

/// How the branch started.
pub async fn mode(world: &World, branch_id: ProjectId) -> Outcome<BranchMode> {
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    let branch = store::branches::find(&mut conn, branch_id).await.map_err(store_failed)?;
    branch
        .map(|branch| branch.mode)
        .ok_or_else(|| saga::StepError::permanent("branch.not_found", "the branch does not exist"))
}

/// Keeps the branch's present schema as the base of its merges: it is the parent's at the moment of the clone.
/// Called before the branch can be reached, so nothing of its own is in it.
pub async fn record_origin(context: StepContext, world: &World, branch_id: ProjectId) -> Outcome {
    let snapshot = schema::snapshot(world, branch_id).await?;
    let mut transaction = begin(context, world).await?;
    store::branches::set_base(&mut transaction, branch_id, &snapshot.snapshot, &snapshot.catalog_hash)
        .await
        .map_err(store_failed)?;
    transaction.commit().await.map_err(store_failed)
}

/// Records that the branch is as it was at its creation.
pub async fn mark_reset(context: StepContext, world: &World, branch_id: ProjectId) -> Outcome {
    let mut transaction = begin(context, world).await?;
    store::branches::reset_base(&mut transaction, branch_id).await.map_err(store_failed)?;
    transaction.commit().await.map_err(store_failed)
}
