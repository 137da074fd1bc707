//! Secrets: encrypted key/value pairs for functions and other areas, and rotation of the two access keys.

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

use crate::{
    http::{Error, Result},
    state::App,
};

mod handlers;
mod rotation;

/// Routes of this area.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(handlers::list_secrets).post(handlers::create_secret))
        .route("/{key}", get(handlers::get_secret).put(handlers::update_secret).delete(handlers::delete_secret))
        .route("/api-key/rotate", post(rotation::rotate_api_key))
        .route("/anon-key/rotate", post(rotation::rotate_anon_key))
}

/// The value of an active, unexpired secret.
///
/// # Errors
/// Postgres cannot be asked, or the value was encrypted with another key.
pub(crate) async fn value(app: &App, key: &str) -> Result<Option<String>> {
    let client = app.pools.internal().await?;
    let row = client
        .query_opt(
            "update system.secrets set last_used_at = now()
             where key = $1 and is_active and (expires_at is null or expires_at > now())
             returning value_ciphertext",
            &[&key],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let plain = app.cipher.decrypt(row.get(0)).map_err(|error| Error::internal("decrypt a secret", &error))?;
    Ok(Some(plain))
}
