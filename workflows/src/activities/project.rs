//! What is recorded of a project. Every write is made in one transaction that holds the operation's lease, so a stale worker writes nothing.

use ids::ProjectId;
use model::{
    instances::InstanceType,
    projects::{Intent, Observed},
};
use saga::{StepContext, StepError};
use sqlx::{Postgres, Transaction};

use super::{Outcome, data_plane, store_failed};
use crate::World;

/// Begins a transaction that holds the operation's lease.
pub(super) async fn begin(context: StepContext, world: &World) -> Outcome<Transaction<'static, Postgres>> {
    let mut transaction = world.pool.begin().await.map_err(store_failed)?;
    let held = store::operation_leases::hold(&mut transaction, context.operation_id, context.fence)
        .await
        .map_err(store_failed)?;
    if held { Ok(transaction) } else { Err(StepError::again("another worker goes on with this operation")) }
}

/// Records that the project was proven to serve, and where.
pub async fn mark_serving(context: StepContext, world: &World, project_id: ProjectId) -> Outcome {
    let address = data_plane::address(world, project_id).await?.to_string();
    let mut transaction = begin(context, world).await?;
    store::projects::set_observed(&mut transaction, project_id, Observed::Serving, Some(&address))
        .await
        .map_err(store_failed)?;
    transaction.commit().await.map_err(store_failed)
}

/// Records that the project was proven to be stopped.
pub async fn mark_stopped(context: StepContext, world: &World, project_id: ProjectId) -> Outcome {
    let mut transaction = begin(context, world).await?;
    store::projects::set_observed(&mut transaction, project_id, Observed::Stopped, None).await.map_err(store_failed)?;
    transaction.commit().await.map_err(store_failed)
}

/// Records what the owner wants.
pub async fn set_intent(context: StepContext, world: &World, project_id: ProjectId, intent: Intent) -> Outcome {
    let mut transaction = begin(context, world).await?;
    store::projects::set_intent(&mut transaction, project_id, intent).await.map_err(store_failed)?;
    transaction.commit().await.map_err(store_failed)
}

/// Records that nothing of the project is left, and forgets its secrets. Its name stays in the history.
pub async fn mark_deleted(context: StepContext, world: &World, project_id: ProjectId) -> Outcome {
    let mut transaction = begin(context, world).await?;
    store::project_secrets::delete(&mut transaction, project_id).await.map_err(store_failed)?;
    let now = world.clock.now();
    store::usage_totals::end_gauges(&mut transaction, project_id, now).await.map_err(store_failed)?;
    store::projects::mark_deleted(&mut transaction, project_id, now).await.map_err(store_failed)?;
    transaction.commit().await.map_err(store_failed)
}

/// Refuses to go on with a project that its owner does not want to run: it must not be woken.
pub async fn require_active(world: &World, project_id: ProjectId) -> Outcome {
    match super::project_row(world, project_id).await?.intent {
        Intent::Active => Ok(()),
        Intent::Paused => Err(StepError::refused("project.paused", "The project is paused. Restore it first.")),
        Intent::Deleted => Err(StepError::refused("project.not_found", "The project does not exist.")),
    }
}

/// What a restart can change.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Configuration {
    /// Backend version, without a leading `v`.
    pub service_version: String,
    /// Instance type.
    pub instance_type: InstanceType,
}

/// The project's present configuration.
pub async fn configuration(world: &World, project_id: ProjectId) -> Outcome<Configuration> {
    let project = super::project_row(world, project_id).await?;
    Ok(Configuration { service_version: project.service_version, instance_type: project.instance_type })
}

/// Records another configuration; it takes effect when the project's processes are ensured.
pub async fn configure(
    context: StepContext,
    world: &World,
    project_id: ProjectId,
    configuration: &Configuration,
) -> Outcome {
    let mut transaction = begin(context, world).await?;
    store::projects::set_service_version(&mut transaction, project_id, &configuration.service_version)
        .await
        .map_err(store_failed)?;
    store::projects::set_instance_type(&mut transaction, project_id, configuration.instance_type)
        .await
        .map_err(store_failed)?;
    transaction.commit().await.map_err(store_failed)
}
