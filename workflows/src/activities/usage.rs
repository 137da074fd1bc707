//! Usage that a data plane measured and has not reported, saved before its folder is removed.

use std::io;

use data_plane_contract::usage::{UsageAccepted, UsageBatch};
use ids::ProjectId;
use metering::{Ledger, NotTaken};
use reqwest::StatusCode;
use saga::StepError;
use secrecy::ExposeSecret as _;

use super::{Outcome, data_plane, provider_failed};
use crate::World;

const BATCH: usize = 500;
const WAITS: &str = "usage of the project waits for the control plane";

/// Reports what a stopped data plane kept; does nothing for one that kept nothing. May run any number of times: the numbers of the records
/// are those that the data plane gave or would have given, and the control plane ignores what it has.
pub async fn report_rest(world: &World, project_id: ProjectId) -> Outcome {
    let unreadable = |error: io::Error| StepError::transient("the usage that the project kept cannot be read", error);
    let folder = tempfile::tempdir().map_err(unreadable)?;
    world.compute.copy_usage(project_id, folder.path()).await.map_err(provider_failed)?;
    if !folder.path().join(metering::SOURCE_FILE).exists() {
        return Ok(());
    }
    let now = world.clock.now();
    let (mut ledger, journal) =
        Ledger::open(folder.path(), &format!("data-plane:{project_id}"), now).map_err(unreadable)?;
    ledger.count_runs(project_id, None);
    ledger.flush(&journal, now, Vec::new()).map_err(unreadable)?;
    while let Some(batch) = ledger.spool().batch(BATCH).map_err(unreadable)? {
        let Some(accepted) = send(world, project_id, &batch).await? else { return Ok(()) };
        match ledger.spool().taken(&batch, &accepted) {
            Ok(()) => {}
            Err(NotTaken::Spool(error)) => return Err(unreadable(error)),
            Err(error) => {
                tracing::error!(project.id = %project_id, source = batch.source, error = %error, "the rest of a project's usage cannot be counted");
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Sends a batch as the data plane would, with no more rights than it has. None when the records can never be taken.
async fn send(world: &World, project_id: ProjectId, batch: &UsageBatch) -> Outcome<Option<UsageAccepted>> {
    let token = data_plane::secrets(world, project_id).await?.platform_token;
    let url = format!("{}/internal/v1/usage-records", world.control_plane_url.trim_end_matches('/'));
    let request = world.http.post(url).bearer_auth(token.expose_secret()).json(batch);
    let response = request.send().await.map_err(|error| StepError::transient(WAITS, error))?;
    match response.status() {
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY => {
            tracing::error!(project.id = %project_id, status = %response.status(), "usage that a removed project kept was refused and is not counted");
            Ok(None)
        }
        status if status.is_success() => {
            response.json().await.map(Some).map_err(|error| StepError::transient(WAITS, error))
        }
        status => Err(StepError::again(WAITS).because(format!("status {status}"))),
    }
}
