//! Postgres for projects' developers: TLS, routing by host, wake on connect, bytes both ways.
//!
//! The gateway reads what a client says before it signs in, and writes the first message to Postgres itself: who signs in, and where, is never
//! the client's word. Whether the password is right is for Postgres to say; one that asks for none is refused.
//!
//! An open session is no use of a project: bytes are. A project whose sessions are silent for its idle time falls asleep, and its Postgres
//! ends them; the next connection wakes it. A statement that still runs is work, and puts that off.

mod cancels;
mod messages;
mod opening;
mod refusal;
mod session;
mod startup;
mod turns;

use std::{io, net, sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    config::GatewayConfig,
    edge::Edge,
    listener::{accept, cut_at_end, tuned},
    projects::Project,
};
use cancels::{CancelKey, Cancels};
use opening::Opening;
use refusal::Refusal;
use startup::{First, Startup};
use turns::{Stranger, Turns};

/// The protocol's name in the handshake; a client that starts with TLS has to say it.
pub(crate) const PROTOCOLS: &[&[u8]] = &[PROTOCOL];
const PROTOCOL: &[u8] = b"postgresql";
/// From accept to the first message after TLS.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a client may take to read why it is refused.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// How hosts of projects are made.
pub(crate) struct Names {
    base_domain: String,
    regions: Vec<String>,
}

impl Names {
    /// As they are routed: lower case.
    pub(crate) fn new(config: &GatewayConfig) -> Self {
        Self { base_domain: config.base_domain.to_ascii_lowercase(), regions: config.regions.clone() }
    }
}

/// What is known of open sessions, and of clients that have none yet.
#[derive(Default)]
pub(crate) struct Sessions {
    cancels: Cancels,
    turns: Turns,
}

/// Serves Postgres until the gateway drains; every connection runs in a task of its own.
pub(crate) async fn run(edge: Arc<Edge>, listener: TcpListener, tls: Arc<ServerConfig>, names: Names) {
    let (acceptor, names) = (TlsAcceptor::from(tls), Arc::new(names));
    accept(&edge, listener, |stream, peer| {
        // More than these are closed at once: a client that floods must not keep others' sessions from beginning later.
        let Some(stranger) = edge.sessions.turns.admit(peer.ip()) else { return };
        // From here on both ends of the session belong to one of the serving threads.
        let Ok(stream) = stream.into_std() else { return };
        let connection = serve(Arc::clone(&edge), stream, acceptor.clone(), Arc::clone(&names), stranger);
        edge.tasks.spawn_on(cut_at_end(Arc::clone(&edge), connection), edge.workers.next());
    })
    .await;
}

async fn serve(edge: Arc<Edge>, stream: net::TcpStream, acceptor: TlsAcceptor, names: Arc<Names>, stranger: Stranger) {
    let Ok(stream) = TcpStream::from_std(stream).and_then(tuned) else { return };
    match timeout(HANDSHAKE_LIMIT, greet(stream, &acceptor)).await {
        Ok(Ok(Greeted::Session(client, startup))) => {
            begin(edge, client, startup, &names, stranger).await;
        }
        Ok(Ok(Greeted::Cancel(key))) => edge.sessions.cancels.forward(&edge, &key).await,
        Ok(Ok(Greeted::Refused)) => {}
        Ok(Err(error)) => tracing::debug!(error = %error, "a Postgres client did not come in"),
        Err(_) => tracing::debug!("a Postgres client took too long to come in"),
    }
}

/// What a client wants.
enum Greeted {
    Session(Box<TlsStream<TcpStream>>, Startup),
    Cancel(CancelKey),
    Refused,
}

/// Everything up to the client's first message behind TLS. Nothing is looked up for a client without it.
async fn greet(mut stream: TcpStream, acceptor: &TlsAcceptor) -> io::Result<Greeted> {
    let direct = match opening::read(&mut stream).await? {
        Opening::Tls { direct } => direct,
        // Older clients cancel in clear text; the key is all they say, and all they need.
        Opening::Cancel(key) => return Ok(Greeted::Cancel(key)),
        Opening::ClearText => {
            refuse(&mut stream, &Refusal::ClearText).await;
            return Ok(Greeted::Refused);
        }
    };
    let mut client = Box::new(acceptor.accept(stream).await?);
    if direct && client.get_ref().1.alpn_protocol() != Some(PROTOCOL) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "TLS from the start without the protocol's name"));
    }
    match startup::read(&mut client).await {
        Ok(First::Startup(startup)) => Ok(Greeted::Session(client, startup)),
        Ok(First::Cancel(key)) => Ok(Greeted::Cancel(key)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            refuse(&mut client, &Refusal::Protocol).await;
            Ok(Greeted::Refused)
        }
        Err(error) => Err(error),
    }
}

/// Finds the project that is meant and opens a session there.
async fn begin(
    edge: Arc<Edge>,
    mut client: Box<TlsStream<TcpStream>>,
    startup: Startup,
    names: &Names,
    stranger: Stranger,
) {
    let host = client.get_ref().1.server_name().map(str::to_ascii_lowercase);
    let found = find(&edge, host.as_deref(), startup.endpoint.as_deref(), names);
    let outcome = match found.and_then(|project| startup.check().map(|()| project)) {
        Ok(project) => session::run(&edge, &mut client, &project, &startup, stranger).await,
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = outcome {
        refuse(&mut client, &refusal).await;
    }
}

/// The project of a host, or of the app key that a client without one names. Both together have to agree.
fn find(edge: &Edge, host: Option<&str>, endpoint: Option<&str>, names: &Names) -> Result<Arc<Project>, Refusal> {
    let by_host = host.and_then(|host| edge.routes.find(host));
    let Some(endpoint) = endpoint else {
        return by_host.ok_or(if host.is_some() { Refusal::UnknownHost } else { Refusal::NoHost });
    };
    let endpoint = endpoint.to_ascii_lowercase();
    let hosts = names.regions.iter().map(|region| format!("{endpoint}.{region}.{}", names.base_domain));
    let named = hosts.into_iter().find_map(|host| edge.routes.find(&host)).ok_or(Refusal::UnknownHost)?;
    match by_host {
        Some(project) if project.id != named.id => Err(Refusal::TwoProjects),
        _ => Ok(named),
    }
}

/// Says why, and hangs up.
async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(client: &mut S, refusal: &Refusal) {
    let goodbye = async {
        client.write_all(&refusal.to_message()).await?;
        client.shutdown().await?;
        // Closing over unread bytes would take the answer away from the client.
        let mut rest = [0; 1024];
        while client.read(&mut rest).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    let _gone = timeout(GOODBYE_LIMIT, goodbye).await;
}
