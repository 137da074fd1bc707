//! Users as administrators see them: list, read, delete.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};

use super::{fields, users};
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    events::Resource,
    http::{Error, JsonBody, Query, Result, validation::Form},
    state::App,
};

const VISIBLE: &str = "not u.is_anonymous and not u.is_project_admin
    and ($1::text is null or u.email like '%' || $1 || '%' or u.profile ->> 'name' like '%' || $1 || '%')";

/// `GET /users`.
pub(super) async fn list_users(State(app): State<Arc<App>>, _admin: RequireAdmin, query: Query) -> Result<Json<Value>> {
    let limit = query.integer("limit", 10, 1, i64::MAX)?;
    let offset = query.integer("offset", 0, 0, i64::MAX)?;
    let search = query.get("search").filter(|text| !text.is_empty());
    let client = app.pools.internal().await?;
    let total: i64 =
        client.query_one(&format!("select count(*) from auth.users u where {VISIBLE}"), &[&search]).await?.get(0);
    let columns = users::COLUMNS;
    let page = format!(
        "select {columns} from auth.users u where {VISIBLE} order by u.created_at desc, u.id limit $2 offset $3"
    );
    let rows = client.query(&page, &[&search, &limit, &offset]).await?;
    let data: Vec<Value> = rows.iter().map(users::from_row).collect();
    Ok(Json(json!({"data": data, "pagination": {"offset": offset, "limit": limit, "total": total}})))
}

/// `GET /users/:id`.
pub(super) async fn get_user(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    Path(id): Path<String>,
) -> Result<Json<Value>> {
    let id = fields::user_id(&id)?;
    let client = app.pools.internal().await?;
    let account = users::find(&client, id)
        .await?
        .ok_or_else(|| Error::not_found("AUTH_USER_NOT_FOUND", "User does not exist"))?;
    Ok(Json(account.json))
}

/// `DELETE /users`.
pub(super) async fn delete_users(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let mut form = Form::new(&body);
    let texts = form.strings("userIds");
    if texts.is_empty() && form.issues().is_empty() {
        form.issue("userIds", "At least one user ID is required");
    }
    let mut ids = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match fields::parse_uuid(text) {
            Some(id) => ids.push(id),
            None => form.issue(format!("userIds.{index}"), "Invalid user ID format"),
        }
    }
    form.finish()?;
    let client = app.pools.internal().await?;
    let deleted = client.execute("delete from auth.users where id = any($1)", &[&ids]).await?;
    let details = json!({"userIds": ids, "deletedCount": deleted});
    audit.record(&caller, "AUTH", "DELETE_USERS", details).await?;
    app.events.changed(Resource::Users, None);
    Ok(Json(json!({"message": "Users deleted successfully", "deletedCount": deleted})))
}
