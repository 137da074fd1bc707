//! What sagas do to the outside world: each function is one idempotent effect, takes ids, and leaves the order to the sagas.

pub mod branch;
pub mod branches;
pub mod data_plane;
pub mod database;
pub mod merge;
pub mod project;
pub mod route;
pub mod schema;
pub mod usage;

use ids::ProjectId;
use saga::StepError;
use store::projects::Project;

use crate::World;

/// How an activity ends.
pub type Outcome<T = ()> = Result<T, StepError>;

/// What a failed provider call means for a step.
pub(crate) fn provider_failed(error: providers::Error) -> StepError {
    match error {
        providers::Error::Transient { .. } => {
            StepError::transient("a part of the project is not available right now", error)
        }
        providers::Error::Refused(text) => StepError::permanent("provider.refused", text),
        providers::Error::Full(text) => StepError::permanent("provider.full", text),
        providers::Error::Missing(_) => {
            StepError::permanent("provider.missing", "a part of the project does not exist").because(error)
        }
    }
}

/// What a failed query means for a step.
pub(crate) fn store_failed(error: sqlx::Error) -> StepError {
    StepError::transient("the control database is not available right now", error)
}

/// The project's row, deleted or not.
pub(crate) async fn project_row(world: &World, project_id: ProjectId) -> Outcome<Project> {
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    let project = store::projects::find_for_operation(&mut conn, project_id).await.map_err(store_failed)?;
    project.ok_or_else(|| StepError::permanent("project.not_found", "the project does not exist"))
}
