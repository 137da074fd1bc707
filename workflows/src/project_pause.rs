//! Stops a project: requests are answered "paused", the processes are down after a checkpoint, the data stays. A failure starts it again.

use data_plane_contract::routes::RouteState;
use model::projects::Intent;
use saga::{OperationKind, Saga, operations::ProjectInput};

use crate::{
    World,
    activities::{data_plane, database, project, route},
};

/// The saga.
#[derive(Debug)]
pub struct ProjectPause;

type Step = saga::Step<World, ProjectInput, ()>;

impl Saga for ProjectPause {
    const KIND: OperationKind = OperationKind::ProjectPause;
    type Input = ProjectInput;
    type State = ();
    type World = World;

    fn steps() -> Vec<Step> {
        vec![
            Step::new("intent", |context, world, input, _| {
                Box::pin(project::set_intent(context, world, input.project_id, Intent::Paused))
            })
            .undo(|context, world, input, _| {
                Box::pin(project::set_intent(context, world, input.project_id, Intent::Active))
            }),
            Step::new("route", |_, world, input, _| {
                Box::pin(route::publish(world, input.project_id, RouteState::Paused))
            })
            .undo(|_, world, input, _| Box::pin(route::publish(world, input.project_id, RouteState::Serving))),
            Step::new("data_plane", |_, world, input, _| Box::pin(data_plane::stop(world, input.project_id))).undo(
                |_, world, input, _| {
                    Box::pin(async move { data_plane::ensure(world, input.project_id).await.map(drop) })
                },
            ),
            Step::new("database", |_, world, input, _| Box::pin(database::stop(world, input.project_id)))
                .undo(|_, world, input, _| Box::pin(database::start(world, input.project_id))),
            // Point of no return: from here on only forward.
            Step::new("stopped", |context, world, input, _| {
                Box::pin(project::mark_stopped(context, world, input.project_id))
            })
            .point_of_no_return(),
        ]
    }
}
