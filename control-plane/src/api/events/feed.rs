//! The events themselves, in order, so that a receiver that was down finds what it missed.

use axum::{Json, extract::State as AxumState};
use model::events::EventType;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::events::Event;
use utoipa::{IntoParams, ToSchema};

use super::cursor;
use crate::{
    api::{Answer, page_limit, time},
    app::{
        Ctx,
        events::{self, Whose},
    },
    http::extract::Query,
    state::State,
};

/// Something that happened, as it is delivered.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventOut {
    /// The same in every delivery of it.
    id: uuid::Uuid,
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: EventType,
    timestamp: String,
    /// Ids, names and amounts.
    #[schema(value_type = Object)]
    data: Value,
}

impl From<Event> for EventOut {
    fn from(event: Event) -> Self {
        let Event { id, kind, data, created_at, .. } = event;
        Self { id: id.as_uuid(), kind, timestamp: time(created_at), data }
    }
}

/// A page of events.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventList {
    events: Vec<EventOut>,
    /// Send it as `after` for what comes next; there is always one, also when nothing has come yet.
    next: String,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventQuery {
    /// `next` of the page before; the oldest events that are kept when absent.
    after: Option<String>,
    /// At most 100, which is the default.
    limit: Option<i64>,
}

/// Lists events in their order. They are kept for 30 days.
#[utoipa::path(get, path = "/events", tag = "events", params(EventQuery),
    responses((status = 200, body = EventList), (status = 400), (status = 401), (status = 404)))]
pub(crate) async fn list_events(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    whose: Whose,
    Query(query): Query<EventQuery>,
) -> Answer<Json<EventList>> {
    let after = cursor("after", query.after.as_deref(), 0)?;
    let found = events::list(&state, &ctx, whose, after, page_limit(query.limit)?).await?;
    let next = found.last().map_or(after, |last| last.position).to_string();
    Ok(Json(EventList { events: found.into_iter().map(EventOut::from).collect(), next }))
}
