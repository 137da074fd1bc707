//! Effects on the gateway's route table.

use std::time::Duration;

use data_plane_contract::routes::{Restraint, Restriction, Route, RouteState};
use ids::ProjectId;
use model::{limits, quotas::QuotaAction};
use reqwest::StatusCode;
use saga::StepError;
use secrecy::ExposeSecret as _;

use super::{Outcome, data_plane, project_row, store_failed};
use crate::World;

const TIMEOUT: Duration = Duration::from_secs(5);
const SILENT: &str = "the gateway does not answer";

/// Makes the gateway treat the project's requests as `state` says. For sagas, whose proof goes through the gateway: what is done about the
/// project's usage follows when the operation is over.
pub async fn publish(world: &World, project_id: ProjectId, state: RouteState) -> Outcome {
    put(world, project_id, state, None).await?;
    if restriction(world, project_id).await?.is_some() {
        let mut conn = world.pool.acquire().await.map_err(store_failed)?;
        store::quotas::put_off_push(&mut conn, project_id, world.clock.now()).await.map_err(store_failed)?;
    }
    Ok(())
}

/// Makes the gateway treat the project's requests as `state` and its usage say. For reconcilers, while no operation is under way.
pub async fn publish_restricted(world: &World, project_id: ProjectId, state: RouteState) -> Outcome {
    let restriction = restriction(world, project_id).await?;
    put(world, project_id, state, restriction).await
}

async fn put(world: &World, project_id: ProjectId, state: RouteState, restriction: Option<Restriction>) -> Outcome {
    let project = project_row(world, project_id).await?;
    let route = Route {
        project_id,
        hosts: vec![world.host(&project)],
        upstream: data_plane::address(world, project_id).await?,
        state,
        sleep_after_seconds: project.sleep_after_seconds.and_then(|seconds| u64::try_from(seconds).ok()),
        restriction,
    };
    let response = send(world, world.http.put(world.route_url(project_id)).json(&route)).await?;
    match response.status() {
        status if status.is_success() => Ok(()),
        StatusCode::CONFLICT => Err(StepError::permanent("route.host_taken", "another project already has this host")),
        status => Err(StepError::again("the gateway refused the project's route").because(format!("status {status}"))),
    }
}

/// What the gateway does about the project's usage.
async fn restriction(world: &World, project_id: ProjectId) -> Outcome<Option<Restriction>> {
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    let found = store::quotas::restrictions(&mut conn, &[project_id]).await.map_err(store_failed)?;
    Ok(found.into_iter().next().and_then(|(_, restriction)| {
        Some(Restriction { restraint: restraint(restriction.action)?, reason: restriction.reason() })
    }))
}

/// What the gateway does for an action.
#[must_use]
pub fn restraint(action: QuotaAction) -> Option<Restraint> {
    match action {
        QuotaAction::None => None,
        QuotaAction::Throttle => {
            Some(Restraint::Throttle { requests_per_second: limits::THROTTLED_REQUESTS_PER_SECOND })
        }
        QuotaAction::ReadOnly => Some(Restraint::ReadOnly),
        QuotaAction::Sleep => Some(Restraint::Sleep),
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
