//! Mail: how it is sent, its texts, and sending it. An enabled SMTP server goes first, then the cloud's provider where there is one.

use std::sync::Arc;

use axum::{Router, routing::post};
use chrono::Duration;
use deadpool_postgres::ClientWrapper;
use http::StatusCode;
use secrecy::SecretString;

use crate::{
    http::{Error, Result},
    state::App,
};

mod addresses;
mod cloud;
pub(crate) mod configuration;
mod raw;
mod rendering;
mod smtp;
pub(crate) mod templates;

pub(crate) use addresses::valid_email;
pub(crate) use templates::Template;

/// Routes under `/api/email`.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/send-raw", post(raw::send_raw))
}

/// How mail is sent.
pub(crate) enum Provider {
    /// By the project's own server.
    Smtp(Box<Server>),
    /// By the cloud.
    Cloud,
}

/// The project's mail server.
pub(crate) struct Server {
    host: String,
    port: u16,
    username: String,
    password: SecretString,
    sender_email: String,
    sender_name: String,
    min_interval: Duration,
}

/// What a template's placeholders stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables {
    /// Whom the mail addresses.
    pub(crate) name: String,
    /// The code, for templates that show one.
    pub(crate) token: Option<String>,
    /// The link, for templates that show one.
    pub(crate) link: Option<String>,
}

/// One mail, ready to be sent.
struct Mail<'a> {
    to: Vec<&'a str>,
    cc: Vec<&'a str>,
    bcc: Vec<&'a str>,
    reply_to: Option<&'a str>,
    subject: &'a str,
    html: &'a str,
}

/// How mail can be sent now, if at all.
///
/// # Errors
/// Postgres cannot be asked.
pub(crate) async fn provider(app: &App, client: &ClientWrapper) -> Result<Option<Provider>> {
    if let Some(server) = configuration::server(app, client).await? {
        return Ok(Some(Provider::Smtp(Box::new(server))));
    }
    Ok(app.config.part_of_cloud().then_some(Provider::Cloud))
}

/// Sends one of the project's templates.
///
/// # Errors
/// The recipient had a mail just now (429), or the mail is not taken.
pub(crate) async fn send_template(
    app: &App,
    provider: &Provider,
    template: Template,
    to: &str,
    variables: &Variables,
) -> Result<()> {
    match provider {
        Provider::Smtp(server) => {
            let text = {
                let client = app.pools.internal().await?;
                templates::read(&client, template).await?
            };
            let (subject, html) =
                (rendering::subject(&text.subject, to, variables), rendering::html(&text.body_html, to, variables));
            let mail = Mail { to: vec![to], cc: vec![], bcc: vec![], reply_to: None, subject: &subject, html: &html };
            send_spaced(app, server, &mail).await?;
        }
        Provider::Cloud => cloud::send_template(app, template, to, variables).await?,
    }
    app.activity.email_sent();
    Ok(())
}

/// 503 where no mail can be sent.
pub(crate) fn not_configured() -> Error {
    Error::new(StatusCode::SERVICE_UNAVAILABLE, "EMAIL_PROVIDER_NOT_CONFIGURED", "No email provider is configured.")
}

/// Sends by the project's server, to nobody who had a mail within the interval.
async fn send_spaced(app: &App, server: &Server, mail: &Mail<'_>) -> Result<()> {
    let now = app.clock.now();
    let recipients: Vec<String> =
        mail.to.iter().chain(&mail.cc).chain(&mail.bcc).map(|address| address.to_lowercase()).collect();
    let cancel = |begun: &[String]| begun.iter().for_each(|key| app.limits.mail_interval.cancel(key));
    if server.min_interval > Duration::zero() {
        for (index, recipient) in recipients.iter().enumerate() {
            // Named twice in one mail is still one mail.
            if recipients[..index].contains(recipient) {
                continue;
            }
            if let Err(seconds) = app.limits.mail_interval.begin(recipient, now, server.min_interval) {
                cancel(&recipients[..index]);
                let message = format!("Too many emails to this address. Retry after {seconds}s.");
                return Err(
                    Error::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message).with_retry_after(seconds)
                );
            }
        }
    }
    smtp::send(app, server, mail).await.map_err(|failure| {
        cancel(&recipients);
        tracing::warn!(cause = telemetry::chain(&failure), "a mail was not taken by the project's server");
        Error::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "EMAIL_SMTP_SEND_FAILED",
            format!("Failed to send email via SMTP: {failure}"),
        )
    })
}
