//! Platform-internal routes: what the cloud asks of this process. The gateway never forwards them.

mod identity;
mod status;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use http::StatusCode;

use crate::{authentication::RequirePlatform, state::App};

/// Routes under the platform prefix.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/status", get(status::get_status))
        .route("/identity", post(identity::assume_identity))
        .route(data_plane_contract::postgres::DEVELOPER_CAME, post(note_developer))
}

/// `POST /_hearth/v1/developers`
async fn note_developer(State(app): State<Arc<App>>, _platform: RequirePlatform) -> StatusCode {
    app.activity.developer_came();
    StatusCode::NO_CONTENT
}
