//! Configurations of the built-in providers.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{DateTime, Utc};
use deadpool_postgres::{ClientWrapper, GenericClient};
use http::StatusCode;
use identity_providers::Client;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    client_secrets,
    providers::{self, NAMES, Provider},
};
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    http::{Error, JsonBody, Result, validation::Form},
    state::App,
};

const NATIVE_CLIENT_IDS_MAX: usize = 20;
const NATIVE_CLIENT_ID_LENGTH_MAX: usize = 255;

const COLUMNS: &str = "c.id, c.provider, c.client_id, c.native_client_ids, c.redirect_uri, c.scopes,
    coalesce(c.use_shared_key, false), c.created_at, c.updated_at, c.secret_id";

/// A configuration that a sign-in can use.
pub(super) struct Usable {
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) native_client_ids: Vec<String>,
    pub(super) scopes: Vec<String>,
    /// Whether the cloud's own client is used instead.
    pub(super) shared: bool,
}

impl Usable {
    /// The project's own client; `redirect_uri` is where the provider sends the browser back to.
    pub(super) fn client<'a>(&'a self, redirect_uri: &'a str) -> Client<'a> {
        Client { id: &self.client_id, secret: &self.client_secret, scopes: &self.scopes, redirect_uri }
    }

    /// Whether a sign-in through the browser can use it.
    fn complete(&self) -> bool {
        self.shared || !(self.client_id.is_empty() || self.client_secret.is_empty())
    }
}

/// The configuration of a provider, when it is complete.
pub(super) async fn usable(app: &App, client: &ClientWrapper, provider: Provider) -> Result<Option<Usable>> {
    Ok(read(app, client, provider).await?.filter(Usable::complete))
}

/// The configuration of a provider, complete or not.
pub(super) async fn read(app: &App, client: &ClientWrapper, provider: Provider) -> Result<Option<Usable>> {
    let row = client
        .query_opt(
            "select coalesce(c.client_id, ''), s.value_ciphertext, c.native_client_ids, coalesce(c.scopes, '{}'),
                coalesce(c.use_shared_key, false)
             from auth.oauth_configs c left join system.secrets s on s.id = c.secret_id and s.is_active
             where c.provider = $1",
            &[&provider.as_str()],
        )
        .await?;
    Ok(row.map(|row| Usable {
        client_id: row.get(0),
        client_secret: client_secrets::open(app, row.get(1)).unwrap_or_default(),
        native_client_ids: row.get(2),
        scopes: row.get(3),
        shared: row.get::<_, bool>(4) && app.config.shares_client_of(provider),
    }))
}

/// 500 for a provider that is not configured, or not completely.
pub(super) fn not_configured(provider: &str) -> Error {
    Error::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "AUTH_OAUTH_CONFIG_ERROR",
        format!("{provider} OAuth is not properly configured. Please check your oauth configurations."),
    )
}

/// Stores a configuration unless the provider has one; what a process is seeded with.
pub(crate) async fn seed(app: &App, provider: Provider, client: Option<(&str, &str)>) -> Result<()> {
    let mut connection = app.pools.internal().await?;
    let transaction = connection.transaction().await?;
    let known = transaction
        .query_opt("select from auth.oauth_configs where provider = $1", &[&provider.as_str()])
        .await?
        .is_some();
    if known {
        return Ok(());
    }
    let secret_id = match client {
        Some((_, secret)) => {
            Some(client_secrets::create(app, &transaction, &secret_name(provider.as_str()), secret).await?)
        }
        None => None,
    };
    let client_id = client.map(|(id, _)| id);
    let shared = client.is_none();
    transaction
        .execute(
            "insert into auth.oauth_configs (provider, client_id, secret_id, scopes, use_shared_key)
             values ($1, $2, $3, $4, $5) on conflict (provider) do nothing",
            &[&provider.as_str(), &client_id, &secret_id, &provider.default_scopes(), &shared],
        )
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// `GET /oauth/configs`.
pub(super) async fn list_configs(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let sql = format!("select {COLUMNS} from auth.oauth_configs c order by c.provider");
    let data: Vec<Value> = client.query(&sql, &[]).await?.iter().map(shown).collect();
    Ok(Json(json!({"count": data.len(), "data": data})))
}

/// `POST /oauth/configs`.
pub(super) async fn create_config(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let mut form = Form::new(&body);
    let name = provider(&mut form);
    form_require_bool(&mut form);
    let change = Change::from_form(&mut form);
    form.finish()?;
    change.check_shared(&app, name)?;
    let mut client = app.pools.internal().await?;
    let transaction = client.transaction().await?;
    if find(&transaction, name).await?.is_some() {
        return Err(Error::conflict(
            "AUTH_OAUTH_CONFIG_ALREADY_EXISTS",
            format!("OAuth configuration for {name} already exists"),
        ));
    }
    let secret_id = match &change.client_secret {
        Some(secret) => Some(client_secrets::create(&app, &transaction, &secret_name(name), secret).await?),
        None => None,
    };
    let scopes = change.scopes.clone().unwrap_or_else(|| default_scopes(name));
    let native = change.native_client_ids.clone().unwrap_or_default();
    let sql = format!(
        "insert into auth.oauth_configs as c (provider, client_id, secret_id, scopes, use_shared_key, native_client_ids)
         values ($1, $2, $3, $4, $5, $6) returning {COLUMNS}"
    );
    let shared = change.use_shared_key.unwrap_or(false);
    let row = transaction.query_one(&sql, &[&name, &change.client_id, &secret_id, &scopes, &shared, &native]).await?;
    transaction.commit().await?;
    audit.record(&caller, "AUTH", "CREATE_OAUTH_CONFIG", json!({"provider": name})).await?;
    Ok(Json(shown(&row)))
}

/// `GET /oauth/:provider/config`.
pub(super) async fn get_config(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    Path(name): Path<String>,
) -> Result<Json<Value>> {
    providers::check_name(&name)?;
    let client = app.pools.internal().await?;
    let row = find(&client, &name).await?.ok_or_else(|| {
        Error::not_found("AUTH_OAUTH_CONFIG_NOT_FOUND", format!("OAuth configuration for {name} not found"))
    })?;
    let mut config = shown(&row);
    if let Some(id) = row.get::<_, Option<Uuid>>(9) {
        let secret = client.query_opt("select value_ciphertext from system.secrets where id = $1", &[&id]).await?;
        if let Some(secret) = secret.and_then(|row| client_secrets::open(&app, row.get(0))) {
            config["clientSecret"] = json!(secret);
        }
    }
    Ok(Json(config))
}

/// `PUT /oauth/:provider/config`.
pub(super) async fn update_config(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    Path(name): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    providers::check_name(&name)?;
    let mut form = Form::new(&body);
    let change = Change::from_form(&mut form);
    form.finish()?;
    change.check_shared(&app, &name)?;
    let mut client = app.pools.internal().await?;
    let transaction = client.transaction().await?;
    let row = find(&transaction, &name).await?.ok_or_else(not_found)?;
    let secret_id = match (&change.client_secret, row.get::<_, Option<Uuid>>(9)) {
        (None, id) => id,
        (Some(secret), Some(id)) => {
            client_secrets::update(&app, &transaction, id, secret).await?;
            Some(id)
        }
        (Some(secret), None) => Some(client_secrets::create(&app, &transaction, &secret_name(&name), secret).await?),
    };
    let sql = format!(
        "update auth.oauth_configs c set
            client_id = coalesce($2, client_id), scopes = coalesce($3, scopes),
            use_shared_key = coalesce($4, use_shared_key), native_client_ids = coalesce($5, native_client_ids),
            secret_id = $6
         where c.provider = $1 returning {COLUMNS}"
    );
    let row = transaction
        .query_one(
            &sql,
            &[&name, &change.client_id, &change.scopes, &change.use_shared_key, &change.native_client_ids, &secret_id],
        )
        .await?;
    transaction.commit().await?;
    let details = json!({"provider": name, "updatedFields": change.named_fields()});
    audit.record(&caller, "AUTH", "UPDATE_OAUTH_CONFIG", details).await?;
    Ok(Json(shown(&row)))
}

/// `DELETE /oauth/:provider/config`.
pub(super) async fn delete_config(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    Path(name): Path<String>,
) -> Result<Json<Value>> {
    providers::check_name(&name)?;
    let mut client = app.pools.internal().await?;
    let transaction = client.transaction().await?;
    let row = transaction
        .query_opt("delete from auth.oauth_configs where provider = $1 returning secret_id", &[&name])
        .await?
        .ok_or_else(not_found)?;
    if let Some(id) = row.get::<_, Option<Uuid>>(0) {
        client_secrets::delete(&transaction, id).await?;
    }
    transaction.commit().await?;
    audit.record(&caller, "AUTH", "DELETE_OAUTH_CONFIG", json!({"provider": name})).await?;
    let message = format!("OAuth configuration for {name} deleted successfully");
    Ok(Json(json!({"success": true, "message": message})))
}

/// The fields of a configuration that were given.
struct Change {
    use_shared_key: Option<bool>,
    client_id: Option<String>,
    native_client_ids: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
    client_secret: Option<String>,
}

impl Change {
    fn from_form(form: &mut Form<'_>) -> Self {
        let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let use_shared_key = if form.issues().iter().any(|issue| issue.path == "useSharedKey") {
            None
        } else {
            form.optional_bool("useSharedKey")
        };
        let client_id = form.optional_string("clientId").map(str::to_owned);
        let native = form.optional_strings("nativeClientIds");
        if let Some(ids) = &native {
            if ids.len() > NATIVE_CLIENT_IDS_MAX {
                form.issue("nativeClientIds", format!("Array must contain at most {NATIVE_CLIENT_IDS_MAX} element(s)"));
            }
            for (index, id) in ids.iter().enumerate() {
                let path = format!("nativeClientIds.{index}");
                match id.chars().count() {
                    0 => form.issue(path, "String must contain at least 1 character(s)"),
                    1..=NATIVE_CLIENT_ID_LENGTH_MAX => {}
                    _ => form
                        .issue(path, format!("String must contain at most {NATIVE_CLIENT_ID_LENGTH_MAX} character(s)")),
                }
            }
        }
        let scopes = form.optional_strings("scopes").map(owned);
        let client_secret = form.optional_string("clientSecret").filter(|text| !text.is_empty()).map(str::to_owned);
        Self { use_shared_key, client_id, native_client_ids: native.map(owned), scopes, client_secret }
    }

    fn check_shared(&self, app: &App, provider: &str) -> Result<()> {
        let offered = Provider::parse(provider).is_some_and(|provider| app.config.shares_client_of(provider));
        if self.use_shared_key == Some(true) && !offered {
            return Err(Error::bad_request(
                "AUTH_OAUTH_CONFIG_ERROR",
                "Shared OAuth keys are not enabled in this environment",
            ));
        }
        Ok(())
    }

    fn named_fields(&self) -> Vec<&'static str> {
        [
            (self.use_shared_key.is_some(), "useSharedKey"),
            (self.client_id.is_some(), "clientId"),
            (self.native_client_ids.is_some(), "nativeClientIds"),
            (self.scopes.is_some(), "scopes"),
            (self.client_secret.is_some(), "clientSecret"),
        ]
        .into_iter()
        .filter_map(|(given, name)| given.then_some(name))
        .collect()
    }
}

fn provider<'a>(form: &mut Form<'a>) -> &'a str {
    match form.get("provider") {
        None => form.string("provider"),
        Some(_) => form.optional_choice("provider", &NAMES).unwrap_or_default(),
    }
}

fn form_require_bool(form: &mut Form<'_>) {
    if form.get("useSharedKey").is_none() {
        form.bool("useSharedKey");
    }
}

async fn find(client: &impl GenericClient, provider: &str) -> Result<Option<Row>> {
    let sql = format!("select {COLUMNS} from auth.oauth_configs c where c.provider = $1");
    Ok(client.query_opt(&sql, &[&provider]).await?)
}

fn secret_name(provider: &str) -> String {
    format!("{}_CLIENT_SECRET", provider.to_uppercase())
}

fn default_scopes(name: &str) -> Vec<String> {
    let scopes = Provider::parse(name).map(Provider::default_scopes).unwrap_or_default();
    scopes.iter().map(|scope| (*scope).to_owned()).collect()
}

fn not_found() -> Error {
    Error::not_found("AUTH_OAUTH_CONFIG_NOT_FOUND", "OAuth configuration not found")
}

fn shown(row: &Row) -> Value {
    let time = |at: Option<DateTime<Utc>>| at.map(clock::iso_millis);
    json!({
        "id": row.get::<_, Uuid>(0),
        "provider": row.get::<_, String>(1),
        "clientId": row.get::<_, Option<String>>(2),
        "nativeClientIds": row.get::<_, Vec<String>>(3),
        "redirectUri": row.get::<_, Option<String>>(4),
        "scopes": row.get::<_, Option<Vec<String>>>(5),
        "useSharedKey": row.get::<_, bool>(6),
        "createdAt": time(row.get(7)),
        "updatedAt": time(row.get(8)),
    })
}
