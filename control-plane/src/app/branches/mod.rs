//! Branches: reading them, and what all their use-cases share.

pub(crate) mod create;
pub(crate) mod lifecycle;
pub(crate) mod merge;

use ids::ProjectId;
use model::{
    branches::{Action, BranchState, not_found, permit, state},
    projects::Status,
};
use sqlx::PgConnection;
use store::branches::Branch;

use super::{
    Ctx, Failure,
    projects::{self, ProjectView},
};
use crate::state::State;

/// A branch with what runs on it now.
#[derive(Clone, Debug)]
pub(crate) struct BranchView {
    pub(crate) view: ProjectView,
    pub(crate) branch: Branch,
}

impl BranchView {
    pub(crate) fn parent_id(&self) -> ProjectId {
        self.view.project.parent_id.unwrap_or(self.view.project.id)
    }

    pub(crate) fn state(&self) -> BranchState {
        let project = &self.view.project;
        let activity = self.view.running.map(|running| running.activity);
        state(project.intent, project.observed, activity, self.branch.merged)
    }

    pub(crate) fn status(&self) -> Status {
        self.view.status()
    }

    /// Whether the action may start now.
    fn permit(&self, action: Action) -> Result<(), Failure> {
        Ok(permit(action, self.state(), self.view.running.map(|running| running.activity))?)
    }
}

/// The branch, if the caller may see it and it is not deleted.
async fn find(conn: &mut PgConnection, ctx: &Ctx, id: ProjectId) -> Result<BranchView, Failure> {
    let project = store::projects::find_owned(conn, ctx.user()?.id, id).await?.ok_or_else(not_found)?;
    let branch = store::branches::find(conn, id).await?.ok_or_else(not_found)?;
    let view = BranchView { view: projects::view(conn, project).await?, branch };
    if view.state() == BranchState::Deleted { Err(not_found().into()) } else { Ok(view) }
}

/// As [`find`], and nobody else takes a decision about it or its parent before this transaction ends.
async fn find_locked(conn: &mut PgConnection, ctx: &Ctx, id: ProjectId) -> Result<BranchView, Failure> {
    let parent_id = find(conn, ctx, id).await?.parent_id();
    store::projects::lock(conn, parent_id).await?;
    store::projects::lock(conn, id).await?;
    find(conn, ctx, id).await
}

/// The branch as it is now.
pub(crate) async fn get(state: &State, ctx: &Ctx, id: ProjectId) -> Result<BranchView, Failure> {
    find(&mut *state.snapshot().await?, ctx, id).await
}

/// The branches of a project, oldest first, without deleted ones.
pub(crate) async fn list(state: &State, ctx: &Ctx, parent_id: ProjectId) -> Result<Vec<BranchView>, Failure> {
    let mut conn = state.snapshot().await?;
    projects::find(&mut conn, ctx, parent_id).await?;
    let live = store::projects::live_branches(&mut conn, parent_id).await?;
    let ids: Vec<ProjectId> = live.iter().map(|project| project.id).collect();
    let mut branches = store::branches::find_all(&mut conn, &ids).await?;
    let views = projects::views(&mut conn, live).await?;
    let views =
        views.into_iter().filter_map(|view| Some(BranchView { branch: branches.remove(&view.project.id)?, view }));
    Ok(views.filter(|view| view.state() != BranchState::Deleted).collect())
}
