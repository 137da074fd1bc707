//! Reading a project's schema, and changing it by a plan.

use std::time::Duration;

use data_plane_contract::schema::{
    ApplyPlan, ApplyRefused, ForgetKept, KeptForgotten, PlanApplied, RehearsePlan, Rehearsed, SchemaSnapshot,
};
use ids::ProjectId;
use reqwest::StatusCode;
use saga::StepError;
use serde::de::DeserializeOwned;

use super::{
    Outcome,
    data_plane::{Platform, answer, platform},
};
use crate::World;

const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(60);
const APPLY_TIMEOUT: Duration = Duration::from_secs(600);

/// The project's schema, configuration rows, edge functions and migrations now.
pub async fn snapshot(world: &World, project_id: ProjectId) -> Outcome<SchemaSnapshot> {
    let platform = platform(world, project_id).await?;
    let request = world.http.get(platform.url("/schema")).timeout(SNAPSHOT_TIMEOUT);
    answer(platform.send(request).await?).await
}

/// Applies a plan; a refusal is an answer, not a failure. After a failure it is unknown whether the plan was applied; asking again tells.
pub async fn apply(world: &World, platform: &Platform, plan: &ApplyPlan) -> Outcome<Result<PlanApplied, ApplyRefused>> {
    let request = world.http.post(platform.url("/schema/apply")).json(plan).timeout(APPLY_TIMEOUT);
    refusable(platform.send(request).await?).await
}

/// Runs a plan on a throw-away clone and tells what that showed.
pub async fn rehearse(world: &World, platform: &Platform, plan: &RehearsePlan) -> Outcome<Rehearsed> {
    let request = world.http.post(platform.url("/schema/rehearse")).json(plan).timeout(APPLY_TIMEOUT);
    answer(platform.send(request).await?).await
}

/// Removes what a merge keeps for its undo.
pub async fn forget(
    world: &World,
    platform: &Platform,
    kept: &ForgetKept,
) -> Outcome<Result<KeptForgotten, ApplyRefused>> {
    let request = world.http.post(platform.url("/schema/forget")).json(kept).timeout(SNAPSHOT_TIMEOUT);
    refusable(platform.send(request).await?).await
}

async fn refusable<T: DeserializeOwned>(response: reqwest::Response) -> Outcome<Result<T, ApplyRefused>> {
    match response.status() {
        StatusCode::CONFLICT | StatusCode::LOCKED => {
            let refused = response
                .json()
                .await
                .map_err(|error| StepError::transient("the backend's refusal cannot be read", error))?;
            Ok(Err(refused))
        }
        _ => answer(response).await.map(Ok),
    }
}
