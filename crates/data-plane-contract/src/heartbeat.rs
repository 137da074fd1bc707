//! What a data plane says of itself: `GET /_hearth/v1/status`, and upward at each heartbeat.

use chrono::{DateTime, Utc};
use ids::ProjectId;
use serde::{Deserialize, Serialize};

/// `GET /_hearth/v1/status`: answered only after one SQL statement has run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The project this process serves.
    pub project_id: ProjectId,
    /// Backend version, no leading `v`.
    pub version: String,
    /// When the process began to serve.
    pub started_at: DateTime<Utc>,
    /// The last request that was not platform-internal.
    pub last_request_at: Option<DateTime<Utc>>,
    /// Requests, streams and sockets open now, platform-internal ones excepted.
    pub open_requests: u64,
    /// Serial number of the newest internal migration.
    pub migration: i32,
}

/// `POST {control plane}/internal/v1/heartbeats`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Heartbeat {
    /// What `GET /_hearth/v1/status` would answer now.
    pub status: Status,
}
