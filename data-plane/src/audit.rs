//! Audit rows: every change an administrator makes writes one; a change whose row cannot be written fails.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde_json::Value;

use crate::{
    authentication::Caller,
    http::{ClientAddress, Error, Result},
    state::App,
};

/// Where audit rows of one request go and what address they name.
#[derive(Clone)]
pub struct Audit {
    app: Arc<App>,
    address: ClientAddress,
}

impl FromRequestParts<Arc<App>> for Audit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let address = ClientAddress::from_request_parts(parts, app).await?;
        Ok(Self { app: Arc::clone(app), address })
    }
}

impl Audit {
    /// Writes a row. `module` and `action` are upper-case words such as `SECRETS` and `CREATE_SECRET`; details name no secret.
    ///
    /// # Errors
    /// 500 `Failed to create audit log`.
    pub async fn record(&self, caller: &Caller, module: &str, action: &str, details: Value) -> Result<()> {
        let client = self.app.pools.internal().await?;
        client
            .execute(
                "insert into system.audit_logs (actor, action, module, details, ip_address)
                 values ($1, $2, $3, $4, $5)",
                &[&caller.actor(), &action, &module, &details, &self.address.0],
            )
            .await
            .map_err(|error| {
                tracing::error!(cause = telemetry::chain(&error), "an audit row was not written");
                Error::new(http::StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "Failed to create audit log")
            })?;
        Ok(())
    }
}
