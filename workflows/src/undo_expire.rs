//! The reconciler of undos: when a merge can no longer be undone, what its parent keeps for that is removed. It takes no input, reads the
//! present state and converges. The removal may run any number of times, so a crash at any moment is made good by the next round.

use std::{sync::Arc, time::Duration};

use data_plane_contract::schema::ForgetKept;
use ids::OperationId;
use model::projects::Intent;
use store::merges::Kept;

use crate::{
    World,
    activities::{Outcome, data_plane, merge, project_row, schema, store_failed},
    reconciler::Reconciler,
};

/// Longest wait for one lock; what is kept is used by nobody, so there is hardly one.
const LOCK_TIMEOUT_MS: u32 = 200;

/// Looks again and again until told to stop.
#[must_use]
pub fn start(world: Arc<World>, every: Duration) -> Reconciler {
    Reconciler::every("undo_expire", every, move || {
        let world = Arc::clone(&world);
        async move { once(&world).await.map(drop) }
    })
}

/// Looks once. Returns the merges that are closed now; the others are taken up by a later round.
///
/// # Errors
/// The control database cannot be read, or a parent does not answer.
pub async fn once(world: &World) -> Outcome<Vec<OperationId>> {
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    let expired = store::merges::expired(&mut conn, world.clock.now()).await.map_err(store_failed)?;
    drop(conn);
    let mut closed = Vec::new();
    for kept in expired {
        let id = kept.operation_id;
        match remove(world, &kept).await {
            Ok(true) => closed.push(id),
            Ok(false) => {}
            // One parent that does not answer must not keep the others waiting.
            Err(error) => tracing::warn!(
                operation.id = %id,
                project.id = %kept.parent_id,
                error = telemetry::chain(&error),
                "what a merge keeps for its undo could not be removed; the next round tries again"
            ),
        }
    }
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    store::merges::forget_documents(&mut conn).await.map_err(store_failed)?;
    Ok(closed)
}

/// Removes what one merge keeps; false while that has to wait.
async fn remove(world: &World, kept: &Kept) -> Outcome<bool> {
    let parent = project_row(world, kept.parent_id).await?;
    if parent.deleted_at.is_none() {
        if parent.intent != Intent::Active || busy(world, kept).await? {
            return Ok(false);
        }
        let statements = merge::cleanup(kept)?;
        if !statements.is_empty() {
            merge::wake(world, kept.parent_id).await?;
            let platform = data_plane::platform(world, kept.parent_id).await?;
            let request = ForgetKept { statements, lock_timeout_ms: LOCK_TIMEOUT_MS };
            if let Err(refused) = schema::forget(world, &platform, &request).await? {
                tracing::warn!(operation.id = %kept.operation_id, refused = ?refused, "what a merge keeps is still in use");
                return Ok(false);
            }
        }
    }
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    store::merges::close(&mut conn, kept.operation_id).await.map_err(store_failed)?;
    Ok(true)
}

/// Whether an undo that began in time may still be at work.
async fn busy(world: &World, kept: &Kept) -> Outcome<bool> {
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    for id in [kept.branch_id, kept.parent_id] {
        if store::operations::running_for_project(&mut conn, id).await.map_err(store_failed)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
