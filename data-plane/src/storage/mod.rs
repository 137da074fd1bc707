//! Buckets and objects: rows in Postgres decide what exists and who may see it, bytes are on the local disk.
//!
//! Administrators work on the rows directly; everybody else under their own role, so that row security applies. Bytes belong to the
//! project's folder and are cloned with its database, so a branch needs no way back to its parent's objects.

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, patch, post},
};

use crate::{
    authentication::{Caller, Role},
    http::Result,
    state::App,
    transaction::{self, Context, Transaction},
};

mod blobs;
mod buckets;
mod configuration;
mod content;
mod download;
mod listing;
mod names;
mod objects;
mod range;
mod removal;
mod strategies;
mod upload;

pub use blobs::Blobs;

/// Routes of this area.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/config", get(configuration::get_config).put(configuration::update_config))
        .route("/buckets", get(buckets::list_buckets).post(buckets::create_bucket))
        .route("/buckets/{bucket}", patch(buckets::update_bucket).delete(buckets::delete_bucket))
        .route(
            "/buckets/{bucket}/objects",
            get(listing::list_objects).post(upload::create_object).delete(removal::delete_objects),
        )
        .route(
            "/buckets/{bucket}/objects/{*key}",
            get(download::get_object)
                .put(upload::put_object)
                .delete(removal::delete_object)
                .post(strategies::post_to_object),
        )
        .route("/buckets/{bucket}/upload-strategy", post(strategies::get_upload_strategy))
        .route("/buckets/{bucket}/download-strategy/objects/{*key}", get(strategies::get_download_strategy))
}

/// A transaction on the rows: with all rights for administrators, under the caller's role for others.
async fn rows(app: &App, caller: &Caller) -> Result<Transaction> {
    match caller.role {
        Role::ProjectAdmin => transaction::begin_internal(&app.pools).await,
        Role::Anon | Role::Authenticated => transaction::begin(&app.pools, &Context::user(caller)).await,
    }
}
