//! How this project's Postgres is reached from outside: the platform knows, and notes who asks for the password.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{StatusCode, header};
use serde_json::Value;

use crate::{
    authentication::{RequireAdmin, sign_for_platform},
    http::{Error, Result},
    state::App,
};

const TIMEOUT: Duration = Duration::from_secs(10);
const FEATURE: &str = "Cloud database access";

/// `GET /api/metadata/database-connection-string`
pub(super) async fn get_connection_string(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Response> {
    ask(&app, "database-connection-string").await
}

/// `GET /api/metadata/database-password`
pub(super) async fn get_password(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Response> {
    ask(&app, "database-password").await
}

/// What the platform answers, status and text included.
async fn ask(app: &App, what: &str) -> Result<Response> {
    let (project, sign) = sign_for_platform(app, FEATURE)?;
    let url = format!("{}/projects/v1/{project}/{what}", app.config.cloud_api_host.trim_end_matches('/'));
    let answer = app.http.get(url).header("sign", sign).timeout(TIMEOUT).send().await.map_err(|error| {
        tracing::warn!(
            cause = telemetry::chain(&error.without_url()),
            "the platform does not say how the database is reached"
        );
        unreachable()
    })?;
    let status = answer.status();
    let body: Value = answer.json().await.map_err(|_| unreachable())?;
    if status == StatusCode::OK {
        return Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response());
    }
    let text = ["message", "error"].iter().find_map(|name| body[*name].as_str());
    let text: String = text.unwrap_or("The platform refused").chars().take(300).collect();
    Err(Error::new(status, "UPSTREAM_FAILURE", text))
}

fn unreachable() -> Error {
    Error::new(StatusCode::BAD_GATEWAY, "UPSTREAM_FAILURE", "The platform does not answer")
}
