//! Effects on the gateway's route table.

use std::time::Duration;

use data_plane_contract::routes::{Route, RouteState};
use ids::ProjectId;
use reqwest::StatusCode;
use saga::StepError;
use secrecy::ExposeSecret as _;

use super::{Outcome, data_plane, project_row};
use crate::World;

const TIMEOUT: Duration = Duration::from_secs(5);
const SILENT: &str = "the gateway does not answer";

/// Makes the gateway treat the project's requests as `state` says.
pub async fn publish(world: &World, project_id: ProjectId, state: RouteState) -> Outcome {
    let project = project_row(world, project_id).await?;
    let route = Route {
        project_id,
        hosts: vec![world.host(&project)],
        upstream: data_plane::address(world, project_id).await?,
        state,
        sleep_after_seconds: project.sleep_after_seconds.and_then(|seconds| u64::try_from(seconds).ok()),
    };
    let response = send(world, world.http.put(world.route_url(project_id)).json(&route)).await?;
    match response.status() {
        status if status.is_success() => Ok(()),
        StatusCode::CONFLICT => Err(StepError::permanent("route.host_taken", "another project already has this host")),
        status => Err(StepError::again("the gateway refused the project's route").because(format!("status {status}"))),
    }
}

/// Makes the gateway forget the project.
pub async fn withdraw(world: &World, project_id: ProjectId) -> Outcome {
    let response = send(world, world.http.delete(world.route_url(project_id))).await?;
    match response.status() {
        status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
        status => Err(StepError::again("the gateway kept the project's route").because(format!("status {status}"))),
    }
}

/// Every route the gateway has.
pub async fn list(world: &World) -> Outcome<Vec<Route>> {
    let response = send(world, world.http.get(format!("{}/routes", world.gateway.admin_url))).await?;
    data_plane::answer(response).await
}

async fn send(world: &World, request: reqwest::RequestBuilder) -> Outcome<reqwest::Response> {
    let request = request.bearer_auth(world.internal_token.expose_secret()).timeout(TIMEOUT);
    request.send().await.map_err(|error| StepError::transient(SILENT, error))
}
