//! `POST /api/email/send-raw`: a mail as a signed-in caller wrote it.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::{Map, Value, json};

use super::{Mail, Provider, cloud, not_configured, provider, send_spaced, valid_email};
use crate::{
    authentication::{RequireUser, Role},
    http::{Error, JsonBody, Result, validation::Form},
    state::App,
};

const RECIPIENTS_MAX: usize = 50;
const SUBJECT_MAX: usize = 500;
const SENDER_NAME_MAX: usize = 100;

/// `POST /send-raw`.
pub(super) async fn send_raw(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    if caller.role == Role::Anon {
        return Err(Error::unauthorized("AUTH_INVALID_CREDENTIALS", "Sending emails requires an authenticated user"));
    }
    let letter = Letter::from_body(&body)?;
    let provider = {
        let client = app.pools.internal().await?;
        provider(&app, &client).await?.ok_or_else(not_configured)?
    };
    match &provider {
        Provider::Smtp(server) => {
            let mail = Mail {
                to: letter.to.iter().map(String::as_str).collect(),
                cc: letter.cc.iter().map(String::as_str).collect(),
                bcc: letter.bcc.iter().map(String::as_str).collect(),
                reply_to: letter.reply_to.as_deref(),
                subject: &letter.subject,
                html: &letter.html,
            };
            send_spaced(&app, server, &mail).await?;
        }
        Provider::Cloud => cloud::send_raw(&app, &letter.for_cloud()).await?,
    }
    app.activity.email_sent();
    Ok(Json(json!({})))
}

struct Letter {
    to: Vec<String>,
    cc: Vec<String>,
    bcc: Vec<String>,
    subject: String,
    html: String,
    from: Option<String>,
    reply_to: Option<String>,
}

impl Letter {
    fn from_body(body: &Value) -> Result<Self> {
        let mut form = Form::new(body);
        let to = recipients(&mut form, "to", true);
        // A subject is one line, whatever it holds.
        let subject = sized(&mut form, "subject", SUBJECT_MAX).replace(|c: char| c.is_control(), " ");
        let html = sized(&mut form, "html", usize::MAX);
        let cc = recipients(&mut form, "cc", false);
        let bcc = recipients(&mut form, "bcc", false);
        let from = form.optional_string("from").map(str::to_owned);
        if from.as_deref().is_some_and(|name| name.chars().count() > SENDER_NAME_MAX) {
            form.issue("from", format!("String must contain at most {SENDER_NAME_MAX} character(s)"));
        }
        let reply_to = form.optional_string("replyTo").map(str::to_lowercase);
        if reply_to.as_deref().is_some_and(|address| !valid_email(address)) {
            form.issue("replyTo", "Invalid email");
        }
        if !form.issues().is_empty() {
            return Err(Error::invalid_input(issue_list(&form)));
        }
        Ok(Self { to, cc, bcc, subject, html, from, reply_to })
    }

    fn for_cloud(&self) -> Value {
        let mut body = Map::new();
        body.insert("to".to_owned(), json!(self.to));
        body.insert("subject".to_owned(), json!(self.subject));
        body.insert("html".to_owned(), json!(self.html));
        for (name, list) in [("cc", &self.cc), ("bcc", &self.bcc)] {
            if !list.is_empty() {
                body.insert(name.to_owned(), json!(list));
            }
        }
        for (name, text) in [("from", &self.from), ("replyTo", &self.reply_to)] {
            if let Some(text) = text {
                body.insert(name.to_owned(), json!(text));
            }
        }
        Value::Object(body)
    }
}

/// One address or a list of them, lower case.
fn recipients(form: &mut Form<'_>, name: &str, required: bool) -> Vec<String> {
    let texts: Vec<&str> = match form.get(name) {
        None if required => {
            form.string(name);
            return Vec::new();
        }
        None => return Vec::new(),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect()
        }
        Some(_) => {
            form.issue(name, "Invalid input");
            return Vec::new();
        }
    };
    match texts.len() {
        0 => form.issue(name, "Array must contain at least 1 element(s)"),
        count if count > RECIPIENTS_MAX => {
            form.issue(name, format!("Array must contain at most {RECIPIENTS_MAX} element(s)"));
        }
        _ => {}
    }
    for (index, text) in texts.iter().enumerate() {
        if !valid_email(text) {
            let path = if texts.len() == 1 { name.to_owned() } else { format!("{name}.{index}") };
            form.issue(path, "Invalid email");
        }
    }
    texts.into_iter().map(str::to_lowercase).collect()
}

fn sized(form: &mut Form<'_>, name: &str, max: usize) -> String {
    let before = form.issues().len();
    let text = form.string(name);
    if form.issues().len() == before {
        match text.chars().count() {
            0 => form.issue(name, "String must contain at least 1 character(s)"),
            count if count > max => form.issue(name, format!("String must contain at most {max} character(s)")),
            _ => {}
        }
    }
    text.to_owned()
}

/// This route alone answers with the list of issues itself.
fn issue_list(form: &Form<'_>) -> String {
    let issues: Vec<Value> = form
        .issues()
        .iter()
        .map(|issue| {
            let path: Vec<Value> = issue
                .path
                .split('.')
                .filter(|part| !part.is_empty())
                .map(|part| part.parse::<u64>().map_or_else(|_| json!(part), |index| json!(index)))
                .collect();
            json!({"code": issue_code(&issue.message), "path": path, "message": issue.message})
        })
        .collect();
    Value::Array(issues).to_string()
}

fn issue_code(message: &str) -> &'static str {
    match message {
        "Invalid email" => "invalid_string",
        "Invalid input" => "invalid_union",
        text if text.contains("at least") => "too_small",
        text if text.contains("at most") => "too_big",
        _ => "invalid_type",
    }
}
