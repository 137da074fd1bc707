//! The way of usage records to the control plane.

use std::time::Duration;

use data_plane_contract::usage::{UsageAccepted, UsageBatch};
use secrecy::{ExposeSecret as _, SecretString};

use crate::state::App;

const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// Where records go, and who sends them.
pub(super) struct Shipping {
    client: reqwest::Client,
    url: String,
    token: SecretString,
}

impl Shipping {
    /// Absent when the environment names no control plane, project or token.
    pub(super) fn new(app: &App) -> Option<Self> {
        let base = app.config.control_plane_url.as_deref().filter(|url| !url.is_empty())?;
        Some(Self {
            client: app.http.clone(),
            url: format!("{}/internal/v1/usage-records", base.trim_end_matches('/')),
            token: app.config.platform_token.clone()?,
        })
    }

    /// Sends one batch.
    pub(super) async fn send(&self, batch: &UsageBatch) -> reqwest::Result<UsageAccepted> {
        let request = self.client.post(&self.url).bearer_auth(self.token.expose_secret()).timeout(REQUEST_LIMIT);
        request.json(batch).send().await?.error_for_status()?.json().await
    }
}
