//! Creates a project's Postgres and backend, publishes its route and proves that it serves. A failure leaves nothing behind: no process,
//! no data, no route, and the row marked deleted.

use data_plane_contract::routes::RouteState;
use providers::DatabaseSource;
use saga::{OperationKind, Saga, operations::ProjectInput};

use crate::{
    World,
    activities::{data_plane, database, project, route},
    pace,
};

/// The saga.
#[derive(Debug)]
pub struct ProjectCreate;

type Step = saga::Step<World, ProjectInput, ()>;

impl Saga for ProjectCreate {
    const KIND: OperationKind = OperationKind::ProjectCreate;
    type Input = ProjectInput;
    type State = ();
    type World = World;

    fn steps() -> Vec<Step> {
        vec![
            // The row was written with the operation; when everything else is taken back it goes too.
            Step::new("row", |_, _, _, _| Box::pin(async { Ok(()) }))
                .undo(|context, world, input, _| Box::pin(project::mark_deleted(context, world, input.project_id))),
            Step::new("database", |_, world, input, _| {
                Box::pin(database::ensure(world, input.project_id, DatabaseSource::Template))
            })
            .undo(|_, world, input, _| Box::pin(database::drop(world, input.project_id))),
            Step::new("data_plane", |_, world, input, _| {
                Box::pin(async move { data_plane::ensure(world, input.project_id).await.map(drop) })
            })
            .undo(|_, world, input, _| Box::pin(data_plane::drop(world, input.project_id))),
            Step::new("route", |_, world, input, _| {
                Box::pin(route::publish(world, input.project_id, RouteState::Serving))
            })
            .undo(|_, world, input, _| Box::pin(route::withdraw(world, input.project_id))),
            Step::new("prove", |_, world, input, _| Box::pin(data_plane::prove_serving(world, input.project_id)))
                .retry(pace::PROOF),
            // Point of no return: from here on only forward.
            Step::new("activate", |context, world, input, _| {
                Box::pin(project::mark_serving(context, world, input.project_id))
            })
            .point_of_no_return(),
        ]
    }
}
