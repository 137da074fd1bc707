//! The data API: `/api/database/records/{table}` and `/api/database/rpc/{function}`.
//!
//! request → schema cache → plan → one statement → response. Nothing of a request but bound values reaches SQL.

mod answer;
mod body;
mod error;
mod execute;
mod formats;
mod functions;
#[cfg(test)]
mod fuzz;
mod fuzzy;
mod media;
mod members;
mod plan;
mod preferences;
mod profile;
mod query;
mod ranges;
mod rpc;
mod sql;
mod tables;

use std::sync::Arc;

use axum::http::{HeaderMap, Method, header};
use bytes::Bytes;

pub(crate) use error::Error;
pub(crate) use profile::{Rejection, check_name, check_schema, take_schema_parameter};
pub(crate) use query::decode as decode_query;
pub(crate) use rpc::serve as serve_call;
pub(crate) use tables::serve as serve_table;

use super::{
    schema_cache::{ReloadError, SchemaCache},
    wire::Pool,
};
use execute::Scope;
use preferences::Preferences;

/// What the data API works with.
pub(crate) struct DataApi<'a> {
    /// Connections whose session user has no rights of its own.
    pub(crate) connections: &'a Pool,
    /// The exposed schemas as the request found them.
    pub(crate) cache: Arc<SchemaCache>,
}

/// Whom a request runs as.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// `anon`, `authenticated` or `project_admin`.
    pub(crate) role: &'static str,
    /// The claims SQL sees, as JSON.
    pub(crate) claims: String,
}

/// A request to a table or function.
#[derive(Debug)]
pub(crate) struct Request {
    /// Its method.
    pub(crate) method: Method,
    /// Table or function.
    pub(crate) name: String,
    /// Decoded query parameters without `schema`.
    pub(crate) query: Vec<(String, String)>,
    /// The schema it asks for by parameter or header.
    pub(crate) schema: Option<String>,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
}

impl Request {
    /// Whether it changes nothing.
    pub(crate) fn reads(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    /// The schema to use: the one asked for when it is exposed, else `public`.
    fn schema(&self, exposed: &[String]) -> Result<String, Error> {
        let wanted = self.schema.as_deref().unwrap_or("public");
        if exposed.iter().any(|schema| schema == wanted) {
            return Ok(wanted.to_owned());
        }
        Err(Error::new(406, "PGRST106", format!("The schema must be one of the following: {}", exposed.join(", "))))
    }

    fn scope(
        &self,
        caller: &Caller,
        schema: String,
        path: String,
        preferences: &Preferences,
        read_only: bool,
        cache: &SchemaCache,
    ) -> Scope {
        Scope {
            role: caller.role,
            claims: caller.claims.clone(),
            schema,
            method: self.method.to_string(),
            path,
            headers: headers_json(&self.headers),
            cookies: cookies_json(&self.headers),
            timezone: preferences.timezone.clone(),
            strict: preferences.strict == Some(true),
            read_only,
            generation: cache.generation,
            role_settings: cache.role_settings(caller.role).cloned(),
            call_settings: None,
        }
    }
}

impl From<ReloadError> for Error {
    fn from(error: ReloadError) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "no schema cache for a records request");
        Self::new(503, "PGRST002", "Could not query the database for the schema cache. Retrying.")
    }
}

/// Headers as SQL may see them: without credentials, and without what belongs to the transport.
fn headers_json(headers: &HeaderMap) -> String {
    let hidden = [header::AUTHORIZATION, header::COOKIE, header::HOST, header::CONTENT_LENGTH];
    let mut json = String::from("{");
    for name in headers.keys().filter(|name| !hidden.contains(name) && *name != "x-api-key") {
        // Of several the last counts.
        let Some(value) = headers.get_all(name).iter().next_back() else { continue };
        if json.len() > 1 {
            json.push(',');
        }
        push_json(&mut json, name.as_str());
        json.push(':');
        push_json(&mut json, &String::from_utf8_lossy(value.as_bytes()));
    }
    json.push('}');
    json
}

/// Adds a text as JSON.
fn push_json(json: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        json.push_str(&serde_json::Value::from(text).to_string());
    } else {
        json.push('"');
        json.push_str(text);
        json.push('"');
    }
}

fn cookies_json(headers: &HeaderMap) -> String {
    if !headers.contains_key(header::COOKIE) {
        return "{}".to_owned();
    }
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    // The platform's own cookies are credentials.
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let seen: serde_json::Map<String, serde_json::Value> = pairs
        .filter(|(name, _)| !name.starts_with("insforge_"))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    serde_json::Value::Object(seen).to_string()
}
