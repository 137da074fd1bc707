//! What every request passes through: request id, one log line, panics caught, authentication, idempotency, an audit row; and the one error body.

mod audited;
pub(crate) mod authenticate;
mod database_reader;
pub(crate) mod extract;
mod idempotency;
mod partner;
pub(crate) mod problem;

use axum::{Router, extract::DefaultBodyLimit, middleware};
use model::{Error, limits};

use crate::{api, app::Failure, state::State};

/// The control plane's HTTP API. Serve it with connection information, so that sign-in attempts are limited per address.
pub fn router(state: State) -> Router {
    // The last layer is the outermost.
    let authenticated = api::authenticated()
        .route_layer(middleware::from_fn_with_state(state.clone(), audited::open_and_close))
        .route_layer(middleware::from_fn_with_state(state.clone(), idempotency::replay_or_run))
        .route_layer(middleware::from_fn_with_state(state.clone(), authenticate::require_user));
    let partners = api::partners()
        .route_layer(middleware::from_fn_with_state(state.clone(), audited::open_and_close))
        .route_layer(middleware::from_fn_with_state(state.clone(), idempotency::replay_or_run))
        .route_layer(middleware::from_fn_with_state(state.clone(), partner::require_partner));
    let all = api::public()
        .merge(authenticated)
        .merge(partners)
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(limits::REQUEST_BODY_MAX))
        .layer(middleware::from_fn(http_kit::catch_panics))
        .layer(middleware::from_fn(problem::write_problem))
        .layer(middleware::from_fn(http_kit::access_log))
        .layer(middleware::from_fn(http_kit::assign_request_id))
        .with_state(state);
    http_kit::tolerate_slashes(all)
}

async fn unknown_route() -> Failure {
    Error::not_found("route.not_found", "Route").into()
}

async fn wrong_method() -> http::StatusCode {
    http::StatusCode::METHOD_NOT_ALLOWED
}
