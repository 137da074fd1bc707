//! Effects on a project's data-plane process: its environment, its life, its identity, and the proof that it serves.

use std::{net::SocketAddr, time::Duration};

use data_plane_contract::{
    BRANCH_VARIABLE, CONTROL_PLANE_URL_VARIABLE, INSTANCE_TYPE_VARIABLE, PLATFORM_PREFIX, PLATFORM_TOKEN_VARIABLE,
    SHARED_CLIENTS_VARIABLE, SHARED_SIGN_INS_SIGNED_VARIABLE,
    heartbeat::Status,
    identity::{AssumeIdentity, CloneMode, IdentityAssumed},
};
use hmac::{Hmac, Mac as _};
use ids::ProjectId;
use model::secrets::ProjectSecrets;
use providers::{DataPlaneDescription, DataPlaneSpec};
use reqwest::header::HOST;
use saga::StepError;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use sha2::Sha256;
use store::projects::Project;

use super::{Outcome, project_row, provider_failed, store_failed, usage};
use crate::World;

const SILENT: &str = "the project's backend does not answer";
const PROOF_TIMEOUT: Duration = Duration::from_secs(5);

/// How to reach a data plane's platform-internal routes.
#[derive(Clone, Debug)]
pub struct Platform {
    /// Its own address.
    pub address: SocketAddr,
    /// Its platform token.
    pub token: SecretString,
}

/// Makes sure the project's process runs with its present configuration and accepts connections.
pub async fn ensure(world: &World, project_id: ProjectId) -> Outcome<DataPlaneDescription> {
    let project = project_row(world, project_id).await?;
    let secrets = secrets(world, project_id).await?;
    let parent = match project.parent_id {
        Some(parent_id) => Some(project_row(world, parent_id).await?),
        None => None,
    };
    let environment = environment(world, &project, parent.as_ref(), &secrets);
    let spec = DataPlaneSpec { project_id, environment, size: project.instance_type.size() };
    world.compute.ensure_data_plane(&spec).await.map_err(provider_failed)
}

/// Makes sure a process runs on a throw-away clone of `parent_id`: the parent's keys, a token of its own, and no word to the cloud.
pub async fn ensure_rehearsal(
    world: &World,
    clone_id: ProjectId,
    parent_id: ProjectId,
) -> Outcome<DataPlaneDescription> {
    let parent = project_row(world, parent_id).await?;
    let mut secrets = secrets(world, parent_id).await?;
    secrets.platform_token = rehearsal_token(&secrets.platform_token, clone_id);
    let mut environment = environment(world, &parent, None, &secrets);
    environment.retain(|(name, _)| name != CONTROL_PLANE_URL_VARIABLE && name != "PROJECT_ID");
    environment.push(("PROJECT_ID".to_owned(), SecretString::from(clone_id.to_string())));
    // Schedules of the parent must not fire a second time on its clone.
    environment.push((BRANCH_VARIABLE.to_owned(), SecretString::from("1")));
    let spec = DataPlaneSpec { project_id: clone_id, environment, size: parent.instance_type.size() };
    world.compute.ensure_data_plane(&spec).await.map_err(provider_failed)
}

/// Stops the process; nothing wakes it until it is ensured again.
pub async fn stop(world: &World, project_id: ProjectId) -> Outcome {
    world.compute.stop_data_plane(project_id).await.map_err(provider_failed)
}

/// Stops and forgets the process, and proves that nothing is left. What it had not reported of its usage is reported before.
pub async fn drop(world: &World, project_id: ProjectId) -> Outcome {
    stop(world, project_id).await?;
    usage::report_rest(world, project_id).await?;
    world.compute.drop_data_plane(project_id).await.map_err(provider_failed)?;
    match world.compute.describe_data_plane(project_id).await.map_err(provider_failed)? {
        None => Ok(()),
        Some(_) => Err(StepError::again("the project's backend is still there")),
    }
}

/// Makes a clone a project of its own.
pub async fn assume_identity(world: &World, project_id: ProjectId, mode: CloneMode) -> Outcome {
    let platform = platform(world, project_id).await?;
    let request = world.http.post(platform.url("/identity")).json(&AssumeIdentity { mode });
    let _assumed: IdentityAssumed = answer(platform.send(request).await?).await?;
    Ok(())
}

/// Proves that the project answers directly: its process is up and one SQL statement has run.
pub async fn prove_running(world: &World, project_id: ProjectId) -> Outcome {
    let platform = platform(world, project_id).await?;
    let request = world.http.get(platform.url("/status")).timeout(PROOF_TIMEOUT);
    let status: Status = answer(platform.send(request).await?).await?;
    if status.project_id != project_id {
        return Err(StepError::again("another project's backend answers at this project's address"));
    }
    Ok(())
}

/// Proves that the project serves: it answers through the gateway under its host, and one SQL statement has run.
pub async fn prove_serving(world: &World, project_id: ProjectId) -> Outcome {
    let project = project_row(world, project_id).await?;
    let url = format!("{}/api/health", world.gateway.http_url);
    let request = world.http.get(url).header(HOST, world.host(&project)).timeout(PROOF_TIMEOUT);
    let response = request
        .send()
        .await
        .map_err(|error| StepError::transient("the project does not answer through the gateway", error))?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(StepError::again("the project does not answer through the gateway")
            .because(format!("status {}", response.status())));
    }
    prove_running(world, project_id).await
}

/// Where the project's platform-internal routes are.
pub async fn platform(world: &World, project_id: ProjectId) -> Outcome<Platform> {
    let token = secrets(world, project_id).await?.platform_token;
    Ok(Platform { address: address(world, project_id).await?, token })
}

/// Where the platform-internal routes of a throw-away clone are.
pub async fn rehearsal_platform(world: &World, clone_id: ProjectId, parent_id: ProjectId) -> Outcome<Platform> {
    let token = rehearsal_token(&secrets(world, parent_id).await?.platform_token, clone_id);
    Ok(Platform { address: address(world, clone_id).await?, token })
}

/// The process's own address.
pub async fn address(world: &World, project_id: ProjectId) -> Outcome<SocketAddr> {
    let described = world.compute.describe_data_plane(project_id).await.map_err(provider_failed)?;
    described.map(|described| described.address).ok_or_else(|| StepError::again("the project has no backend"))
}

impl Platform {
    /// The URL of a platform-internal route.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{PLATFORM_PREFIX}{path}", self.address)
    }

    /// Sends a request with the platform token.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Outcome<reqwest::Response> {
        request
            .bearer_auth(self.token.expose_secret())
            .send()
            .await
            .map_err(|error| StepError::transient(SILENT, error))
    }
}

/// The body of a successful answer.
pub(super) async fn answer<T: DeserializeOwned>(response: reqwest::Response) -> Outcome<T> {
    let status = response.status();
    if !status.is_success() {
        let text = response.text().await.unwrap_or_default();
        let text: String = text.chars().take(500).collect();
        return Err(
            StepError::again("the project's backend refused a request").because(format!("status {status}: {text}"))
        );
    }
    response.json().await.map_err(|error| StepError::transient(SILENT, error))
}

/// The project's secrets.
pub(super) async fn secrets(world: &World, project_id: ProjectId) -> Outcome<ProjectSecrets> {
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    let sealed = store::project_secrets::find(&mut conn, project_id).await.map_err(store_failed)?;
    let sealed = sealed.ok_or_else(|| StepError::permanent("project.not_found", "the project has no secrets"))?;
    ProjectSecrets::open(&sealed, &world.master_key, project_id).map_err(|error| {
        StepError::permanent("project.secrets_unreadable", "the project's secrets cannot be read").because(error)
    })
}

/// A token for a throw-away clone, the same at every attempt, from which the parent's cannot be told.
fn rehearsal_token(parent_token: &SecretString, clone_id: ProjectId) -> SecretString {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(parent_token.expose_secret().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("rehearsal/{clone_id}").as_bytes());
    SecretString::from(hex::encode(mac.finalize().into_bytes()))
}

/// The environment of a project's process. The same inputs give the same environment, so that ensuring a running one changes nothing.
fn environment(
    world: &World,
    project: &Project,
    parent: Option<&Project>,
    secrets: &ProjectSecrets,
) -> Vec<(String, SecretString)> {
    let plain = |name: &str, value: String| (name.to_owned(), SecretString::from(value));
    let secret = |name: &str, value: &SecretString| (name.to_owned(), value.clone());
    let mut environment = vec![
        plain("PROJECT_ID", project.id.to_string()),
        plain("APP_KEY", project.app_key.to_string()),
        plain("CLOUD_API_HOST", world.control_plane_url.clone()),
        plain("API_BASE_URL", world.public_url(project)),
        plain("ROOT_ADMIN_USERNAME", "admin".to_owned()),
        secret("ROOT_ADMIN_PASSWORD", &secrets.admin_password),
        secret("JWT_SECRET", &secrets.jwt_secret),
        secret("ENCRYPTION_KEY", &secrets.encryption_key),
        secret("ACCESS_API_KEY", &secrets.api_key),
        secret("ACCESS_ANON_KEY", &secrets.anon_key),
        secret(PLATFORM_TOKEN_VARIABLE, &secrets.platform_token),
        plain(CONTROL_PLANE_URL_VARIABLE, world.control_plane_url.clone()),
        plain(INSTANCE_TYPE_VARIABLE, project.instance_type.as_str().to_owned()),
    ];
    if !world.shared_clients.is_empty() {
        environment.push(plain(SHARED_CLIENTS_VARIABLE, world.shared_clients.clone()));
        environment.push(plain(SHARED_SIGN_INS_SIGNED_VARIABLE, "1".to_owned()));
    }
    if let Some(parent) = parent {
        environment.push(plain("PARENT_APP_KEY", parent.app_key.to_string()));
        environment.push(plain(BRANCH_VARIABLE, "1".to_owned()));
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_token_is_stable_and_its_own() {
        let parent = SecretString::from("parent");
        let (one, other) = (ProjectId::generate(), ProjectId::generate());
        let token = |id| rehearsal_token(&parent, id).expose_secret().to_owned();
        assert_eq!(token(one), token(one));
        assert_ne!(token(one), token(other));
        assert_ne!(token(one), "parent");
    }
}
