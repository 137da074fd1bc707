//! Facts about a request that several areas need: the client's address and query parameters.

use std::{net::IpAddr, sync::Arc};

use axum::extract::{ConnectInfo, FromRequestParts, OriginalUri, Request};
use http::{Extensions, HeaderMap, request::Parts};

use super::{Error, Result};
use crate::{config::TrustedProxies, state::App};

/// Below it, paths name stored objects.
const OBJECTS: &str = "/api/storage/";

/// The client's address as far as trusted proxies vouch for it.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub Option<IpAddr>);

impl ClientAddress {
    pub(crate) fn of(headers: &HeaderMap, extensions: &Extensions, trusted: &TrustedProxies) -> Self {
        let socket = extensions.get::<ConnectInfo<std::net::SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        let forwarded: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(','))
            .map(str::trim)
            .collect();
        Self(trusted.client(socket, &forwarded))
    }
}

impl FromRequestParts<Arc<App>> for ClientAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.headers, &parts.extensions, &app.config.trust_proxy))
    }
}

/// Takes the slash from the end of a path, which says nothing there, except in the name of a stored object.
pub(super) fn forget_last_slash(request: &mut Request) {
    let uri = request.uri();
    let shorter = uri.path().strip_suffix('/').filter(|path| path.starts_with("/api/") && !path.starts_with(OBJECTS));
    let Some(path) = shorter else { return };
    let text = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    if let Ok(shorter) = text.parse() {
        // Refusals name the path as it came.
        let original = OriginalUri(std::mem::replace(request.uri_mut(), shorter));
        request.extensions_mut().insert(original);
    }
}

/// Query parameters in their order.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// The value of a parameter, the last of equal names.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs().rfind(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// All parameters.
    pub fn pairs(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A whole number within bounds, `default` when absent.
    ///
    /// # Errors
    /// 400 `INVALID_INPUT` naming the parameter.
    pub fn integer(&self, name: &str, default: i64, min: i64, max: i64) -> Result<i64> {
        let Some(text) = self.get(name).filter(|text| !text.is_empty()) else {
            return Ok(default);
        };
        let number: i64 =
            text.parse().map_err(|_| Error::invalid_input(format!("{name}: Expected number, received nan")))?;
        if number < min {
            return Err(Error::invalid_input(format!("{name}: Number must be greater than or equal to {min}")));
        }
        Ok(number.min(max))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let text = parts.uri.query().unwrap_or_default();
        Ok(Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()))
    }
}
