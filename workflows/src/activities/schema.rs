//! Reading a project's schema, and changing it by a plan.

use std::time::Duration;

use data_plane_contract::schema::{ApplyPlan, ApplyRefused, PlanApplied, SchemaSnapshot};
use ids::ProjectId;
use reqwest::StatusCode;
use saga::StepError;

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
    let response = platform.send(request).await?;
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
