//! Handlers of the data API: from HTTP to `records` and back.

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, Request, State},
    response::{IntoResponse as _, Response},
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

/// `ANY /records/{table}`
pub(super) async fn serve_records(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    Path(table): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response> {
    records::check_name("table", &table)?;
    let request = prepare(&app, table, query, request).await?;
    let answered = match api(&app).await {
        Ok(api) => records::serve_table(&api, &as_records(&caller), &request).await,
        Err(error) => Err(error),
    };
    if answered.is_ok() && !matches!(request.method, Method::GET | Method::HEAD) {
        let name = format!("{}.{}", request.schema.as_deref().unwrap_or("public"), request.name);
        app.events.changed(Resource::Database, Some(json!({"changes": [{"type": "records", "name": name}]})));
    }
    Ok(answered.unwrap_or_else(|error| error.into_response()))
}

/// `ANY /rpc/{function}`
pub(super) async fn serve_rpc(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    Path(function): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response> {
    records::check_name("function", &function)?;
    let request = prepare(&app, function, query, request).await?;
    let answered = match api(&app).await {
        Ok(api) => records::serve_call(&api, &as_records(&caller), &request).await,
        Err(error) => Err(error),
    };
    Ok(answered.unwrap_or_else(|error| error.into_response()))
}

async fn prepare(app: &App, name: String, query: Option<String>, request: Request) -> Result<records::Request> {
    let (parts, body) = request.into_parts();
    let mut query = records::decode_query(query.as_deref().unwrap_or_default());
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
