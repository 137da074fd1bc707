//! Schema snapshots and plans for merges: what the platform asks of a project's data plane.

mod apply;
mod concurrent;
mod confinement;
mod meter;
mod observer;
mod probes;
mod rehearsal;
mod runner;
mod snapshot;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use data_plane_contract::schema::{
    ApplyPlan, ApplyRefused, ForgetKept, KeptForgotten, RehearsePlan, Rehearsed, SchemaSnapshot,
};
use http::StatusCode;
use serde_json::value::to_raw_value;

use crate::{
    authentication::RequirePlatform,
    database::Database,
    http::{Error, Result},
    state::App,
};

/// Routes under the platform prefix.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/schema", get(read_schema))
        .route("/schema/apply", post(apply_plan))
        .route("/schema/rehearse", post(rehearse_plan))
        .route("/schema/forget", post(forget_kept))
        .layer(DefaultBodyLimit::disable())
}

/// `GET /_hearth/v1/schema`
async fn read_schema(State(app): State<Arc<App>>, _platform: RequirePlatform) -> Result<Json<SchemaSnapshot>> {
    let snapshot = snapshot::read(&app).await?;
    let large_tables = snapshot::large_tables(&app).await?;
    let catalog_hash = snapshot.catalog.hash();
    let snapshot = to_raw_value(&snapshot).map_err(|error| Error::internal("write a schema snapshot", &error))?;
    Ok(Json(SchemaSnapshot { snapshot, catalog_hash, large_tables }))
}

/// `POST /_hearth/v1/schema/apply`
async fn apply_plan(
    State(app): State<Arc<App>>,
    _platform: RequirePlatform,
    Json(plan): Json<ApplyPlan>,
) -> Result<Response> {
    match apply::run(&app, &plan).await {
        Ok(applied) => {
            Database::schema_changed(&app).await?;
            Ok(Json(applied).into_response())
        }
        Err(failure) => refusal(failure),
    }
}

/// `POST /_hearth/v1/schema/rehearse`
async fn rehearse_plan(
    State(app): State<Arc<App>>,
    _platform: RequirePlatform,
    Json(request): Json<RehearsePlan>,
) -> Result<Response> {
    match rehearsal::run(&app, &request).await {
        Ok(rehearsed) => Ok(Json::<Rehearsed>(rehearsed).into_response()),
        Err(failure) => refusal(failure),
    }
}

/// `POST /_hearth/v1/schema/forget`
async fn forget_kept(
    State(app): State<Arc<App>>,
    _platform: RequirePlatform,
    Json(request): Json<ForgetKept>,
) -> Result<Response> {
    match apply::forget(&app, &request).await {
        Ok(forgotten) => Ok(Json::<KeptForgotten>(forgotten).into_response()),
        Err(failure) => refusal(failure),
    }
}

fn refusal(failure: runner::Failure) -> Result<Response> {
    match failure {
        runner::Failure::Refused(refused) => {
            let status =
                if matches!(refused, ApplyRefused::Locked) { StatusCode::LOCKED } else { StatusCode::CONFLICT };
            Ok((status, Json(refused)).into_response())
        }
        runner::Failure::Answered(error) => Err(error),
    }
}
