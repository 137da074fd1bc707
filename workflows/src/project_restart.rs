//! Restarts a project's processes, with another backend version or instance type when asked, while its requests are held. A failure puts the
//! old configuration back and starts it again.

use data_plane_contract::routes::RouteState;
use saga::{OperationKind, Saga, StepError, operations::ProjectRestartInput};
use serde::{Deserialize, Serialize};

use crate::{
    World,
    activities::{
        Outcome, data_plane, database,
        project::{self, Configuration},
        route,
    },
    pace,
};

/// The saga.
#[derive(Debug)]
pub struct ProjectRestart;

/// What the steps learn.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    before: Option<Configuration>,
}

impl State {
    fn before(&self) -> Outcome<&Configuration> {
        self.before.as_ref().ok_or_else(|| StepError::again("the configuration before the restart is not recorded"))
    }

    /// The configuration that was asked for.
    fn after(&self, input: &ProjectRestartInput) -> Outcome<Configuration> {
        let mut configuration = self.before()?.clone();
        if let Some(version) = &input.service_version {
            configuration.service_version = version.trim_start_matches('v').to_owned();
        }
        if let Some(instance_type) = &input.instance_type {
            let unknown = |_| {
                StepError::permanent(
                    "project.instance_type_unknown",
                    format!("unknown instance type '{instance_type}'"),
                )
            };
            configuration.instance_type = instance_type.parse().map_err(unknown)?;
        }
        Ok(configuration)
    }
}

type Step = saga::Step<World, ProjectRestartInput, State>;

impl Saga for ProjectRestart {
    const KIND: OperationKind = OperationKind::ProjectRestart;
    type Input = ProjectRestartInput;
    type State = State;
    type World = World;

    fn steps() -> Vec<Step> {
        vec![
            Step::new("remember", |_, world, input, state| {
                Box::pin(async move {
                    state.before = Some(project::configuration(world, input.project_id).await?);
                    Ok(())
                })
            }),
            Step::new("route", |_, world, input, _| {
                Box::pin(route::publish(world, input.project_id, RouteState::Held))
            })
            .undo(|_, world, input, _| Box::pin(route::publish(world, input.project_id, RouteState::Serving))),
            Step::new("stop_data_plane", |_, world, input, _| Box::pin(data_plane::stop(world, input.project_id)))
                .undo(|_, world, input, _| {
                    Box::pin(async move { data_plane::ensure(world, input.project_id).await.map(drop) })
                }),
            Step::new("stop_database", |_, world, input, _| Box::pin(database::stop(world, input.project_id)))
                .undo(|_, world, input, _| Box::pin(database::start(world, input.project_id))),
            Step::new("configure", |context, world, input, state| {
                Box::pin(
                    async move { project::configure(context, world, input.project_id, &state.after(input)?).await },
                )
            })
            .undo(|context, world, input, state| {
                Box::pin(async move { project::configure(context, world, input.project_id, state.before()?).await })
            }),
            Step::new("database", |_, world, input, _| Box::pin(database::start(world, input.project_id)))
                .undo(|_, world, input, _| Box::pin(database::stop(world, input.project_id))),
            Step::new("data_plane", |_, world, input, _| {
                Box::pin(async move { data_plane::ensure(world, input.project_id).await.map(drop) })
            })
            .undo(|_, world, input, _| Box::pin(data_plane::stop(world, input.project_id))),
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
            Step::new("serving", |context, world, input, _| {
                Box::pin(project::mark_serving(context, world, input.project_id))
            })
            .point_of_no_return(),
        ]
    }
}
