//! Deleting and resetting a branch.

use ids::ProjectId;
use model::{branches::Action, projects::Intent};
use saga::{OperationKind, operations::ProjectInput};
use serde_json::json;

use super::{BranchView, find, find_locked};
use crate::{
    app::{Ctx, Failure, Started, operations},
    state::State,
};

fn work(branch: &BranchView, kind: OperationKind, action: &'static str) -> operations::Work {
    let project = &branch.view.project;
    operations::Work {
        kind,
        action,
        organization_id: project.organization_id,
        project_id: project.id,
        input: operations::input(&ProjectInput { project_id: project.id }),
        detail: json!({ "name": project.name, "parent_id": branch.parent_id() }),
    }
}

/// Deletes a branch. It is gone for clients at once.
pub(crate) async fn delete(state: &State, ctx: &Ctx, id: ProjectId) -> Result<Started<()>, Failure> {
    let mut tx = state.begin().await?;
    let branch = find_locked(&mut tx, ctx, id).await?;
    branch.permit(Action::Delete)?;
    store::projects::set_intent(&mut tx, id, Intent::Deleted).await?;
    let recorded =
        operations::record(&mut tx, state, ctx, work(&branch, OperationKind::BranchDelete, "branch.delete")).await?;
    tx.commit().await?;
    Ok(Started { value: (), operation_id: Some(operations::start(state, recorded).await) })
}

/// Puts a branch back to its state at creation. The answer already says `resetting`.
pub(crate) async fn reset(state: &State, ctx: &Ctx, id: ProjectId) -> Result<Started<BranchView>, Failure> {
    let mut tx = state.begin().await?;
    let branch = find_locked(&mut tx, ctx, id).await?;
    branch.permit(Action::Reset)?;
    let recorded =
        operations::record(&mut tx, state, ctx, work(&branch, OperationKind::BranchReset, "branch.reset")).await?;
    let value = find(&mut tx, ctx, id).await?;
    tx.commit().await?;
    Ok(Started { value, operation_id: Some(operations::start(state, recorded).await) })
}
