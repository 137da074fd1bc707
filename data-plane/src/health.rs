//! `GET /api/health`: the process answers. It says nothing about Postgres, so that it stays cheap.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use serde_json::{Value, json};

use crate::state::App;

/// Routes of this area.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/health", get(health))
}

async fn health(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({
        "status": "ok",
        "version": app.version(),
        "service": "Insforge OSS Backend",
        "timestamp": clock::iso_millis(app.clock.now()),
    }))
}
