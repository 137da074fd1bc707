//! Stored objects: rows under row-level security, bytes on local disk. A branch has its own copy of both, made with the clone.

mod buckets;
mod configuration;
mod download;
mod files;
mod names;
mod objects;
mod session;
mod strategies;
mod upload;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, patch, post},
};

use crate::state::App;

/// Routes under `/api/storage`.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/config", get(configuration::get_config).put(configuration::update_config))
        .route("/buckets", get(buckets::list_buckets).post(buckets::create_bucket))
        .route("/buckets/{bucket}", patch(buckets::update_bucket).delete(buckets::delete_bucket))
        .route(
            "/buckets/{bucket}/objects",
            get(objects::list_objects).post(upload::upload_generated).delete(objects::delete_objects),
        )
        .route(
            "/buckets/{bucket}/objects/{*key}",
            get(download::download_object)
                .put(upload::upload_object)
                .post(strategies::after_key)
                .delete(objects::delete_object),
        )
        .route("/buckets/{bucket}/upload-strategy", post(strategies::upload_strategy))
        .route("/buckets/{bucket}/download-strategy/objects/{*key}", get(strategies::download_strategy))
}
