//! List, read, create, change and delete secrets.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    http::{Error, JsonBody, Result, validation::Form},
    state::App,
};

/// `GET /`: all secrets without their values.
pub(super) async fn list_secrets(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let rows = client
        .query(
            "select id, key, coalesce(is_active, true), coalesce(is_reserved, false), last_used_at, expires_at,
                created_at, updated_at
             from system.secrets order by created_at desc, key",
            &[],
        )
        .await?;
    let time = |at: Option<DateTime<Utc>>| at.map(clock::iso_millis);
    let secrets: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "id": row.get::<_, Uuid>(0),
                "key": row.get::<_, String>(1),
                "isActive": row.get::<_, bool>(2),
                "isReserved": row.get::<_, bool>(3),
                "lastUsedAt": time(row.get(4)),
                "expiresAt": time(row.get(5)),
                "createdAt": time(row.get(6)),
                "updatedAt": time(row.get(7)),
            })
        })
        .collect();
    Ok(Json(json!({"secrets": secrets})))
}

/// `GET /:key`.
pub(super) async fn get_secret(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    Path(key): Path<String>,
) -> Result<Json<Value>> {
    let value = super::value(&app, &key).await?.ok_or_else(|| not_found(&key))?;
    audit.record(&caller, "SECRETS", "GET_SECRET", json!({"key": key})).await?;
    Ok(Json(json!({"key": key, "value": value})))
}

/// `POST /`: a new secret, or an inactive one revived.
pub(super) async fn create_secret(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>)> {
    let (key, value) = key_and_value(&body)?;
    let mut form = Form::new(&body);
    let reserved = form.optional_bool("isReserved").unwrap_or(false);
    let expires_at = expiry(&mut form).flatten();
    form.finish()?;
    let client = app.pools.internal().await?;
    let row = client
        .query_opt(
            "insert into system.secrets as s (key, value_ciphertext, is_reserved, expires_at)
             values ($1, $2, $3, $4)
             on conflict (key) do update set
                value_ciphertext = excluded.value_ciphertext, is_active = true,
                is_reserved = excluded.is_reserved, expires_at = excluded.expires_at, last_used_at = null
             where not s.is_active and not s.is_reserved
             returning id",
            &[&key, &app.cipher.encrypt(value), &reserved, &expires_at],
        )
        .await?
        .ok_or_else(|| Error::conflict("SECRET_ALREADY_EXISTS", format!("Secret already exists: {key}")))?;
    audit.record(&caller, "SECRETS", "CREATE_SECRET", json!({"key": key})).await?;
    let message = format!("Secret {key} has been created successfully");
    let body = json!({"success": true, "message": message, "id": row.get::<_, Uuid>(0)});
    Ok((StatusCode::CREATED, Json(body)))
}

/// `PUT /:key`.
pub(super) async fn update_secret(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    Path(key): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let mut form = Form::new(&body);
    let value = form.optional_string("value").map(|plain| app.cipher.encrypt(plain));
    let active = form.optional_bool("isActive");
    let reserved = form.optional_bool("isReserved");
    let expires_at = expiry(&mut form);
    form.finish()?;
    refuse_reserved(&app, &key, "update").await?;
    if value.is_none() && active.is_none() && reserved.is_none() && expires_at.is_none() {
        let message = format!("Failed to update secret: {key}");
        return Err(Error::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", message));
    }
    let client = app.pools.internal().await?;
    client
        .execute(
            "update system.secrets set
                value_ciphertext = coalesce($2, value_ciphertext), is_active = coalesce($3, is_active),
                is_reserved = coalesce($4, is_reserved), expires_at = case when $5 then $6 else expires_at end
             where key = $1 and not is_reserved",
            &[&key, &value, &active, &reserved, &expires_at.is_some(), &expires_at.flatten()],
        )
        .await?;
    audit.record(&caller, "SECRETS", "UPDATE_SECRET", json!({"key": key})).await?;
    let message = format!("Secret {key} has been updated successfully");
    Ok(Json(json!({"success": true, "message": message})))
}

/// `DELETE /:key`: the row stays, inactive.
pub(super) async fn delete_secret(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    Path(key): Path<String>,
) -> Result<Json<Value>> {
    refuse_reserved(&app, &key, "delete").await?;
    let client = app.pools.internal().await?;
    client.execute("update system.secrets set is_active = false where key = $1 and not is_reserved", &[&key]).await?;
    audit.record(&caller, "SECRETS", "DELETE_SECRET", json!({"key": key})).await?;
    let message = format!("Secret {key} has been deleted successfully");
    Ok(Json(json!({"success": true, "message": message})))
}

async fn refuse_reserved(app: &App, key: &str, verb: &str) -> Result<()> {
    let client = app.pools.internal().await?;
    let row = client
        .query_opt("select coalesce(is_reserved, false) from system.secrets where key = $1", &[&key])
        .await?
        .ok_or_else(|| not_found(key))?;
    if row.get(0) {
        return Err(Error::forbidden("FORBIDDEN", format!("Cannot {verb} reserved secret: {key}")));
    }
    Ok(())
}

fn key_and_value(body: &Value) -> Result<(&str, &str)> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(key), Some(value)) = (text("key"), text("value")) else {
        return Err(Error::invalid_input("Both key and value are required"));
    };
    if key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_') {
        return Ok((key, value));
    }
    Err(Error::invalid_input(
        "Invalid key format. Use uppercase letters, numbers, and underscores only (e.g., STRIPE_API_KEY)",
    ))
}

/// `expiresAt`: absent, cleared by null, or a date.
fn expiry(form: &mut Form<'_>) -> Option<Option<DateTime<Utc>>> {
    let Some(text) = form.nullable_string("expiresAt")? else { return Some(None) };
    match DateTime::parse_from_rfc3339(text) {
        Ok(at) => Some(Some(at.with_timezone(&Utc))),
        Err(_) => {
            form.issue("expiresAt", "Invalid date");
            None
        }
    }
}

fn not_found(key: &str) -> Error {
    Error::not_found("SECRET_NOT_FOUND", format!("Secret not found: {key}"))
}
