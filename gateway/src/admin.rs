//! The admin interface on which routes are pushed: `data_plane_contract::routes`.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use data_plane_contract::routes::Route;
use http::{StatusCode, header::AUTHORIZATION};
use ids::ProjectId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use subtle::ConstantTimeEq as _;

use crate::{edge::Edge, routes::PutError};

/// All admin routes, behind the token.
pub(crate) fn router(edge: Arc<Edge>, token: SecretString) -> Router {
    Router::new()
        .route("/routes", get(list_routes))
        .route("/routes/{project_id}", put(put_route).delete(delete_route))
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "NOT_FOUND", "Endpoint not found") })
        .layer(middleware::from_fn_with_state(Arc::new(token), authenticate))
        .with_state(edge)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Refused {
    error: &'static str,
    message: String,
    status_code: u16,
}

async fn authenticate(State(token): State<Arc<SecretString>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if given.is_some_and(|given| bool::from(given.ct_eq(token.expose_secret().as_bytes()))) {
        next.run(request).await
    } else {
        refuse(StatusCode::UNAUTHORIZED, "AUTH_UNAUTHORIZED", "The admin token is missing or wrong")
    }
}

async fn list_routes(State(edge): State<Arc<Edge>>) -> Json<Vec<Route>> {
    let mut routes: Vec<Route> = edge.routes.projects().iter().map(|project| (*project.route()).clone()).collect();
    routes.sort_by_key(|route| route.project_id);
    Json(routes)
}

async fn put_route(State(edge): State<Arc<Edge>>, Path(project_id): Path<String>, body: Bytes) -> Response {
    let route: Route = match serde_json::from_slice(&body) {
        Ok(route) => route,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, "INVALID_INPUT", error.to_string()),
    };
    if project_id.parse() != Ok(route.project_id) {
        return refuse(StatusCode::BAD_REQUEST, "INVALID_INPUT", "The path names another project than the body");
    }
    match edge.routes.put(route).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error @ PutError::Invalid(_)) => refuse(StatusCode::BAD_REQUEST, "INVALID_INPUT", error.to_string()),
        Err(error @ PutError::HostTaken(_)) => refuse(StatusCode::CONFLICT, "ALREADY_EXISTS", error.to_string()),
        Err(error @ PutError::Disk(_)) => disk_failure(&error),
    }
}

async fn delete_route(State(edge): State<Arc<Edge>>, Path(project_id): Path<String>) -> Response {
    let Ok(project_id) = project_id.parse::<ProjectId>() else {
        return refuse(StatusCode::BAD_REQUEST, "INVALID_INPUT", "The path names no project");
    };
    match edge.routes.remove(project_id).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => disk_failure(&error),
    }
}

fn disk_failure(error: &(dyn std::error::Error + 'static)) -> Response {
    tracing::error!(error = %telemetry::chain(error), "the gateway cannot write its route folder");
    refuse(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "The route could not be kept")
}

fn refuse(status: StatusCode, error: &'static str, message: impl Into<String>) -> Response {
    (status, Json(Refused { error, message: message.into(), status_code: status.as_u16() })).into_response()
}
