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

/// What is done with the requests of a project that uses more than it is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restraint {
    /// Answer 429 `QUOTA_THROTTLED` to more than so many a second.
    Throttle {
        /// How many are answered.
        requests_per_second: u32,
    },
    /// Answer 403 `QUOTA_READ_ONLY` to those that write, except deletes and those under `/api/auth`.
    ReadOnly,
    /// Answer 503 `QUOTA_ASLEEP`, put the project to sleep at once and wake it for nothing.
    Sleep,
}

/// A restraint, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restriction {
    /// What is done.
    pub restraint: Restraint,
    /// What clients are told.
    pub reason: String,
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
    /// What is done with requests for using too much; absent does nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restriction: Option<Restriction>,
}
