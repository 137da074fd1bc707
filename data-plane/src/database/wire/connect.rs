//! Opening a connection, and cancelling what runs on one.

use std::io;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
    },
    message::{backend::Message, frontend},
};
use tokio_postgres::Config;

use super::{Connection, Failure, Identity, Refusal, receive, socket::Socket};

/// Opens a connection and signs in.
pub(super) async fn connect(config: &Config) -> Result<Connection, Failure> {
    let broken = |error| Failure::Broken(error, None);
    let socket = Socket::connect(config).await.map_err(broken)?;
    let mut opening = Opening { config, socket, incoming: BytesMut::new(), outgoing: BytesMut::new() };
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or(user);
    let parameters = [
        ("client_encoding", "UTF8"),
        ("user", user),
        ("database", database),
        ("application_name", config.get_application_name().unwrap_or_default()),
    ];
    let options = config.get_options().map(|options| ("options", options));
    frontend::startup_message(parameters.into_iter().chain(options), &mut opening.outgoing).map_err(broken)?;
    opening.send().await?;
    opening.sign_in().await?;
    let identity = opening.identity().await?;
    Ok(Connection::new(opening.socket, opening.incoming, identity))
}

/// Asks Postgres to stop what runs on a connection; whether it did is not said.
pub(crate) async fn cancel(config: &Config, identity: Identity) -> io::Result<()> {
    let mut socket = Socket::connect(config).await?;
    let mut buffer = BytesMut::new();
    frontend::cancel_request(identity.process, identity.secret, &mut buffer);
    socket.send(&buffer).await
}

struct Opening<'a> {
    config: &'a Config,
    socket: Socket,
    incoming: BytesMut,
    outgoing: BytesMut,
}

impl Opening<'_> {
    async fn send(&mut self) -> Result<(), Failure> {
        let sent = self.socket.send(&self.outgoing).await;
        self.outgoing.clear();
        sent.map_err(|error| Failure::Broken(error, None))
    }

    /// The next message that is not a refusal.
    async fn next(&mut self) -> Result<Message, Failure> {
        match receive(&mut self.socket, &mut self.incoming).await {
            Ok(Message::ErrorResponse(body)) => Err(Failure::Refused(Refusal::new(&body))),
            Ok(message) => Ok(message),
            Err(error) => Err(Failure::Broken(error, None)),
        }
    }

    async fn sign_in(&mut self) -> Result<(), Failure> {
        let password = self.config.get_password().unwrap_or_default().to_vec();
        match self.next().await? {
            Message::AuthenticationOk => return Ok(()),
            Message::AuthenticationCleartextPassword => self.password(&password).await?,
            Message::AuthenticationMd5Password(body) => {
                let user = self.config.get_user().unwrap_or_default();
                let hash = md5_hash(user.as_bytes(), &password, body.salt());
                self.password(hash.as_bytes()).await?;
            }
            Message::AuthenticationSasl(body) => {
                let offered = body.mechanisms().any(|mechanism| Ok(mechanism == SCRAM_SHA_256)).map_err(broken)?;
                if !offered {
                    return Err(unsupported());
                }
                self.scram(&password).await?;
            }
            _ => return Err(unsupported()),
        }
        match self.next().await? {
            Message::AuthenticationOk => Ok(()),
            _ => Err(unsupported()),
        }
    }

    async fn password(&mut self, password: &[u8]) -> Result<(), Failure> {
        frontend::password_message(password, &mut self.outgoing).map_err(broken)?;
        self.send().await
    }

    async fn scram(&mut self, password: &[u8]) -> Result<(), Failure> {
        let mut scram = ScramSha256::new(password, ChannelBinding::unsupported());
        frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut self.outgoing).map_err(broken)?;
        self.send().await?;
        let Message::AuthenticationSaslContinue(body) = self.next().await? else { return Err(unsupported()) };
        scram.update(body.data()).map_err(broken)?;
        frontend::sasl_response(scram.message(), &mut self.outgoing).map_err(broken)?;
        self.send().await?;
        let Message::AuthenticationSaslFinal(body) = self.next().await? else { return Err(unsupported()) };
        scram.finish(body.data()).map_err(broken)
    }

    async fn identity(&mut self) -> Result<Identity, Failure> {
        let mut identity = Identity { process: 0, secret: 0 };
        loop {
            match self.next().await? {
                Message::BackendKeyData(body) => {
                    identity = Identity { process: body.process_id(), secret: body.secret_key() };
                }
                Message::ReadyForQuery(_) => return Ok(identity),
                _ => {}
            }
        }
    }
}

fn broken(error: io::Error) -> Failure {
    Failure::Broken(error, None)
}

fn unsupported() -> Failure {
    broken(io::Error::new(io::ErrorKind::Unsupported, "Postgres asks for a way of signing in that is not known here"))
}
