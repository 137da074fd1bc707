//! Snapshots that later steps and undos need. They are too large for an operation's state, which is written after every step.

use ids::OperationId;
use saga::{StepContext, StepError};
use schema_merge::Snapshot;
use serde_json::value::RawValue;

use super::{read_text, write_text};
use crate::{
    World,
    activities::{Outcome, project::begin, store_failed},
};

/// What the target was when the plan was made.
pub(super) const BEFORE: &str = "before";
/// What the other side was when the plan was made.
pub(super) const SOURCE: &str = "source";
/// What the plan foretells of the target.
pub(super) const PREDICTED: &str = "predicted";
/// What the target was after the merge.
pub(super) const AFTER: &str = "after";

/// Writes documents down, or replaces them.
pub(super) async fn keep(context: StepContext, world: &World, documents: &[(&str, Box<RawValue>)]) -> Outcome {
    let mut transaction = begin(context, world).await?;
    for (name, body) in documents {
        store::merges::set_document(&mut transaction, context.operation_id, name, body).await.map_err(store_failed)?;
    }
    transaction.commit().await.map_err(store_failed)
}

/// Writes one snapshot down.
pub(super) async fn keep_snapshot(context: StepContext, world: &World, name: &str, snapshot: &Snapshot) -> Outcome {
    keep(context, world, &[(name, write_text("schema", snapshot)?)]).await
}

/// A snapshot that an operation wrote down.
pub(super) async fn snapshot(world: &World, operation_id: OperationId, name: &str) -> Outcome<Snapshot> {
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    let body = store::merges::document(&mut conn, operation_id, name).await.map_err(store_failed)?;
    let body = body.ok_or_else(|| {
        StepError::permanent(
            "branch.merge_failed",
            "What the merge needs to know of its beginning is not there any more.",
        )
    })?;
    read_text("merge", &body)
}
