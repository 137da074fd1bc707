//! Clones a project into a branch while the project stays writable, keeps the state it starts from, publishes its route and proves that it
//! serves. A failure leaves nothing behind.

use data_plane_contract::routes::RouteState;
use saga::{OperationKind, Saga, operations::BranchCreateInput};

use crate::{
    World,
    activities::{branch, data_plane, database, project, route},
    pace,
};

/// The saga.
#[derive(Debug)]
pub struct BranchCreate;

type Step = saga::Step<World, BranchCreateInput, ()>;

impl Saga for BranchCreate {
    const KIND: OperationKind = OperationKind::BranchCreate;
    type Input = BranchCreateInput;
    type State = ();
    type World = World;

    fn steps() -> Vec<Step> {
        vec![
            // The row was written with the operation; when everything else is taken back it goes too.
            Step::new("row", |_, _, _, _| Box::pin(async { Ok(()) }))
                .undo(|context, world, input, _| Box::pin(project::mark_deleted(context, world, input.branch_id))),
            Step::new("database", |_, world, input, _| {
                Box::pin(database::ensure_clone(world, input.branch_id, input.parent_id))
            })
            .undo(|_, world, input, _| Box::pin(database::drop(world, input.branch_id)))
            .timeout(pace::CLONE_TIMEOUT),
            Step::new("data_plane", |_, world, input, _| {
                Box::pin(async move { data_plane::ensure(world, input.branch_id).await.map(drop) })
            })
            .undo(|_, world, input, _| Box::pin(data_plane::drop(world, input.branch_id))),
            Step::new("identity", |_, world, input, _| {
                Box::pin(data_plane::assume_identity(world, input.branch_id, branch::clone_mode(input.mode)))
            }),
            Step::new("base", |context, world, input, _| {
                Box::pin(branch::record_origin(context, world, input.branch_id))
            }),
            Step::new("origin", |_, world, input, _| Box::pin(database::keep_origin(world, input.branch_id)))
                .timeout(pace::CLONE_TIMEOUT),
            Step::new("route", |_, world, input, _| {
                Box::pin(route::publish(world, input.branch_id, RouteState::Serving))
            })
            .undo(|_, world, input, _| Box::pin(route::withdraw(world, input.branch_id))),
            Step::new("prove", |_, world, input, _| Box::pin(data_plane::prove_serving(world, input.branch_id)))
                .retry(pace::PROOF),
            // Point of no return: from here on only forward.
            Step::new("activate", |context, world, input, _| {
                Box::pin(project::mark_serving(context, world, input.branch_id))
            })
            .point_of_no_return(),
        ]
    }
}
