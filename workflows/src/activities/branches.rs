//! Removing the branches of a project that is being deleted, each by an operation of its own.

use ids::{OperationId, ProjectId};
use saga::{OperationKind, StepContext, StepError, operations::ProjectInput};
use store::operations::{NewOperation, violates_one_per_project};
use store::projects::Project;

use super::{Outcome, project::begin, store_failed};
use crate::World;

/// Makes sure that every branch of the project is being deleted; succeeds when none is left.
pub async fn delete_all(context: StepContext, world: &World, parent_id: ProjectId) -> Outcome {
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    let branches = store::projects::live_branches(&mut conn, parent_id).await.map_err(store_failed)?;
    drop(conn);
    if branches.is_empty() {
        return Ok(());
    }
    for branch in &branches {
        start_delete(context, world, branch).await?;
    }
    Err(StepError::again(format!("{} branches are being deleted first", branches.len())))
}

/// Records the delete of one branch unless something is still being done to it: then a later attempt does.
async fn start_delete(context: StepContext, world: &World, branch: &Project) -> Outcome {
    let mut transaction = begin(context, world).await?;
    let running = store::operations::running_for_project(&mut transaction, branch.id).await.map_err(store_failed)?;
    if running.is_some() {
        return Ok(());
    }
    // Read after that: a delete that has just ended has left the row marked.
    let row = store::projects::find_for_operation(&mut transaction, branch.id).await.map_err(store_failed)?;
    if row.is_none_or(|row| row.deleted_at.is_some()) {
        return Ok(());
    }
    let input = serde_json::to_value(ProjectInput { project_id: branch.id }).expect("ids are plain JSON");
    let operation = NewOperation {
        id: OperationId::generate(),
        kind: OperationKind::BranchDelete,
        organization_id: Some(branch.organization_id),
        project_id: Some(branch.id),
        input,
        started_by: None,
        request_id: None,
        deadline_at: None,
    };
    match store::operations::insert(&mut transaction, &operation).await {
        Ok(()) => transaction.commit().await.map_err(store_failed),
        Err(error) if violates_one_per_project(&error) => Ok(()),
        Err(error) => Err(store_failed(error)),
    }
}
