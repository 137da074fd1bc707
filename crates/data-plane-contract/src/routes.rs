//! The gateway's admin interface: routes are pushed to it, one per project, and it keeps them on disk.
//!
//! `PUT /routes/{project_id}` with a [`Route`] · `DELETE /routes/{project_id}` · `GET /routes` → `[Route]`. Bearer token; all idempotent.

use std::net::SocketAddr;

use ids::ProjectId;
use serde::{Deserialize, Serialize};

/// What the gateway does with requests for a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteState {
    /// Forward; wake the project first when it sleeps.
    Serving,
    /// Answer 503 `PROJECT_PAUSED` without waking anything.
    Paused,
    /// Hold requests until the route is serving again (a restart or a swap is under way), at most 30 s.
    Held,
}

/// Where requests for a project's hosts go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The project or branch.
    pub project_id: ProjectId,
    /// Lower-case host names without port.
    pub hosts: Vec<String>,
    /// The data plane's own address.
    pub upstream: SocketAddr,
    /// What to do with requests.
    pub state: RouteState,
    /// Idle time after which the project is put to sleep; absent means never.
    pub sleep_after_seconds: Option<u64>,
}
