//! Sending through the cloud's mail provider.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Template, Variables};
use crate::{
    authentication::sign_for_cloud,
    http::{Error, Result},
    state::App,
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends one of the cloud's own templates.
pub(super) async fn send_template(app: &App, template: Template, to: &str, variables: &Variables) -> Result<()> {
    let mut values = Map::new();
    if let Some(token) = &variables.token {
        values.insert("token".to_owned(), json!(token));
    }
    if let Some(link) = &variables.link {
        values.insert("link".to_owned(), json!(link));
    }
    let body = json!({"email": to, "name": variables.name, "template": template.as_str(), "variables": values});
    send(app, "send-with-template", &body).await
}

/// Sends a mail as it is given.
pub(super) async fn send_raw(app: &App, body: &Value) -> Result<()> {
    send(app, "send-on-demand", body).await
}

async fn send(app: &App, action: &str, body: &Value) -> Result<()> {
    let (project, sign) = sign_for_cloud(app, "Cloud email")?;
    let url = format!("{}/email/v1/{project}/{action}", app.config.cloud_api_host.trim_end_matches('/'));
    let answer = app.http.post(url).header("sign", sign).timeout(TIMEOUT).json(body).send().await;
    let answer = answer.map_err(|error| {
        tracing::warn!(cause = telemetry::chain(&error.without_url()), "the cloud's mail provider does not answer");
        upstream("The cloud email provider does not answer")
    })?;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    if status.is_success() && body["success"] == true {
        return Ok(());
    }
    let text = |fallback: &str| body["message"].as_str().unwrap_or(fallback).chars().take(300).collect::<String>();
    Err(match status.as_u16() {
        400 => Error::invalid_input(text("The cloud email provider refused the email")),
        401 => Error::unauthorized("AUTH_INVALID_CREDENTIALS", "The cloud email provider refused this project"),
        403 => Error::forbidden("FORBIDDEN", text("Sending this email is not allowed")),
        429 => Error::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", text("The email limit is reached")),
        _ => upstream("The cloud email provider failed"),
    })
}

fn upstream(message: &str) -> Error {
    Error::new(StatusCode::BAD_GATEWAY, "UPSTREAM_FAILURE", message)
}
