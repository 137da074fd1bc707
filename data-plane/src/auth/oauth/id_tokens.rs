//! `POST /id-token`: signing in with an identity token that the application got from the provider itself.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use identity_providers::{Identity, from_claims, text, verified_claims};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{
    accounts, calls,
    configs::{self, Usable},
    providers::Provider,
};
use crate::{
    auth::{
        fields,
        tokens::{self, ClientType},
        users,
    },
    http::{ClientAddress, Error, JsonBody, Query, Result, validation::Form},
    state::App,
};

const APPLE_FIELDS: [&str; 4] = ["provider", "token", "nonce", "name"];
const NONCE_MAX: usize = 255;

/// `POST /id-token`.
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    address: ClientAddress,
    query: Query,
    JsonBody(body): JsonBody,
) -> Response {
    let work = async {
        let identity = match body.get("provider").and_then(Value::as_str) {
            Some("google") => google(&app, &body).await?,
            Some("apple") => apple(&app, &body).await?,
            _ => {
                return Err(Error::invalid_input("provider: Invalid discriminator value. Expected 'google' | 'apple'"));
            }
        };
        let found = accounts::find_or_create(&app, &identity).await?;
        let client = app.pools.internal().await?;
        let mut account = users::find(&client, found.id)
            .await?
            .ok_or_else(|| Error::unauthorized("AUTH_UNAUTHORIZED", "User not found"))?;
        if found.new {
            as_first_shown(&mut account.json);
        }
        let answer = json!({"user": account.json});
        Ok(tokens::session(&app, &client, &account, ClientType::of(&query), answer).await)
    };
    app.limits.id_tokens.around(&app, address, work).await
}

async fn google(app: &App, body: &Value) -> Result<Identity> {
    let mut form = Form::new(body);
    let token = filled_token(&mut form);
    form.finish()?;
    let refused = || Error::invalid_input("Failed to verify Google ID token");
    let config = {
        let client = app.pools.internal().await?;
        let usable = configs::usable(app, &client, Provider::Google).await?;
        usable.filter(|config| !config.shared).ok_or_else(refused)?
    };
    let claims = claims(app, Provider::Google, &config, token).await.map_err(|_| refused())?;
    if text(&claims, "email").is_none() {
        return Err(Error::invalid_input("Invalid Google ID token: missing email claim"));
    }
    from_claims(Provider::Google, claims).map_err(|_| refused())
}

async fn apple(app: &App, body: &Value) -> Result<Identity> {
    let mut form = Form::new(body);
    let token = filled_token(&mut form);
    let before = form.issues().len();
    let nonce = form.string("nonce");
    if form.issues().len() == before {
        match nonce.chars().count() {
            0 => form.issue("nonce", "String must contain at least 1 character(s)"),
            1..=NONCE_MAX => {}
            _ => form.issue("nonce", format!("String must contain at most {NONCE_MAX} character(s)")),
        }
    }
    let name = fields::name(&mut form);
    let unknown: Vec<String> = body
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys())
        .filter(|key| !APPLE_FIELDS.contains(&key.as_str()))
        .map(|key| format!("'{key}'"))
        .collect();
    if !unknown.is_empty() {
        form.issue("", format!("Unrecognized key(s) in object: {}", unknown.join(", ")));
    }
    form.finish()?;
    let refused = || Error::unauthorized("AUTH_UNAUTHORIZED", "Failed to verify Apple ID token");
    let config = {
        let client = app.pools.internal().await?;
        configs::read(app, &client, Provider::Apple).await?.ok_or_else(refused)?
    };
    let claims = claims(app, Provider::Apple, &config, token).await.map_err(|_| refused())?;
    let expected = hex::encode(Sha256::digest(nonce.as_bytes()));
    let presented = claims["nonce"].as_str().unwrap_or_default();
    if !bool::from(expected.as_bytes().ct_eq(presented.as_bytes())) {
        return Err(refused());
    }
    let verified = claims["email_verified"] == true || claims["email_verified"] == "true";
    let mut identity = from_claims(Provider::Apple, claims).map_err(|_| refused())?;
    if !verified {
        identity.email = None;
    }
    if let Some(name) = name {
        identity.name = name;
    }
    Ok(identity)
}

fn filled_token<'a>(form: &mut Form<'a>) -> &'a str {
    let before = form.issues().len();
    let token = form.string("token");
    if token.is_empty() && form.issues().len() == before {
        form.issue("token", "String must contain at least 1 character(s)");
    }
    token
}

async fn claims(app: &App, provider: Provider, config: &Usable, token: &str) -> Result<Value, &'static str> {
    let audiences: Vec<&str> = std::iter::once(&config.client_id)
        .chain(&config.native_client_ids)
        .map(String::as_str)
        .filter(|audience| !audience.is_empty())
        .collect();
    if audiences.is_empty() {
        return Err("no audience is configured");
    }
    verified_claims(calls(app), provider, token, &audiences).await
}

/// An account that this very sign-in made is shown without what was not read back.
fn as_first_shown(user: &mut Value) {
    if let Some(fields) = user.as_object_mut() {
        fields.shift_remove("providers");
        fields.insert("metadata".to_owned(), Value::Null);
    }
}
