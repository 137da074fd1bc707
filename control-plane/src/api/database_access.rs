//! How a project's or branch's Postgres is reached from outside. Asked by users, and by data planes with a `sign` header for their administrators.

use axum::{
    Json, Router,
    extract::State as AxumState,
    response::{IntoResponse as _, Response},
    routing::get,
};
use data_plane_contract::postgres::{DATABASE, DEVELOPER_ROLE};
use http::header;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::{
    app::projects::database_access::{self, MASK, Reader, SSL_MODE},
    http::extract::ProjectPath,
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/projects/v1/{id}/database-connection-string", get(get_database_connection_string))
        .route("/projects/v1/{id}/database-password", get(get_database_password))
}

/// How a Postgres is reached.
#[derive(Serialize, ToSchema)]
pub(crate) struct DatabaseConnection {
    /// For Postgres clients; asterisks stand for the password.
    #[serde(rename = "connectionURL")]
    connection_url: String,
    parameters: ConnectionParameters,
}

/// The parts of a connection URL.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConnectionParameters {
    /// Names the project in the TLS handshake.
    host: String,
    port: u16,
    database: &'static str,
    user: &'static str,
    /// Asterisks.
    password: &'static str,
    sslmode: &'static str,
}

/// Shows how the Postgres of a project or a branch is reached, without the password.
#[utoipa::path(get, path = "/projects/v1/{id}/database-connection-string", tag = "projects",
    params(("id" = uuid::Uuid, Path), ("sign" = Option<String>, Header, description = "Of the project's data plane, in place of a bearer token")),
    responses((status = 200, body = DatabaseConnection), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn get_database_connection_string(
    AxumState(state): AxumState<State>,
    reader: Reader,
    ProjectPath(id): ProjectPath,
) -> Answer<Json<DatabaseConnection>> {
    let connection = database_access::connection(&state, &reader, id).await?;
    let parameters = ConnectionParameters {
        host: connection.host,
        port: connection.port,
        database: DATABASE,
        user: DEVELOPER_ROLE,
        password: MASK,
        sslmode: SSL_MODE,
    };
    Ok(Json(DatabaseConnection { connection_url: connection.url, parameters }))
}

/// A password.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DatabasePassword {
    database_password: String,
}

/// Shows the password of a project's or a branch's Postgres.
#[utoipa::path(get, path = "/projects/v1/{id}/database-password", tag = "projects",
    params(("id" = uuid::Uuid, Path), ("sign" = Option<String>, Header, description = "Of the project's data plane, in place of a bearer token")),
    responses((status = 200, body = DatabasePassword), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn get_database_password(
    AxumState(state): AxumState<State>,
    reader: Reader,
    ProjectPath(id): ProjectPath,
) -> Answer<Response> {
    let password = database_access::password(&state, &reader, id).await?;
    let body = DatabasePassword { database_password: password.expose_secret().to_owned() };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
