//! `GET /api/dashboard/events`: server-sent events for whoever has the dashboard open.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse as _, Response, Sse, sse},
    routing::get,
};
use futures::{Stream, StreamExt as _, stream};
use http::{HeaderName, HeaderValue, header};
use tokio::sync::broadcast::error::RecvError;

use crate::{authentication::RequireAdmin, state::App};

const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// Routes of this area.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/events", get(stream_events))
}

async fn stream_events(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Response {
    let keep_alive = sse::KeepAlive::new().interval(KEEP_ALIVE).text("keepalive");
    let mut response = Sse::new(frames(&app)).keep_alive(keep_alive).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn frames(app: &App) -> impl Stream<Item = Result<sse::Event, Infallible>> + use<> {
    let ready = stream::once(async { Ok(sse::Event::default().data(r#"{"type":"ready"}"#)) });
    let events = stream::unfold(app.events.subscribe(), |mut events| async move {
        loop {
            match events.recv().await {
                Ok(event) => {
                    let text = serde_json::to_string(&event).expect("events are plain JSON");
                    return Some((Ok(sse::Event::default().data(text)), events));
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    ready.chain(events)
}
