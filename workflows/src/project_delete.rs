//! Removes a project's branches, then its route, backend and data, and records it as gone once that is proven. Only goes forward.

use model::projects::Intent;
use saga::{OperationKind, Saga, operations::ProjectInput};

use crate::{
    World,
    activities::{branches, data_plane, database, project, route},
    pace,
};

/// The saga.
#[derive(Debug)]
pub struct ProjectDelete;

type Step = saga::Step<World, ProjectInput, ()>;

impl Saga for ProjectDelete {
    const KIND: OperationKind = OperationKind::ProjectDelete;
    type Input = ProjectInput;
    type State = ();
    type World = World;

    fn steps() -> Vec<Step> {
        vec![
            // Point of no return: from here on only forward. No branch can be added once the intent is recorded.
            Step::new("intent", |context, world, input, _| {
                Box::pin(project::set_intent(context, world, input.project_id, Intent::Deleted))
            })
            .point_of_no_return(),
            Step::new("branches", |context, world, input, _| {
                Box::pin(branches::delete_all(context, world, input.project_id))
            })
            .retry(pace::OTHER_OPERATIONS),
            Step::new("route", |_, world, input, _| Box::pin(route::withdraw(world, input.project_id))),
            Step::new("data_plane", |_, world, input, _| Box::pin(data_plane::drop(world, input.project_id))),
            Step::new("database", |_, world, input, _| Box::pin(database::drop(world, input.project_id))),
            Step::new("row", |context, world, input, _| {
                Box::pin(project::mark_deleted(context, world, input.project_id))
            }),
        ]
    }
}
