//! One session: reach the project's Postgres, let it ask for the password, then bytes both ways until either end is done or the project closes.

use std::{io, sync::Arc, time::Duration};

use bytes::{Buf as _, BytesMut};
use postgres_protocol::message::backend::{
    AUTHENTICATION_TAG, BACKEND_KEY_DATA_TAG, ERROR_RESPONSE_TAG, Header, READY_FOR_QUERY_TAG,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};

use super::{
    cancels::{CancelKey, Cancellable},
    messages::Messages,
    refusal::Refusal,
    startup::Startup,
    turns::Stranger,
};
use crate::{
    edge::Edge,
    projects::{Project, Visit},
    waker::PostgresStream,
};

/// How long a client waits for its project to be there, and for its turn to sign in.
const HOLD_LIMIT: Duration = Duration::from_secs(30);
/// How long signing in may take.
const SIGN_IN_LIMIT: Duration = Duration::from_secs(10);
/// What either side may send until the client is signed in.
const MAX_SIGN_IN_BYTES: usize = 64 * 1024;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long a message under way may take to end before the client is told why its session ends.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);
const BUFFER_BYTES: usize = 64 * 1024;

/// Kinds of `Authentication` messages.
const SIGNED_IN: i32 = 0;
const SASL: [i32; 3] = [10, 11, 12];

/// Serves a client until its session ends. What is returned is told to it.
pub(super) async fn run<C>(
    edge: &Arc<Edge>,
    client: &mut C,
    project: &Arc<Project>,
    startup: &Startup,
    stranger: Stranger,
) -> Result<(), Refusal>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let Some(mut session) = sign_in(edge, client, project, startup, &stranger).await? else { return Ok(()) };
    drop(stranger);
    relay(edge, client, &mut session, project).await
}

/// A client that is in.
struct Session {
    upstream: PostgresStream,
    /// What Postgres said after it was ready, as far as it has arrived.
    said: BytesMut,
    /// Lets its statements be cancelled for as long as it lasts.
    _cancellable: Option<Cancellable>,
}

/// Brings a client in. `None` when Postgres did not let it in, or it left; Postgres has told it so.
async fn sign_in<C: AsyncRead + AsyncWrite + Unpin>(
    edge: &Arc<Edge>,
    client: &mut C,
    project: &Arc<Project>,
    startup: &Startup,
    stranger: &Stranger,
) -> Result<Option<Session>, Refusal> {
    if let Some(closed) = project.closed() {
        return Err(closed.into());
    }
    // Until it is signed in the project does not fall asleep.
    let visit = Visit::begin(Arc::clone(project));
    let deadline = Instant::now() + HOLD_LIMIT;
    let turn = timeout_at(deadline, edge.sessions.turns.take(project, stranger)).await;
    let turn = turn.map_err(|_| Refusal::TooManySignIns)?;
    let mut upstream = reach(edge, project, deadline).await?;
    let signing_in = SignIn { edge, project, sent: 0, asked: false, key: None };
    let signed_in = timeout(SIGN_IN_LIMIT, signing_in.run(client, &mut upstream, startup)).await;
    drop((turn, visit));
    match signed_in {
        Ok(Ok(Some((said, cancellable)))) => Ok(Some(Session { upstream, said, _cancellable: cancellable })),
        Ok(Ok(None)) => Ok(None),
        Ok(Err(Failure::Refused(refusal))) => Err(refusal),
        Ok(Err(Failure::Broken(error))) => {
            tracing::debug!(project.id = %project.id, error = %error, "a Postgres client left while signing in");
            Ok(None)
        }
        Err(_) => Err(Refusal::TooSlow),
    }
}

/// A connection to the project's Postgres, which is woken as often as it turns out to be asleep.
async fn reach(edge: &Arc<Edge>, project: &Arc<Project>, deadline: Instant) -> Result<PostgresStream, Refusal> {
    let mut pause = FIRST_PAUSE;
    loop {
        let upstream = project.admit(edge, deadline).await?;
        match edge.waker.connect_postgres(project.id).await {
            Ok(Some(stream)) => return Ok(stream),
            Ok(None) => project.found_unreachable(&upstream),
            Err(error) => {
                tracing::warn!(project.id = %project.id, error = %telemetry::chain(&error), "no connection to a project's Postgres");
                return Err(Refusal::Unavailable);
            }
        }
        if Instant::now() + pause >= deadline {
            return Err(Refusal::Unavailable);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Why a client was not signed in.
enum Failure {
    Refused(Refusal),
    Broken(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

struct SignIn<'a> {
    edge: &'a Edge,
    project: &'a Project,
    /// What the client sent.
    sent: usize,
    /// Postgres asked for the password.
    asked: bool,
    key: Option<CancelKey>,
}

impl SignIn<'_> {
    /// Carries messages both ways until Postgres is ready. `None` when it hung up.
    async fn run<C: AsyncRead + AsyncWrite + Unpin>(
        mut self,
        client: &mut C,
        upstream: &mut PostgresStream,
        startup: &Startup,
    ) -> Result<Option<(BytesMut, Option<Cancellable>)>, Failure> {
        upstream.write_all(&startup.to_message()?).await?;
        client.write_all(&startup.negotiation()).await?;
        let mut arrived = BytesMut::new();
        let mut from_client = [0; 4096];
        loop {
            tokio::select! {
                read = upstream.read_buf(&mut arrived) => {
                    let ended = read? == 0;
                    let ready = self.pass(client, &mut arrived).await?;
                    if ready {
                        let key = self.key;
                        let noted = key.and_then(|key| self.edge.sessions.cancels.note(key, self.project.id));
                        return Ok(Some((arrived, noted)));
                    }
                    if ended {
                        client.shutdown().await?;
                        return Ok(None);
                    }
                }
                read = client.read(&mut from_client) => {
                    let length = read?;
                    self.sent += length;
                    if length == 0 || self.sent > MAX_SIGN_IN_BYTES {
                        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                    }
                    upstream.write_all(&from_client[..length]).await?;
                }
            }
        }
    }

    /// Passes on the messages that are whole. True when Postgres is ready; what came after that message stays.
    async fn pass<C: AsyncWrite + Unpin>(&mut self, client: &mut C, arrived: &mut BytesMut) -> Result<bool, Failure> {
        let mut ready = false;
        while let (false, Some(header)) = (ready, Header::parse(arrived)?) {
            let length = usize::try_from(header.len()).map_or(usize::MAX, |length| length.saturating_add(1));
            if length > MAX_SIGN_IN_BYTES {
                return Err(io::Error::from(io::ErrorKind::InvalidData).into());
            }
            if arrived.len() < length {
                break;
            }
            let message = arrived.split_to(length);
            self.look_at(header.tag(), &message[5..])?;
            self.project.counters.egress(length as u64);
            client.write_all(&message).await?;
            ready = header.tag() == READY_FOR_QUERY_TAG;
        }
        client.flush().await?;
        Ok(ready)
    }

    /// Nobody is let in whom Postgres has not asked for the password, whatever its configuration says.
    fn look_at(&mut self, tag: u8, mut body: &[u8]) -> Result<(), Failure> {
        match tag {
            AUTHENTICATION_TAG if body.len() >= 4 => match body.get_i32() {
                SIGNED_IN if self.asked => {}
                kind if SASL.contains(&kind) => self.asked = true,
                _ => return Err(self.unprotected()),
            },
            ERROR_RESPONSE_TAG => {}
            _ if !self.asked => return Err(self.unprotected()),
            BACKEND_KEY_DATA_TAG => self.key = CancelKey::parse(body),
            _ => {}
        }
        Ok(())
    }

    fn unprotected(&self) -> Failure {
        tracing::error!(project.id = %self.project.id, "a project's Postgres would let developers in without a password; nobody is let in");
        Failure::Refused(Refusal::Unprotected)
    }
}

/// Joins both ends until one is done, or the project closes.
async fn relay<C: AsyncRead + AsyncWrite + Unpin>(
    edge: &Arc<Edge>,
    client: &mut C,
    session: &mut Session,
    project: &Project,
) -> Result<(), Refusal> {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_upstream, mut to_upstream) = split(&mut session.upstream);
    let goodbye = async {
        tokio::select! {
            closed = project.told_to_close() => Refusal::from(closed),
            () = edge.draining.cancelled() => Refusal::Restarting,
        }
    };
    let up = async {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Some(bytes) = some(from_client.read(&mut buffer).await, &buffer) {
            project.touch();
            if to_upstream.write_all(bytes).await.is_err() {
                return Gone::Upstream;
            }
        }
        Gone::Client
    };
    let down = deliver(&session.said, &mut from_upstream, &mut to_client, project, goodbye);
    tokio::pin!(down);
    tokio::select! {
        gone = up => match gone {
            // Postgres learns it when this end closes.
            Gone::Client => Ok(()),
            // Why it hung up may still be on its way.
            Gone::Upstream => timeout(LEAVE_LIMIT, down).await.unwrap_or(Ok(())),
        },
        ended = &mut down => ended,
    }
}

/// Who hung up.
enum Gone {
    Client,
    Upstream,
}

/// What was read, unless the other end is done.
fn some(read: io::Result<usize>, buffer: &[u8]) -> Option<&[u8]> {
    read.ok().filter(|&length| length > 0).and_then(|length| buffer.get(..length))
}

/// Passes on what Postgres said already and what comes, and counts it. Told to say goodbye, it stops between two messages.
async fn deliver<R, W>(
    said: &[u8],
    from: &mut R,
    to: &mut W,
    project: &Project,
    goodbye: impl Future<Output = Refusal>,
) -> Result<(), Refusal>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    tokio::pin!(goodbye);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut messages = Messages::default();
    let mut leaving: Option<(Refusal, Instant)> = None;
    if send(to, said, project, &mut messages).await.is_err() {
        return Ok(());
    }
    loop {
        if let Some((refusal, _)) = leaving.take_if(|_| messages.between_two()) {
            return Err(refusal);
        }
        let deadline = leaving.as_ref().map_or_else(Instant::now, |(_, deadline)| *deadline);
        let read = tokio::select! {
            refusal = &mut goodbye, if leaving.is_none() => {
                leaving = Some((refusal, Instant::now() + LEAVE_LIMIT));
                continue;
            }
            () = sleep_until(deadline), if leaving.is_some() => return Ok(()),
            read = from.read(&mut buffer) => read,
        };
        let Some(bytes) = some(read, &buffer) else {
            let _gone = to.shutdown().await;
            return Ok(());
        };
        if send(to, bytes, project, &mut messages).await.is_err() {
            return Ok(());
        }
    }
}

async fn send<W: AsyncWrite + Unpin>(
    to: &mut W,
    bytes: &[u8],
    project: &Project,
    messages: &mut Messages,
) -> io::Result<()> {
    project.touch();
    project.counters.egress(bytes.len() as u64);
    messages.pass(bytes);
    to.write_all(bytes).await?;
    to.flush().await
}
