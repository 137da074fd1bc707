//! Profiles: public fields of users, changed by their owner.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::fields;
use crate::{
    authentication::RequireToken,
    events::Resource,
    http::{Error, JsonBody, Result, validation::Form},
    state::App,
};

/// `GET /profiles/:userId`.
pub(super) async fn get_profile(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Value>> {
    let id = fields::user_id(&id)?;
    let client = app.pools.internal().await?;
    let row = client
        .query_opt("select coalesce(profile, '{}') from auth.users where id = $1", &[&id])
        .await?
        .ok_or_else(not_found)?;
    Ok(Json(json!({"id": id, "profile": row.get::<_, Value>(0)})))
}

/// `PATCH /profiles/current`: given fields replace old ones, others stay.
pub(super) async fn update_current_profile(
    State(app): State<Arc<App>>,
    RequireToken(caller): RequireToken,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let mut form = Form::new(&body);
    let change = Value::Object(form.object("profile").cloned().unwrap_or_default());
    form.finish()?;
    let id = own_id(caller.user_id.as_deref().unwrap_or_default())?;
    let client = app.pools.internal().await?;
    let row = client
        .query_opt(
            "update auth.users set profile = coalesce(profile, '{}') || $2, updated_at = now()
             where id = $1 returning profile",
            &[&id, &change],
        )
        .await?
        .ok_or_else(not_found)?;
    app.events.changed(Resource::Users, None);
    Ok(Json(json!({"id": id, "profile": row.get::<_, Value>(0)})))
}

fn own_id(sub: &str) -> Result<Uuid> {
    fields::parse_uuid(sub).ok_or_else(|| {
        let message = format!("invalid input syntax for type uuid: \"{sub}\"");
        Error::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", message)
    })
}

fn not_found() -> Error {
    Error::not_found("AUTH_USER_NOT_FOUND", "User not found")
}
