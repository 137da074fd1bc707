//! Puts a branch back to its state at creation: a copy of the kept state is laid beside the branch and swapped in while requests are held.
//! A failure leaves the branch as it was.

use data_plane_contract::routes::RouteState;
use saga::{OperationKind, Saga, operations::ProjectInput};

use crate::{
    World,
    activities::{Outcome, branch, data_plane, database, project, route},
    pace,
};

/// The saga.
#[derive(Debug)]
pub struct BranchReset;

async fn assume_identity(world: &World, input: &ProjectInput) -> Outcome {
    let mode = branch::mode(world, input.project_id).await?;
    data_plane::assume_identity(world, input.project_id, branch::clone_mode(mode)).await
}

type Step = saga::Step<World, ProjectInput, ()>;

impl Saga for BranchReset {
    const KIND: OperationKind = OperationKind::BranchReset;
    type Input = ProjectInput;
    type State = ();
    type World = World;

    fn steps() -> Vec<Step> {
        vec![
            Step::new("prepare", |_, world, input, _| Box::pin(database::prepare_reset(world, input.project_id)))
                .undo(|_, world, input, _| Box::pin(database::cancel_reset(world, input.project_id)))
                .timeout(pace::CLONE_TIMEOUT),
            Step::new("hold", |_, world, input, _| Box::pin(route::publish(world, input.project_id, RouteState::Held)))
                .undo(|_, world, input, _| Box::pin(route::publish(world, input.project_id, RouteState::Serving))),
            Step::new("stop_data_plane", |_, world, input, _| Box::pin(data_plane::stop(world, input.project_id)))
                .undo(|_, world, input, _| {
                    Box::pin(async move { data_plane::ensure(world, input.project_id).await.map(drop) })
                }),
            // Whatever the swap left, the old state is in place and up again before the old backend starts on it.
            Step::new("swap", |_, world, input, _| Box::pin(database::swap_reset(world, input.project_id))).undo(
                |_, world, input, _| {
                    Box::pin(async move {
                        database::cancel_reset(world, input.project_id).await?;
                        database::start(world, input.project_id).await
                    })
                },
            ),
            Step::new("database", |_, world, input, _| Box::pin(database::start(world, input.project_id)))
                .undo(|_, world, input, _| Box::pin(database::stop(world, input.project_id))),
            Step::new("data_plane", |_, world, input, _| {
                Box::pin(async move { data_plane::ensure(world, input.project_id).await.map(drop) })
            })
            .undo(|_, world, input, _| Box::pin(data_plane::stop(world, input.project_id))),
            Step::new("identity", |_, world, input, _| Box::pin(assume_identity(world, input))),
            Step::new("prove_running", |_, world, input, _| {
                Box::pin(data_plane::prove_running(world, input.project_id))
            })
            .retry(pace::PROOF),
            Step::new("serve", |_, world, input, _| {
                Box::pin(route::publish(world, input.project_id, RouteState::Serving))
            })
            .undo(|_, world, input, _| Box::pin(route::publish(world, input.project_id, RouteState::Held))),
            Step::new("prove", |_, world, input, _| Box::pin(data_plane::prove_serving(world, input.project_id)))
                .retry(pace::PROOF),
            // Point of no return: from here on only forward.
            Step::new("finish", |_, world, input, _| Box::pin(database::finish_reset(world, input.project_id)))
                .point_of_no_return(),
            Step::new("base", |context, world, input, _| {
                Box::pin(branch::mark_reset(context, world, input.project_id))
            }),
            Step::new("serving", |context, world, input, _| {
                Box::pin(project::mark_serving(context, world, input.project_id))
            }),
        ]
    }
}
