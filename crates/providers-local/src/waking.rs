//! Waking a project for a request and putting an idle one to sleep. Everything needed is on disk; no control plane is asked.

use std::{net::SocketAddr, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::{BodyExt as _, Empty};
use hyper::{Method, Request, body::Bytes, header};
use hyper_util::rt::TokioIo;
use ids::ProjectId;
use providers::{Error, Result};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::{
    environment::{PLATFORM_TOKEN, value},
    failure::Doing as _,
    layout::ProjectFolder,
    node::Node,
    record::Record,
};

const PLATFORM_PATIENCE: Duration = Duration::from_secs(5);

/// What is needed of `GET /_hearth/v1/status`; `data-plane-contract` has the whole.
#[derive(Debug, Deserialize)]
struct Status {
    started_at: DateTime<Utc>,
    last_request_at: Option<DateTime<Utc>>,
    open_requests: u64,
}

impl Status {
    fn idle_for(&self, now: DateTime<Utc>, at_least: Duration) -> bool {
        let last = self.last_request_at.unwrap_or(self.started_at).max(self.started_at);
        let at_least = TimeDelta::from_std(at_least).unwrap_or(TimeDelta::MAX);
        self.open_requests == 0 && now - last >= at_least
    }
}

impl Node {
    /// The address of a project that answers, started if it slept. Callers at the same time share one start.
    pub(crate) async fn wake(&self, id: ProjectId) -> Result<SocketAddr> {
        let folder = self.layout.project(id);
        if let Some(address) = self.awake_address(id, &folder)? {
            return Ok(address);
        }
        let (_lock, folder, record) = self.lock_existing(id).await?;
        match record.data_plane {
            None => return Err(Error::Missing(format!("the data plane of project {id}"))),
            Some(plane) if plane.stopped => return Err(Error::Refused("the project is paused".to_owned())),
            Some(_) => {}
        }
        if matches!(record.reset, Some(crate::record::ResetStage::Swapping | crate::record::ResetStage::Cancelling)) {
            return Err(Error::transient(format!("waking project {id}"), "it is being reset"));
        }
        self.mark_awake(id)?;
        self.start_project(id, &folder, &record).await
    }

    /// The address, when both processes serve already.
    fn awake_address(&self, id: ProjectId, folder: &ProjectFolder) -> Result<Option<SocketAddr>> {
        if !(self.wanted(id) && self.postgres_runs(folder) && self.data_plane_runs(folder)) {
            return Ok(None);
        }
        Ok(self.describe_data_plane(id)?.map(|plane| plane.address))
    }

    /// Puts a project to sleep unless it was used within `idle_for`; true when it sleeps on return.
    pub(crate) async fn sleep(&self, id: ProjectId, idle_for: Duration) -> Result<bool> {
        let (_lock, folder, record) = self.lock_existing(id).await?;
        if let Some(plane) = record.data_plane.filter(|_| self.data_plane_runs(&folder)) {
            let variables = self.open_environment(id, &folder)?.unwrap_or_default();
            let token = value(&variables, PLATFORM_TOKEN).cloned().unwrap_or_else(|| SecretString::from(String::new()));
            let address = SocketAddr::from(([127, 0, 0, 1], plane.port));
            if !ask_status(address, &token).await?.idle_for(Utc::now(), idle_for) {
                return Ok(false);
            }
        }
        // Who uses too much sleeps whatever runs.
        if !idle_for.is_zero() && self.developers_work(id, &folder, &record).await? {
            return Ok(false);
        }
        self.mark_asleep(id)?;
        self.stop_processes(&folder).await?;
        Ok(true)
    }

    /// Projects whose data plane serves, and since when their processes are wanted.
    pub(crate) fn awake(&self) -> Vec<(ProjectId, DateTime<Utc>)> {
        let wanted = self.wanted_ids().unwrap_or_default().into_iter();
        let serving = wanted.filter(|id| self.data_plane_runs(&self.layout.project(*id)));
        serving.filter_map(|id| self.wanted_since(id).map(|since| (id, since))).collect()
    }

    /// Starts what is wanted of a project and does not run; true when something had to be started.
    pub(crate) async fn restart_fallen(&self, id: ProjectId) -> Result<bool> {
        let Some(_lock) = self.lock(id).await? else { return Ok(false) };
        let folder = self.layout.project(id);
        let Some(record) = Record::load(&folder)?.filter(|record| record.startable() && self.wanted(id)) else {
            return Ok(false);
        };
        let plane_wanted = record.data_plane.is_some_and(|plane| !plane.stopped);
        if self.postgres_runs(&folder) && (!plane_wanted || self.data_plane_runs(&folder)) {
            return Ok(false);
        }
        self.start_postgres(id, &folder, &record).await?;
        if plane_wanted {
            self.start_project(id, &folder, &record).await?;
        }
        Ok(true)
    }
}

async fn ask_status(address: SocketAddr, token: &SecretString) -> Result<Status> {
    let doing = || format!("asking the data plane at {address} for its status");
    let answer = tell(address, token, Method::GET, "/status").await?;
    serde_json::from_slice(&answer).map_err(|cause| Error::transient(doing(), cause))
}

/// Sends a platform request without a body to a data plane and returns what it answers with success.
pub(crate) async fn tell(address: SocketAddr, token: &SecretString, method: Method, path: &str) -> Result<Bytes> {
    let doing = || format!("sending {method} {path} to the data plane at {address}");
    match tokio::time::timeout(PLATFORM_PATIENCE, send(address, token, &method, path)).await {
        Ok(answer) => answer.map_err(|cause| Error::transient(doing(), cause)),
        Err(_elapsed) => Err(Error::transient(doing(), "it did not answer in time")),
    }
}

async fn send(
    address: SocketAddr,
    token: &SecretString,
    method: &Method,
    path: &str,
) -> std::result::Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // What goes wrong on the connection surfaces in the request.
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(format!("/_hearth/v1{path}"))
        .header(header::HOST, address.to_string())
        .header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret()))
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    connection.abort();
    if !status.is_success() {
        return Err(format!("it answered {status}").into());
    }
    Ok(body)
}

/// Wakes everything that is wanted, a few at a time.
pub(crate) async fn resume(node: &std::sync::Arc<Node>) -> Result<()> {
    use futures::stream::{self, StreamExt as _};
    const AT_ONCE: usize = 8;
    let ids = node.wanted_ids().doing(|| "listing awake projects")?;
    stream::iter(ids)
        .for_each_concurrent(AT_ONCE, |id| async move {
            if let Err(error) = node.restart_fallen(id).await {
                tracing::warn!(project.id = %id, error = crate::failure::chain(&error), "a project did not come back; it is tried again");
            }
        })
        .await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_idle_only_without_open_or_recent_requests() {
        let now = Utc::now();
        let status = |started: i64, last: Option<i64>, open_requests: u64| Status {
            started_at: now - TimeDelta::seconds(started),
            last_request_at: last.map(|seconds| now - TimeDelta::seconds(seconds)),
            open_requests,
        };
        let minute = Duration::from_mins(1);
        assert!(status(100, Some(61), 0).idle_for(now, minute));
        assert!(!status(100, Some(59), 0).idle_for(now, minute));
        assert!(!status(100, Some(61), 1).idle_for(now, minute));
        assert!(!status(59, None, 0).idle_for(now, minute));
        assert!(status(100, None, 0).idle_for(now, minute));
    }
}
