//! New access keys: the old one stays valid for a grace period.

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::Duration;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::{
    audit::Audit,
    authentication::{KeyKind, RequireAdmin},
    http::{Error, JsonBody, Result, validation::type_name},
    startup::access_key,
    state::App,
};

struct Rotation {
    kind: KeyKind,
    grace_max_hours: i64,
    grace_default_hours: i64,
    name: &'static str,
    field: &'static str,
    action: &'static str,
}

const API: Rotation = Rotation {
    kind: KeyKind::Api,
    grace_max_hours: 168,
    grace_default_hours: 24,
    name: "API key",
    field: "apiKey",
    action: "ROTATE_API_KEY",
};

const ANON: Rotation = Rotation {
    kind: KeyKind::Anon,
    grace_max_hours: 720,
    grace_default_hours: 168,
    name: "Anon key",
    field: "anonKey",
    action: "ROTATE_ANON_KEY",
};

/// `POST /api-key/rotate`.
pub(super) async fn rotate_api_key(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let (answer, details) = API.rotate(&app, &body).await?;
    audit.record(&caller, "SECRETS", API.action, details).await?;
    Ok(Json(answer))
}

/// `POST /anon-key/rotate`.
pub(super) async fn rotate_anon_key(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let (answer, details) = ANON.rotate(&app, &body).await?;
    audit.record(&caller, "SECRETS", ANON.action, details).await?;
    Ok(Json(answer))
}

impl Rotation {
    async fn rotate(&self, app: &App, body: &Value) -> Result<(Value, Value)> {
        let grace_hours = self.grace_hours(body)?;
        let now = app.clock.now();
        let old_expires_at = now + Duration::hours(grace_hours);
        let name = self.kind.secret_name();
        let old_name = format!("{name}_OLD_{}", now.timestamp_millis());
        let key = access_key(self.kind, None);
        let mut client = app.pools.internal().await?;
        let transaction = client.transaction().await?;
        transaction
            .execute(
                "update system.secrets set key = $2, expires_at = $3 where key = $1",
                &[&name, &old_name, &old_expires_at],
            )
            .await?;
        transaction
            .execute(
                "insert into system.secrets (key, value_ciphertext, is_reserved) values ($1, $2, true)",
                &[&name, &app.cipher.encrypt(key.expose_secret())],
            )
            .await?;
        transaction.commit().await?;
        app.access_keys.forget();
        let mut answer = json!({
            "success": true,
            "message": format!("{} rotated successfully. Old key will remain valid during grace period.", self.name),
        });
        answer[self.field] = json!(key.expose_secret());
        answer["oldKeyExpiresAt"] = json!(clock::iso_millis(old_expires_at));
        Ok((answer, json!({"gracePeriodHours": grace_hours, "oldKeyExpiresAt": clock::iso_millis(old_expires_at)})))
    }

    fn grace_hours(&self, body: &Value) -> Result<i64> {
        let invalid = |what: String| Error::invalid_input(format!("Invalid request: {what}"));
        let fields = match body {
            Value::Object(fields) => fields,
            Value::Null => return Err(invalid(": Required".to_owned())),
            other => return Err(invalid(format!(": Expected object, received {}", type_name(other)))),
        };
        let hours = match fields.get("gracePeriodHours") {
            None => return Ok(self.grace_default_hours),
            Some(Value::Null) => Some(0.0),
            Some(Value::Bool(value)) => Some(f64::from(u8::from(*value))),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        let path = "gracePeriodHours";
        let Some(hours) = hours.filter(|hours| hours.is_finite()) else {
            return Err(invalid(format!("{path}: Expected number, received nan")));
        };
        if hours.fract() != 0.0 {
            return Err(invalid(format!("{path}: Expected integer, received float")));
        }
        if hours < 0.0 {
            return Err(invalid(format!("{path}: Number must be greater than or equal to 0")));
        }
        if hours > self.grace_max_hours as f64 {
            let max = self.grace_max_hours;
            return Err(invalid(format!("{path}: Number must be less than or equal to {max}")));
        }
        Ok(hours as i64)
    }
}
