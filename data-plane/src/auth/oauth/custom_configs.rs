//! Configurations of custom OpenID Connect providers.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use super::client_secrets;
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    http::{Error, JsonBody, Result, validation::Form},
    state::App,
};

const KEY_MAX: usize = 64;

const COLUMNS: &str = "c.id, c.key, c.name, c.discovery_endpoint, c.client_id, c.created_at, c.updated_at, c.secret_id";

/// A configuration that a sign-in can use.
pub(super) struct Usable {
    pub(super) discovery_endpoint: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
}

/// The configuration of a key, when its secret can be read.
pub(super) async fn usable(app: &App, key: &str) -> Result<Option<Usable>> {
    let client = app.pools.internal().await?;
    let row = client
        .query_opt(
            "select c.discovery_endpoint, c.client_id, s.value_ciphertext
             from auth.custom_oauth_configs c join system.secrets s on s.id = c.secret_id and s.is_active
             where c.key = $1",
            &[&key],
        )
        .await?;
    Ok(row.and_then(|row| {
        let client_secret = client_secrets::open(app, row.get(2))?;
        Some(Usable { discovery_endpoint: row.get(0), client_id: row.get(1), client_secret })
    }))
}

/// Refuses what can be no key.
///
/// # Errors
/// 400.
pub(super) fn check_key(key: &str) -> Result<()> {
    match valid_key(key) {
        true => Ok(()),
        false => Err(Error::invalid_input("Invalid custom OAuth key")),
    }
}

/// `GET /oauth/custom/configs`.
pub(super) async fn list_configs(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let sql = format!("select {COLUMNS} from auth.custom_oauth_configs c order by c.key");
    let data: Vec<Value> = client.query(&sql, &[]).await?.iter().map(shown).collect();
    Ok(Json(json!({"count": data.len(), "data": data})))
}

/// `POST /oauth/custom/configs`.
pub(super) async fn create_config(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let mut form = Form::new(&body);
    let before = form.issues().len();
    let key = form.string("key");
    if form.issues().len() == before && !valid_key(key) {
        form.issue("key", "Invalid custom OAuth key");
    }
    let name = filled(&mut form, "name");
    let discovery_endpoint = filled(&mut form, "discoveryEndpoint");
    check_url(&mut form, discovery_endpoint);
    let client_id = filled(&mut form, "clientId");
    let client_secret = filled(&mut form, "clientSecret");
    form.finish()?;
    let mut client = app.pools.internal().await?;
    let transaction = client.transaction().await?;
    let secret_id = client_secrets::create(&app, &transaction, &secret_name(key), client_secret).await?;
    let sql = format!(
        "insert into auth.custom_oauth_configs as c (key, name, discovery_endpoint, client_id, secret_id)
         values ($1, $2, $3, $4, $5) on conflict (key) do nothing returning {COLUMNS}"
    );
    let row = transaction
        .query_opt(&sql, &[&key, &name, &discovery_endpoint, &client_id, &secret_id])
        .await?
        .ok_or_else(|| {
            let message = format!("Custom OAuth configuration for {key} already exists");
            Error::conflict("AUTH_OAUTH_CONFIG_ALREADY_EXISTS", message)
        })?;
    transaction.commit().await?;
    audit.record(&caller, "AUTH", "CREATE_CUSTOM_OAUTH_CONFIG", json!({"key": key})).await?;
    Ok(Json(shown(&row)))
}

/// `GET /oauth/custom/:key/config`.
pub(super) async fn get_config(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    Path(key): Path<String>,
) -> Result<Json<Value>> {
    check_key(&key)?;
    let row = {
        let client = app.pools.internal().await?;
        find(&client, &key).await?.ok_or_else(|| not_found(&key))?
    };
    let mut config = shown(&row);
    if let Some(usable) = usable(&app, &key).await? {
        config["clientSecret"] = json!(usable.client_secret);
    }
    Ok(Json(config))
}

/// `PUT /oauth/custom/:key/config`.
pub(super) async fn update_config(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    Path(key): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    check_key(&key)?;
    let mut form = Form::new(&body);
    let mut given = |name: &str| form.get(name).is_some().then(|| filled(&mut form, name));
    let name = given("name");
    let discovery_endpoint = given("discoveryEndpoint");
    let client_id = given("clientId");
    let client_secret = given("clientSecret");
    if let Some(url) = discovery_endpoint {
        check_url(&mut form, url);
    }
    form.finish()?;
    let mut client = app.pools.internal().await?;
    let transaction = client.transaction().await?;
    let row = find(&transaction, &key).await?.ok_or_else(|| not_found(&key))?;
    if let Some(secret) = client_secret {
        client_secrets::update(&app, &transaction, row.get(7), secret).await?;
    }
    let sql = format!(
        "update auth.custom_oauth_configs c set name = coalesce($2, name),
            discovery_endpoint = coalesce($3, discovery_endpoint), client_id = coalesce($4, client_id)
         where c.key = $1 returning {COLUMNS}"
    );
    let row = transaction.query_one(&sql, &[&key, &name, &discovery_endpoint, &client_id]).await?;
    transaction.commit().await?;
    let fields: Vec<&str> = [
        (name, "name"),
        (discovery_endpoint, "discoveryEndpoint"),
        (client_id, "clientId"),
        (client_secret, "clientSecret"),
    ]
    .into_iter()
    .filter_map(|(value, field)| value.map(|_| field))
    .collect();
    let details = json!({"key": key, "updatedFields": fields});
    audit.record(&caller, "AUTH", "UPDATE_CUSTOM_OAUTH_CONFIG", details).await?;
    Ok(Json(shown(&row)))
}

/// `DELETE /oauth/custom/:key/config`.
pub(super) async fn delete_config(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    Path(key): Path<String>,
) -> Result<Json<Value>> {
    check_key(&key)?;
    let mut client = app.pools.internal().await?;
    let transaction = client.transaction().await?;
    let row = transaction
        .query_opt("delete from auth.custom_oauth_configs where key = $1 returning secret_id", &[&key])
        .await?
        .ok_or_else(|| not_found(&key))?;
    client_secrets::delete(&transaction, row.get(0)).await?;
    transaction.commit().await?;
    audit.record(&caller, "AUTH", "DELETE_CUSTOM_OAUTH_CONFIG", json!({"key": key})).await?;
    let message = format!("Custom OAuth configuration for {key} deleted successfully");
    Ok(Json(json!({"success": true, "message": message})))
}

fn filled<'a>(form: &mut Form<'a>, name: &str) -> &'a str {
    let before = form.issues().len();
    let text = form.string(name);
    if text.trim().is_empty() && form.issues().len() == before {
        form.issue(name, "String must contain at least 1 character(s)");
    }
    text
}

fn check_url(form: &mut Form<'_>, text: &str) {
    if !text.is_empty() && url::Url::parse(text).is_err() {
        form.issue("discoveryEndpoint", "Invalid url");
    }
}

fn valid_key(key: &str) -> bool {
    (1..=KEY_MAX).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
}

fn secret_name(key: &str) -> String {
    format!("CUSTOM_OAUTH_{key}_CLIENT_SECRET")
}

async fn find(client: &impl GenericClient, key: &str) -> Result<Option<Row>> {
    let sql = format!("select {COLUMNS} from auth.custom_oauth_configs c where c.key = $1");
    Ok(client.query_opt(&sql, &[&key]).await?)
}

fn not_found(key: &str) -> Error {
    Error::not_found("AUTH_OAUTH_CONFIG_NOT_FOUND", format!("Custom OAuth configuration for {key} not found"))
}

fn shown(row: &Row) -> Value {
    json!({
        "id": row.get::<_, Uuid>(0),
        "key": row.get::<_, String>(1),
        "name": row.get::<_, String>(2),
        "discoveryEndpoint": row.get::<_, String>(3),
        "clientId": row.get::<_, String>(4),
        "createdAt": clock::iso_millis(row.get::<_, DateTime<Utc>>(5)),
        "updatedAt": clock::iso_millis(row.get::<_, DateTime<Utc>>(6)),
    })
}
