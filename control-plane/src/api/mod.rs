//! The wire: one file per resource with its routes, its `In` and `Out` structs and its handlers. Knows HTTP and no rules.

mod api_keys;
mod auth;
mod billing;
mod branches;
mod csv;
mod database_access;
mod events;
mod internal;
pub(crate) mod merges;
pub(crate) mod openapi;
pub(crate) mod operations;
mod organizations;
mod partners;
mod partnership;
mod payments;
mod platform;
mod projects;
mod quotas;
mod shared_sign_ins;
mod usage;

use axum::{
    Json, Router,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use http::{HeaderName, HeaderValue, StatusCode};
use ids::OperationId;
use model::{Error, limits};
use serde::Serialize;

use crate::{app::Failure, state::State};

/// Names the operation that goes on after an answer.
pub(crate) const OPERATION_HEADER: HeaderName = HeaderName::from_static("hearth-operation");

/// The result of a handler.
type Answer<T> = Result<T, Failure>;

/// Routes for everybody.
pub(crate) fn public() -> Router<State> {
    Router::new()
        .merge(auth::public())
        .merge(shared_sign_ins::routes())
        .merge(database_access::routes())
        .merge(platform::routes())
        .merge(internal::routes())
        .merge(openapi::routes())
}

/// Routes for users.
pub(crate) fn authenticated() -> Router<State> {
    Router::new()
        .merge(auth::authenticated())
        .merge(api_keys::routes())
        .merge(organizations::routes())
        .merge(projects::routes())
        .merge(branches::routes())
        .merge(merges::routes())
        .merge(operations::routes())
        .merge(usage::routes())
        .merge(quotas::routes())
        .merge(billing::routes())
        .merge(payments::routes())
        .merge(partners::routes())
        .merge(events::routes(events::Below::Organization))
        .merge(events::routes(events::Below::Partner))
}

/// Routes for partners.
pub(crate) fn partners() -> Router<State> {
    partnership::routes().merge(events::routes(events::Below::Partnership))
}

/// How many things a page may have, and has unless something else is asked for.
pub(crate) fn page_limit(limit: Option<i64>) -> Result<i64, Error> {
    const MAX: i64 = limits::PAGE_MAX;
    match limit.unwrap_or(MAX) {
        limit if (1..=MAX).contains(&limit) => Ok(limit),
        _ => Err(Error::invalid("limit", format!("limit must be between 1 and {MAX}"))),
    }
}

pub(crate) fn operation_value(id: OperationId) -> HeaderValue {
    HeaderValue::from_str(&id.to_string()).expect("a UUID is a header value")
}

/// A JSON body that names the operation that goes on after it.
struct WithOperation<T> {
    status: StatusCode,
    body: T,
    operation_id: Option<OperationId>,
}

impl<T: Serialize> IntoResponse for WithOperation<T> {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(id) = self.operation_id {
            response.headers_mut().insert(OPERATION_HEADER, operation_value(id));
        }
        response
    }
}

/// A time as the wire writes it.
fn time(at: DateTime<Utc>) -> String {
    clock::iso_millis(at)
}
