//! Removes a branch's route, backend and data, and records it as gone once that is proven. Only goes forward.

use model::projects::Intent;
use saga::{OperationKind, Saga, operations::ProjectInput};

use crate::{
    World,
    activities::{data_plane, database, project, route},
};

/// The saga.
#[derive(Debug)]
pub struct BranchDelete;

type Step = saga::Step<World, ProjectInput, ()>;

impl Saga for BranchDelete {
    const KIND: OperationKind = OperationKind::BranchDelete;
    type Input = ProjectInput;
    type State = ();
    type World = World;

    fn steps() -> Vec<Step> {
        vec![
            // Point of no return: from here on only forward.
            Step::new("intent", |context, world, input, _| {
                Box::pin(project::set_intent(context, world, input.project_id, Intent::Deleted))
            })
            .point_of_no_return(),
            Step::new("route", |_, world, input, _| Box::pin(route::withdraw(world, input.project_id))),
            Step::new("data_plane", |_, world, input, _| Box::pin(data_plane::drop(world, input.project_id))),
            Step::new("database", |_, world, input, _| Box::pin(database::drop(world, input.project_id))),
            Step::new("row", |context, world, input, _| {
                Box::pin(project::mark_deleted(context, world, input.project_id))
            }),
        ]
    }
}
