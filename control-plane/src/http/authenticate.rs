//! Who a request is from. Runs before anything is looked up, so that an unauthenticated caller learns only that a route exists.

use axum::{
    extract::{FromRequestParts, Request, State as AxumState},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, header, request::Parts};
use http_kit::{Principal, RequestId};
use model::Error;

use super::idempotency::IdempotencyKey;
use crate::{
    app::{Caller, Ctx, Failure, auth},
    state::State,
};

/// The bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Middleware: no user, no entry.
pub(crate) async fn require_user(AxumState(state): AxumState<State>, mut request: Request, next: Next) -> Response {
    let user = match auth::authenticate(&state, bearer(request.headers())).await {
        Ok(user) => user,
        Err(failure) => return failure.into_response(),
    };
    if let Some(principal) = request.extensions().get::<Principal>() {
        principal.set(format!("user:{}", user.id));
    }
    let request_id = request.extensions().get::<RequestId>().map_or_else(String::new, |id| id.as_str().to_owned());
    request.extensions_mut().insert(Ctx {
        caller: Caller::User(user),
        request_id,
        idempotency_key: None,
        audit_id: None,
    });
    next.run(request).await
}

/// A handler that takes a [`Ctx`] cannot be reached without a user.
impl<S: Sync> FromRequestParts<S> for Ctx {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        let unauthenticated = || Error::unauthenticated("auth.unauthenticated", "Authentication required");
        let mut ctx = parts.extensions.get::<Self>().cloned().ok_or_else(unauthenticated)?;
        ctx.idempotency_key = parts.extensions.get::<IdempotencyKey>().map(|key| key.0.clone());
        Ok(ctx)
    }
}
