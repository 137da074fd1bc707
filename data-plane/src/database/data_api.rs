//! Handlers of the data API: from HTTP to `records` and back.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts as _, Path, Request, State},
    response::{IntoResponse, Response},
};
use http::Method;
use serde_json::json;

use super::records::{self, DataApi, Rejection};
use crate::{
    authentication::{Caller, RequireUser},
    events::Resource,
    http::{Error, Result, read},
    state::App,
};

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        let error = Self::bad_request(rejection.code, rejection.message);
        match rejection.next_actions {
            Some(text) => error.with_next_actions(text),
            None => error,
        }
    }
}

/// What a request is about.
#[derive(Clone, Debug)]
enum Subject {
    Table(String),
    Function(String),
}

/// A request for records whose path needs no decoding, recognised without the router.
pub(crate) struct DataApiRequest {
    subject: Subject,
    request: Request,
}

impl DataApiRequest {
    /// # Errors
    /// The request itself when it is another one.
    pub(crate) fn recognise(request: Request) -> std::result::Result<Self, Request> {
        let path = request.uri().path().strip_prefix("/api/database/").unwrap_or_default();
        let plain =
            |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let table = path.strip_prefix("records/").filter(plain).map(|name| Subject::Table(name.to_owned()));
        let function = || path.strip_prefix("rpc/").filter(plain).map(|name| Subject::Function(name.to_owned()));
        match table.or_else(function) {
            Some(subject) => Ok(Self { subject, request }),
            None => Err(request),
        }
    }

    pub(crate) async fn answer(self, app: &Arc<App>) -> Response {
        let (mut parts, body) = self.request.into_parts();
        match RequireUser::from_request_parts(&mut parts, app).await {
            Ok(RequireUser(caller)) => {
                let request = Request::from_parts(parts, body);
                serve(app, &caller, self.subject, request).await.unwrap_or_else(Error::into_response)
            }
            Err(error) => error.into_response(),
        }
    }
}

/// `ANY /records/{table}`
pub(super) async fn serve_records(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    Path(table): Path<String>,
    request: Request,
) -> Result<Response> {
    serve(&app, &caller, Subject::Table(table), request).await
}

/// `ANY /rpc/{function}`
pub(super) async fn serve_rpc(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    Path(function): Path<String>,
    request: Request,
) -> Result<Response> {
    serve(&app, &caller, Subject::Function(function), request).await
}

async fn serve(app: &App, caller: &Caller, subject: Subject, request: Request) -> Result<Response> {
    let (kind, name, of_table) = match subject {
        Subject::Table(name) => ("table", name, true),
        Subject::Function(name) => ("function", name, false),
    };
    records::check_name(kind, &name)?;
    let request = prepare(app, name, request).await?;
    let caller = as_records(caller);
    let answered = match api(app).await {
        Ok(api) if of_table => records::serve_table(&api, &caller, &request).await,
        Ok(api) => records::serve_call(&api, &caller, &request).await,
        Err(error) => Err(error),
    };
    if of_table && answered.is_ok() && !request.reads() && app.events.heard() {
        let name = format!("{}.{}", request.schema.as_deref().unwrap_or("public"), request.name);
        app.events.changed(Resource::Database, Some(json!({"changes": [{"type": "records", "name": name}]})));
    }
    Ok(answered.unwrap_or_else(IntoResponse::into_response))
}

async fn prepare(app: &App, name: String, request: Request) -> Result<records::Request> {
    let (parts, body) = request.into_parts();
    let mut query = records::decode_query(parts.uri.query().unwrap_or_default());
    let schema = records::take_schema_parameter(&mut query, &parts.method, &parts.headers)?;
    let body = match parts.method {
        Method::GET | Method::HEAD | Method::DELETE => bytes::Bytes::new(),
        _ => read(body, app.config.max_json_body_bytes).await?,
    };
    Ok(records::Request { method: parts.method, name, query, schema, headers: parts.headers, body })
}

async fn api(app: &App) -> Result<DataApi<'_>, records::Error> {
    let cache = app.database.caches.current(app).await?;
    Ok(DataApi { connections: &app.pools.records, cache })
}

fn as_records(caller: &Caller) -> records::Caller {
    records::Caller { role: caller.role.as_str(), claims: caller.claims.to_string() }
}
