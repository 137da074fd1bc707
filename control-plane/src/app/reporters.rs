//! What reports upward: gateway and worker by the internal token, data planes by their own, each only for itself.

use ids::ProjectId;
use model::Error;
use secrecy::{ExposeSecret as _, SecretString};
use store::heartbeats::{self, Heartbeat};
use subtle::ConstantTimeEq as _;

use super::Failure;
use crate::state::State;

/// Who reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reporter {
    /// A part of this cloud: may report for any project.
    Cloud,
    /// A data plane: may report for its own project.
    DataPlane(ProjectId),
}

fn refused() -> Error {
    Error::unauthenticated("auth.unauthenticated", "Authentication required")
}

fn same(left: &SecretString, right: &str) -> bool {
    left.expose_secret().as_bytes().ct_eq(right.as_bytes()).into()
}

/// Recognises a reporter; `claimed` is the project whose data plane it says it is.
pub(crate) async fn recognise(
    state: &State,
    bearer: Option<&str>,
    claimed: Option<ProjectId>,
) -> Result<Reporter, Failure> {
    let bearer = bearer.ok_or_else(refused)?;
    if same(&state.config.internal_token, bearer) {
        return Ok(Reporter::Cloud);
    }
    let project_id = claimed.ok_or_else(refused)?;
    let sealed =
        store::project_secrets::find(&mut *state.connection().await?, project_id).await?.ok_or_else(refused)?;
    let token = sealed.open_platform_token(&state.master_key, project_id).map_err(Error::internal)?;
    if same(&token, bearer) { Ok(Reporter::DataPlane(project_id)) } else { Err(refused().into()) }
}

/// Keeps what a data plane says of itself.
pub(crate) async fn heartbeat(state: &State, project_id: ProjectId, heartbeat: Heartbeat) -> Result<(), Failure> {
    let mut conn = state.connection().await?;
    heartbeats::put(&mut conn, project_id, &heartbeat).await.map_err(|error| match store::violated_constraint(&error) {
        Some("heartbeats_project_id_fkey") => Failure(Error::not_found("project.not_found", "Project")),
        _ => error.into(),
    })
}
