//! Which partner a request is from: its id is in the path, its secret in a header.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, RawPathParams, Request, State as AxumState},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http_kit::{Principal, RequestId};

use crate::{
    app::{Caller, Ctx, partners::authenticate::authenticate},
    state::State,
};

const SECRET: &str = "x-partnership-secret";

/// Middleware: no partner, no entry.
pub(crate) async fn require_partner(
    AxumState(state): AxumState<State>,
    parameters: RawPathParams,
    mut request: Request,
    next: Next,
) -> Response {
    let id = parameters.iter().find(|(name, _)| *name == "partner").and_then(|(_, text)| text.parse().ok());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = peer.map_or_else(String::new, |ConnectInfo(address)| address.ip().to_string());
    let secret = request.headers().get(SECRET).and_then(|value| value.to_str().ok());
    let partner = match authenticate(&state, id, secret, &address).await {
        Ok(partner) => partner,
        Err(failure) => return failure.into_response(),
    };
    if let Some(principal) = request.extensions().get::<Principal>() {
        principal.set(format!("partner:{}", partner.id));
    }
    let request_id = request.extensions().get::<RequestId>().map_or_else(String::new, |id| id.as_str().to_owned());
    request.extensions_mut().insert(Ctx {
        caller: Caller::Partner(Box::new(partner)),
        request_id,
        idempotency_key: None,
        audit_id: None,
    });
    next.run(request).await
}
