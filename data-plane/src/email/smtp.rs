//! Talking to the project's mail server. Its address is the tenant's choice, so it is resolved and checked like any other outgoing call,
//! and exactly the checked address is connected to.

use std::{net::SocketAddr, time::Duration};

use lettre::{
    Message,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        extension::ClientId,
    },
};
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::{Mail, Server};
use crate::state::App;

/// For everything from the lookup of the name to the end.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The port on which TLS begins with the connection.
const IMPLICIT_TLS_PORT: u16 = 465;

/// Strongest first.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// Why the server did not do it; the text may be shown to the project's administrators.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The address is refused or leads nowhere.
    #[error("SMTP host {0}")]
    Address(#[from] outbound::Error),
    /// The server's answer, or none.
    #[error("{0}")]
    Server(#[from] lettre::transport::smtp::Error),
    /// The server would take the password unencrypted only.
    #[error("the server does not offer STARTTLS")]
    Unencrypted,
    /// The connection does not come about in time.
    #[error("the server does not answer in time")]
    Timeout,
    /// The mail cannot be written.
    #[error("the mail has an address that cannot be written")]
    Unwritable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Signs in and leaves again.
pub(super) async fn verify(app: &App, server: &Server) -> Result<(), Failure> {
    within_time(async {
        let mut connection = sign_in(app, server).await?;
        let _polite = connection.quit().await;
        Ok(())
    })
    .await
}

/// Hands over one mail.
pub(super) async fn send(app: &App, server: &Server, mail: &Mail<'_>) -> Result<(), Failure> {
    let message = written(server, mail)?;
    within_time(async {
        let mut connection = sign_in(app, server).await?;
        connection.send(message.envelope(), &message.formatted()).await?;
        let _polite = connection.quit().await;
        Ok(())
    })
    .await
}

async fn within_time(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::time::timeout(TIMEOUT, work).await.unwrap_or(Err(Failure::Timeout))
}

async fn sign_in(app: &App, server: &Server) -> Result<AsyncSmtpConnection, Failure> {
    let addresses = app.outbound.resolve(&server.host, server.port).await?;
    let mut last = Failure::Timeout;
    for address in addresses {
        match connect(app, server, address).await {
            Ok(mut connection) => {
                let credentials = Credentials::new(server.username.clone(), server.password.expose_secret().to_owned());
                connection.auth(&MECHANISMS, &credentials).await?;
                return Ok(connection);
            }
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

async fn connect(app: &App, server: &Server, address: SocketAddr) -> Result<AsyncSmtpConnection, Failure> {
    let hello = hello_name(app);
    if server.port == IMPLICIT_TLS_PORT {
        let tls = Some(tls(app, server)?);
        return Ok(AsyncSmtpConnection::connect_tokio1(address, Some(TIMEOUT), &hello, tls, None).await?);
    }
    let mut connection = AsyncSmtpConnection::connect_tokio1(address, Some(TIMEOUT), &hello, None, None).await?;
    if connection.can_starttls() {
        connection.starttls(tls(app, server)?, &hello).await?;
    } else if !app.outbound.operator_allows(address.ip()) {
        // Only a server that the operator vouches for may see the password in clear.
        return Err(Failure::Unencrypted);
    }
    Ok(connection)
}

fn tls(app: &App, server: &Server) -> Result<TlsParameters, Failure> {
    let domain = server.host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let mut parameters = TlsParameters::builder(domain);
    if let Some(pem) = app.outbound.extra_roots_pem() {
        parameters = parameters.add_root_certificate(Certificate::from_pem(pem)?);
    }
    Ok(parameters.build()?)
}

/// How the process introduces itself: by its public name.
fn hello_name(app: &App) -> ClientId {
    let host = url::Url::parse(&app.config.api_base_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    ClientId::Domain(host.unwrap_or_else(|| "localhost".to_owned()))
}

fn written(server: &Server, mail: &Mail<'_>) -> Result<Message, Failure> {
    let unwritable = |error: lettre::address::AddressError| Failure::Unwritable(Box::new(error));
    let mailbox = |address: &str| address.parse().map(|address| Mailbox::new(None, address)).map_err(unwritable);
    let name = Some(server.sender_name.clone()).filter(|name| !name.is_empty());
    let domain = server.sender_email.rsplit('@').next().unwrap_or("localhost");
    let mut builder = Message::builder()
        .from(Mailbox::new(name, server.sender_email.parse().map_err(unwritable)?))
        .subject(mail.subject)
        .message_id(Some(format!("<{}@{domain}>", Uuid::new_v4())));
    for address in &mail.to {
        builder = builder.to(mailbox(address)?);
    }
    for address in &mail.cc {
        builder = builder.cc(mailbox(address)?);
    }
    for address in &mail.bcc {
        builder = builder.bcc(mailbox(address)?);
    }
    if let Some(address) = mail.reply_to {
        builder = builder.reply_to(mailbox(address)?);
    }
    builder
        .header(ContentType::TEXT_HTML)
        .body(mail.html.to_owned())
        .map_err(|error| Failure::Unwritable(Box::new(error)))
}
