//! The project's mail server as administrators see and change it. A server is stored only after signing in to it succeeded.

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Duration, Utc};
use deadpool_postgres::ClientWrapper;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Server, smtp, valid_email};
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    http::{Error, JsonBody, Result, validation::Form},
    state::App,
};

const PORTS: [i64; 4] = [25, 465, 587, 2525];
const MIN_INTERVAL_DEFAULT: i64 = 60;

const COLUMNS: &str = "id, enabled, host, port, username, password_encrypted, sender_email, sender_name,
    min_interval_seconds, created_at, updated_at";

/// The server that mail goes to, when it is enabled and its password can be read.
pub(super) async fn server(app: &App, client: &ClientWrapper) -> Result<Option<Server>> {
    let sql = format!("select {COLUMNS} from email.config where enabled limit 1");
    let statement = client.prepare_cached(&sql).await?;
    let Some(row) = client.query_opt(&statement, &[]).await? else { return Ok(None) };
    Ok(password(app, &row).map(|password| Server {
        host: row.get(2),
        port: u16::try_from(row.get::<_, i32>(3)).unwrap_or_default(),
        username: row.get(4),
        password,
        sender_email: row.get(6),
        sender_name: row.get(7),
        min_interval: Duration::seconds(row.get::<_, i32>(8).into()),
    }))
}

/// `GET /smtp-config`.
pub(crate) async fn get_smtp_config(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    Ok(Json(shown(&stored(&client).await?)))
}

/// `PUT /smtp-config`.
pub(crate) async fn update_smtp_config(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let change = Change::from_body(&body)?;
    let client = app.pools.internal().await?;
    let kept = password(&app, &stored(&client).await?);
    if !change.enabled && !app.config.part_of_cloud() && verification_required(&client).await? {
        return Err(Error::bad_request(
            "EMAIL_PROVIDER_NOT_CONFIGURED",
            "SMTP cannot be disabled while email verification is required.",
        )
        .with_next_actions("Turn off required email verification first, then retry."));
    }
    // Verifying takes seconds; the connection is free for others meanwhile.
    drop(client);
    if change.enabled {
        verify(&app, &change, kept).await?;
    }
    let client = app.pools.internal().await?;
    let row = change.store(&app, &client).await?;
    let details = json!({"enabled": change.enabled, "host": change.host, "port": change.port});
    audit.record(&caller, "EMAIL", "UPDATE_SMTP_CONFIG", details).await?;
    Ok(Json(shown(&row)))
}

struct Change {
    enabled: bool,
    host: String,
    port: i32,
    username: String,
    password: Option<SecretString>,
    sender_email: String,
    sender_name: String,
    min_interval_seconds: i32,
}

impl Change {
    fn from_body(body: &Value) -> Result<Self> {
        let mut form = Form::new(body);
        let enabled = form.bool("enabled");
        let text = |form: &mut Form<'_>, name: &str| form.optional_string(name).unwrap_or_default().trim().to_owned();
        let host = text(&mut form, "host");
        let port = port(&mut form);
        let username = text(&mut form, "username");
        let password = form.optional_string("password").filter(|password| !password.is_empty());
        let sender_email = text(&mut form, "senderEmail");
        let sender_name = text(&mut form, "senderName");
        let interval = form.optional_integer("minIntervalSeconds", 0, i32::MAX.into()).unwrap_or(MIN_INTERVAL_DEFAULT);
        if enabled && form.issues().is_empty() {
            for (name, value, label) in [
                ("host", &host, "SMTP host"),
                ("username", &username, "SMTP username"),
                ("senderEmail", &sender_email, "Sender email"),
                ("senderName", &sender_name, "Sender name"),
            ] {
                if value.is_empty() {
                    form.issue(name, format!("{label} is required when SMTP is enabled"));
                }
            }
            if !sender_email.is_empty() && !valid_email(&sender_email) {
                form.issue("senderEmail", "Invalid sender email");
            }
        }
        form.finish()?;
        Ok(Self {
            enabled,
            host,
            port,
            username,
            password: password.map(SecretString::from),
            sender_email,
            sender_name,
            min_interval_seconds: i32::try_from(interval).unwrap_or(i32::MAX),
        })
    }

    /// Stores all fields; without a new password the old one stays.
    async fn store(&self, app: &App, client: &ClientWrapper) -> Result<Row> {
        let encrypted = self.password.as_ref().map(|password| app.cipher.encrypt(password.expose_secret()));
        let sql = format!(
            "update email.config set enabled = $1, host = $2, port = $3, username = $4,
                password_encrypted = coalesce($5, password_encrypted), sender_email = $6, sender_name = $7,
                min_interval_seconds = $8, updated_at = now()
             returning {COLUMNS}"
        );
        let row = client
            .query_one(
                &sql,
                &[
                    &self.enabled,
                    &self.host,
                    &self.port,
                    &self.username,
                    &encrypted,
                    &self.sender_email,
                    &self.sender_name,
                    &self.min_interval_seconds,
                ],
            )
            .await?;
        Ok(row)
    }
}

fn port(form: &mut Form<'_>) -> i32 {
    let before = form.issues().len();
    let port = form.integer("port", i64::MIN, i64::MAX);
    if form.issues().len() == before && !PORTS.contains(&port) {
        form.issue("port", "Port must be one of: 25, 465, 587, 2525");
    }
    i32::try_from(port).unwrap_or_default()
}

async fn verify(app: &App, change: &Change, kept: Option<SecretString>) -> Result<()> {
    let Some(password) = change.password.clone().or(kept) else {
        return Err(Error::invalid_input("SMTP password is required when enabling SMTP"));
    };
    let server = Server {
        host: change.host.clone(),
        port: u16::try_from(change.port).unwrap_or_default(),
        username: change.username.clone(),
        password,
        sender_email: change.sender_email.clone(),
        sender_name: change.sender_name.clone(),
        min_interval: Duration::zero(),
    };
    smtp::verify(app, &server).await.map_err(|failure| match &failure {
        smtp::Failure::Address(error) if error.is_refusal() => Error::invalid_input(failure.to_string()),
        _ => Error::bad_request("EMAIL_SMTP_CONNECTION_FAILED", format!("SMTP connection failed: {failure}")),
    })
}

async fn verification_required(client: &ClientWrapper) -> Result<bool> {
    let row = client.query_opt("select require_email_verification from auth.config limit 1", &[]).await?;
    Ok(row.is_some_and(|row| row.get(0)))
}

/// The one row, made when it is missing.
async fn stored(client: &ClientWrapper) -> Result<Row> {
    let sql = format!("select {COLUMNS} from email.config limit 1");
    if let Some(row) = client.query_opt(&sql, &[]).await? {
        return Ok(row);
    }
    client.execute("insert into email.config default values on conflict do nothing", &[]).await?;
    Ok(client.query_one(&sql, &[]).await?)
}

fn password(app: &App, row: &Row) -> Option<SecretString> {
    let encrypted: &str = row.get(5);
    match encrypted {
        "" => None,
        encrypted => app.cipher.decrypt(encrypted).ok().map(SecretString::from),
    }
}

fn shown(row: &Row) -> Value {
    json!({
        "id": row.get::<_, Uuid>(0),
        "enabled": row.get::<_, bool>(1),
        "host": row.get::<_, String>(2),
        "port": row.get::<_, i32>(3),
        "username": row.get::<_, String>(4),
        "hasPassword": !row.get::<_, &str>(5).is_empty(),
        "senderEmail": row.get::<_, String>(6),
        "senderName": row.get::<_, String>(7),
        "minIntervalSeconds": row.get::<_, i32>(8),
        "createdAt": clock::iso_millis(row.get::<_, DateTime<Utc>>(9)),
        "updatedAt": clock::iso_millis(row.get::<_, DateTime<Utc>>(10)),
    })
}
