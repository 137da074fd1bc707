//! The audit row of every request that may change something: committed before the request is looked at, closed once it is answered.

use axum::{
    extract::{Request, State as AxumState},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use model::Error;
use tracing::Instrument as _;

use super::{idempotency::may_change, problem::code_of};
use crate::{
    app::{Ctx, Failure, audit},
    state::State,
};

/// Longer paths are cut: they name nothing of ours.
const PATH_MAX: usize = 256;

/// Middleware, inside authentication. A request whose row cannot be written is refused.
pub(crate) async fn open_and_close(AxumState(state): AxumState<State>, mut request: Request, next: Next) -> Response {
    if !may_change(request.method()) {
        return next.run(request).await;
    }
    let path: String = request.uri().path().chars().take(PATH_MAX).collect();
    let what = format!("{} {path}", request.method());
    let Some(ctx) = request.extensions_mut().get_mut::<Ctx>() else { return next.run(request).await };
    let id = match audit::open_request(&state, ctx, &what).await {
        Ok(id) => id,
        Err(failure) => return failure.into_response(),
    };
    ctx.audit_id = Some(id);
    // A task of its own: a client that goes away leaves neither a half-done request nor an open row behind.
    let run = async move {
        let response = next.run(request).await;
        audit::close_request(&state, id, &outcome(&response)).await;
        response
    };
    match tokio::spawn(run.in_current_span()).await {
        Ok(response) => response,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Failure(Error::internal(error)).into_response(),
    }
}

/// What the log says of an answer.
fn outcome(response: &Response) -> String {
    let status = response.status();
    match code_of(response) {
        Some(code) => code.to_owned(),
        None if status.is_client_error() || status.is_server_error() => status.as_u16().to_string(),
        None => "done".to_owned(),
    }
}
