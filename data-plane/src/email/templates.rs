//! The project's mail templates: five types, each with a subject and a body.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{DateTime, Utc};
use deadpool_postgres::ClientWrapper;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    http::{Error, JsonBody, Result, validation::Form},
    state::App,
};

const COLUMNS: &str = "id, template_type, subject, body_html, created_at, updated_at";

/// Which template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Template {
    /// Verify an address by code.
    VerificationCode,
    /// Verify an address by link.
    VerificationLink,
    /// Sign in by code.
    SignInCode,
    /// Reset a password by code.
    ResetCode,
    /// Reset a password by link.
    ResetLink,
}

impl Template {
    const ALL: [Self; 5] =
        [Self::VerificationCode, Self::VerificationLink, Self::SignInCode, Self::ResetCode, Self::ResetLink];

    /// Its name on the wire and in the table.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::VerificationCode => "email-verification-code",
            Self::VerificationLink => "email-verification-link",
            Self::SignInCode => "request-otp",
            Self::ResetCode => "reset-password-code",
            Self::ResetLink => "reset-password-link",
        }
    }
}

/// A template's text.
pub(super) struct Text {
    pub(super) subject: String,
    pub(super) body_html: String,
}

/// The text of a template.
pub(super) async fn read(client: &ClientWrapper, template: Template) -> Result<Text> {
    let row = client
        .query_opt("select subject, body_html from email.templates where template_type = $1", &[&template.as_str()])
        .await?
        .ok_or_else(|| not_found(template.as_str()))?;
    Ok(Text { subject: row.get(0), body_html: row.get(1) })
}

/// `GET /email-templates`.
pub(crate) async fn list_templates(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let sql = format!("select {COLUMNS} from email.templates order by template_type");
    let rows = client.query(&sql, &[]).await?;
    Ok(Json(json!({"data": rows.iter().map(shown).collect::<Vec<_>>()})))
}

/// `PUT /email-templates/:type`.
pub(crate) async fn update_template(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    Path(kind): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    if !Template::ALL.iter().any(|template| template.as_str() == kind) {
        let known = Template::ALL.map(Template::as_str).join(", ");
        return Err(Error::invalid_input(format!("Invalid template type. Must be one of: {known}")));
    }
    let mut form = Form::new(&body);
    let subject = filled(&mut form, "subject", "Subject is required");
    let body_html = filled(&mut form, "bodyHtml", "Body HTML is required");
    form.finish()?;
    let client = app.pools.internal().await?;
    let sql = format!(
        "update email.templates set subject = $2, body_html = $3, updated_at = now()
         where template_type = $1 returning {COLUMNS}"
    );
    let row = client.query_opt(&sql, &[&kind, &subject, &body_html]).await?.ok_or_else(|| not_found(&kind))?;
    audit.record(&caller, "EMAIL", "UPDATE_EMAIL_TEMPLATE", json!({"templateType": kind})).await?;
    Ok(Json(shown(&row)))
}

fn filled<'a>(form: &mut Form<'a>, name: &str, empty: &str) -> &'a str {
    let before = form.issues().len();
    let text = form.string(name);
    if text.is_empty() && form.issues().len() == before {
        form.issue(name, empty);
    }
    text
}

fn not_found(kind: &str) -> Error {
    Error::not_found("EMAIL_TEMPLATE_NOT_FOUND", format!("Email template not found: {kind}"))
}

fn shown(row: &Row) -> Value {
    json!({
        "id": row.get::<_, Uuid>(0),
        "templateType": row.get::<_, String>(1),
        "subject": row.get::<_, String>(2),
        "bodyHtml": row.get::<_, String>(3),
        "createdAt": clock::iso_millis(row.get::<_, DateTime<Utc>>(4)),
        "updatedAt": clock::iso_millis(row.get::<_, DateTime<Utc>>(5)),
    })
}
