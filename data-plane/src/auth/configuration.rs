//! The auth policy over HTTP: what sign-up forms need to know, and what administrators may change.

use std::sync::Arc;

use axum::{Json, extract::State};
use deadpool_postgres::ClientWrapper;
use http::StatusCode;
use serde_json::{Value, json};

use super::{policy::Policy, redirects};
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    email,
    http::{Error, JsonBody, Result, validation::Form},
    state::App,
};

const METHODS: &[&str] = &["code", "link"];

/// `GET /public-config`.
pub(super) async fn get_public_config(State(app): State<Arc<App>>) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let policy = Policy::read(&client, app.clock.now()).await?;
    let (built_in, custom) = oauth_providers(&client).await?;
    let mut body = json!({"oAuthProviders": built_in, "customOAuthProviders": custom});
    if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), policy.public_json()) {
        body.extend(fields);
    }
    Ok(Json(body))
}

/// `GET /config`.
pub(super) async fn get_config(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    Ok(Json(Policy::read(&client, app.clock.now()).await?.json()))
}

/// `PUT /config`.
pub(super) async fn update_config(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let change = Change::from_body(&body)?;
    let client = app.pools.internal().await?;
    if change.require_email_verification == Some(true) && email::provider(&app, &client).await?.is_none() {
        return Err(no_mail_provider());
    }
    let updated = change.named_fields();
    if !updated.is_empty() {
        change.store(&client).await?;
        audit.record(&caller, "AUTH", "UPDATE_AUTH_CONFIG", json!({"updatedFields": updated})).await?;
    }
    Ok(Json(Policy::read(&client, app.clock.now()).await?.json()))
}

/// Names of the configured sign-in providers, built-in and custom.
pub(crate) async fn oauth_providers(client: &ClientWrapper) -> Result<(Vec<String>, Vec<String>)> {
    let row = client
        .query_one(
            "select
                coalesce((select array_agg(provider order by provider) from auth.oauth_configs), '{}'),
                coalesce((select array_agg(key order by key) from auth.custom_oauth_configs), '{}')",
            &[],
        )
        .await?;
    Ok((row.get(0), row.get(1)))
}

fn no_mail_provider() -> Error {
    Error::new(
        StatusCode::BAD_REQUEST,
        "EMAIL_PROVIDER_NOT_CONFIGURED",
        "An email provider must be configured before email verification can be required.",
    )
    .with_next_actions(
        "Configure and enable custom SMTP, then retry. Cloud-linked projects can use the managed email provider.",
    )
}

/// The fields of a `PUT /config` that were given.
struct Change {
    require_email_verification: Option<bool>,
    password_min_length: Option<i32>,
    require_number: Option<bool>,
    require_lowercase: Option<bool>,
    require_uppercase: Option<bool>,
    require_special_char: Option<bool>,
    verify_email_method: Option<&'static str>,
    reset_password_method: Option<&'static str>,
    allowed_redirect_urls: Option<Option<Vec<String>>>,
    disable_signup: Option<bool>,
}

impl Change {
    fn from_body(body: &Value) -> Result<Self> {
        let mut form = Form::new(body);
        let change = Self {
            require_email_verification: form.optional_bool("requireEmailVerification"),
            password_min_length: form
                .optional_integer("passwordMinLength", 4, 128)
                .and_then(|length| i32::try_from(length).ok()),
            require_number: form.optional_bool("requireNumber"),
            require_lowercase: form.optional_bool("requireLowercase"),
            require_uppercase: form.optional_bool("requireUppercase"),
            require_special_char: form.optional_bool("requireSpecialChar"),
            verify_email_method: form.optional_choice("verifyEmailMethod", METHODS),
            reset_password_method: form.optional_choice("resetPasswordMethod", METHODS),
            allowed_redirect_urls: redirect_urls(&mut form),
            disable_signup: form.optional_bool("disableSignup"),
        };
        form.finish()?;
        Ok(change)
    }

    fn named_fields(&self) -> Vec<&'static str> {
        [
            (self.require_email_verification.is_some(), "requireEmailVerification"),
            (self.password_min_length.is_some(), "passwordMinLength"),
            (self.require_number.is_some(), "requireNumber"),
            (self.require_lowercase.is_some(), "requireLowercase"),
            (self.require_uppercase.is_some(), "requireUppercase"),
            (self.require_special_char.is_some(), "requireSpecialChar"),
            (self.verify_email_method.is_some(), "verifyEmailMethod"),
            (self.reset_password_method.is_some(), "resetPasswordMethod"),
            (self.allowed_redirect_urls.is_some(), "allowedRedirectUrls"),
            (self.disable_signup.is_some(), "disableSignup"),
        ]
        .into_iter()
        .filter_map(|(given, name)| given.then_some(name))
        .collect()
    }

    async fn store(&self, client: &ClientWrapper) -> Result<()> {
        client.execute("insert into auth.config default values on conflict do nothing", &[]).await?;
        client
            .execute(
                "update auth.config set
                    require_email_verification = coalesce($1, require_email_verification),
                    password_min_length = coalesce($2, password_min_length),
                    require_number = coalesce($3, require_number),
                    require_lowercase = coalesce($4, require_lowercase),
                    require_uppercase = coalesce($5, require_uppercase),
                    require_special_char = coalesce($6, require_special_char),
                    verify_email_method = coalesce($7, verify_email_method),
                    reset_password_method = coalesce($8, reset_password_method),
                    disable_signup = coalesce($9, disable_signup),
                    allowed_redirect_urls = case when $10 then $11 else allowed_redirect_urls end",
                &[
                    &self.require_email_verification,
                    &self.password_min_length,
                    &self.require_number,
                    &self.require_lowercase,
                    &self.require_uppercase,
                    &self.require_special_char,
                    &self.verify_email_method,
                    &self.reset_password_method,
                    &self.disable_signup,
                    &self.allowed_redirect_urls.is_some(),
                    &self.allowed_redirect_urls.clone().flatten(),
                ],
            )
            .await?;
        Ok(())
    }
}

fn redirect_urls(form: &mut Form<'_>) -> Option<Option<Vec<String>>> {
    if form.get("allowedRedirectUrls")?.is_null() {
        return Some(None);
    }
    let urls = form.optional_strings("allowedRedirectUrls")?;
    for (index, url) in urls.iter().enumerate() {
        if !redirects::valid_pattern(url) {
            form.issue(format!("allowedRedirectUrls.{index}"), "Invalid URL or wildcard URL");
        }
    }
    Some(Some(urls.into_iter().map(str::to_owned).collect()))
}
