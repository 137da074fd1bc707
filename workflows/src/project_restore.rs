//! Starts a paused project again and proves that it serves. A failure leaves it paused.

use data_plane_contract::routes::RouteState;
use model::projects::Intent;
use saga::{OperationKind, Saga, operations::ProjectInput};

use crate::{
    World,
    activities::{data_plane, database, project, route},
    pace,
};

/// The saga.
#[derive(Debug)]
pub struct ProjectRestore;

type Step = saga::Step<World, ProjectInput, ()>;

impl Saga for ProjectRestore {
    const KIND: OperationKind = OperationKind::ProjectRestore;
    type Input = ProjectInput;
    type State = ();
    type World = World;

    fn steps() -> Vec<Step> {
        vec![
            Step::new("intent", |context, world, input, _| {
                Box::pin(project::set_intent(context, world, input.project_id, Intent::Active))
            })
            .undo(|context, world, input, _| {
                Box::pin(project::set_intent(context, world, input.project_id, Intent::Paused))
            }),
            Step::new("database", |_, world, input, _| Box::pin(database::start(world, input.project_id)))
                .undo(|_, world, input, _| Box::pin(database::stop(world, input.project_id))),
            Step::new("data_plane", |_, world, input, _| {
                Box::pin(async move { data_plane::ensure(world, input.project_id).await.map(drop) })
            })
            .undo(|_, world, input, _| Box::pin(data_plane::stop(world, input.project_id))),
            Step::new("route", |_, world, input, _| {
                Box::pin(route::publish(world, input.project_id, RouteState::Serving))
            })
            .undo(|_, world, input, _| Box::pin(route::publish(world, input.project_id, RouteState::Paused))),
            Step::new("prove", |_, world, input, _| Box::pin(data_plane::prove_serving(world, input.project_id)))
                .retry(pace::PROOF),
            // Point of no return: from here on only forward.
            Step::new("serving", |context, world, input, _| {
                Box::pin(project::mark_serving(context, world, input.project_id))
            })
            .point_of_no_return(),
        ]
    }
}
