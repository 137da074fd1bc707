//! A connection that sends several statements at once and reads one answer: a request of the data API is one write, one read and,
//! because statements sent together form one transaction, one commit.
//!
//! Messages are those of the crate postgres-protocol; a general client answers statement by statement.

mod connect;
mod failure;
mod json_rows;
mod pool;
mod shared;
mod socket;
mod statements;

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::{
    backend::{DataRowBody, Header, Message},
    frontend,
};
use tokio_postgres::Config;

pub(crate) use failure::Failure;
pub(crate) use pool::{Given, Lease, Pool, PoolError};
pub(crate) use shared::{Answer, Question};
pub(crate) use statements::Reuse;

use connect::cancel;
use failure::Refusal;
use json_rows::{Columns, JsonRows};
use socket::Socket;
use statements::{Statements, Use};

/// Least room made in the receive buffer before a read.
const READ_AHEAD: usize = 8 * 1024;

/// A buffer that grew beyond this is given back after use.
const KEPT_BUFFER: usize = 64 * 1024;

/// How soon Postgres is asked again to cancel: a request that comes before the statement does is for nothing.
const CANCEL_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A connection to Postgres.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Socket,
    incoming: BytesMut,
    outgoing: BytesMut,
    identity: Identity,
    statements: Statements,
    /// What is added and not ended yet.
    group: Group,
    /// What is sent and not answered yet.
    sent: VecDeque<Group>,
    /// Why the last of it could not be sent.
    unsent: Option<io::Error>,
}

/// Statements that are one transaction.
#[derive(Debug, Default)]
struct Group {
    /// Names of those that are prepared, in order; absent for unnamed ones.
    parsed: Vec<Option<(statements::Key, String)>>,
    executed: usize,
    /// Which of them is answered by the JSON of all its rows.
    gathered: Option<usize>,
}

/// What cancels a connection's statement.
#[derive(Clone, Copy, Debug)]
struct Identity {
    process: i32,
    secret: i32,
}

/// A row of texts.
#[derive(Debug)]
pub(crate) struct Row {
    buffer: Bytes,
    columns: Vec<Option<std::ops::Range<usize>>>,
}

impl Connection {
    fn new(socket: Socket, incoming: BytesMut, identity: Identity) -> Self {
        Self {
            socket,
            incoming,
            outgoing: BytesMut::new(),
            identity,
            statements: Statements::default(),
            group: Group::default(),
            sent: VecDeque::new(),
            unsent: None,
        }
    }

    /// Whether the server has hung up, as far as is known without asking it.
    pub(crate) fn closed(&self) -> bool {
        self.socket.closed()
    }

    /// Waits until Postgres is done with what was sent and has hung up. After `patience` it is told to stop.
    pub(super) async fn wind_up(mut self, config: &Config, patience: Duration) {
        let mut farewell = BytesMut::new();
        frontend::terminate(&mut farewell);
        let Ok(()) = self.socket.send(&farewell).await else { return };
        let mut wait = patience;
        while tokio::time::timeout(wait, self.socket.drain()).await.is_err() {
            if let Err(error) = cancel(config, self.identity).await {
                tracing::debug!(
                    cause = telemetry::chain(&error),
                    "a statement that nobody waits for could not be cancelled"
                );
            }
            wait = CANCEL_AGAIN_AFTER;
        }
    }

    /// Adds a statement to what is sent next; values are texts whose types Postgres infers.
    ///
    /// # Errors
    /// More values than the protocol counts.
    pub(crate) fn add<'v>(
        &mut self,
        reuse: Reuse,
        sql: &str,
        values: impl ExactSizeIterator<Item = &'v [u8]>,
    ) -> io::Result<()> {
        self.put(reuse, sql, values, false)
    }

    /// As [`Self::add`], for the statement that counts. It is answered by one row: how many rows there were, and their JSON array. It is
    /// refused with `0A000` where a column's JSON does not follow from its text.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(crate) fn add_gathered<'v>(
        &mut self,
        reuse: Reuse,
        sql: &str,
        values: impl ExactSizeIterator<Item = &'v [u8]>,
    ) -> io::Result<()> {
        self.group.gathered = Some(self.group.executed);
        self.put(reuse, sql, values, true)
    }

    fn put<'v>(
        &mut self,
        reuse: Reuse,
        sql: &str,
        values: impl ExactSizeIterator<Item = &'v [u8]>,
        described: bool,
    ) -> io::Result<()> {
        let out = &mut self.outgoing;
        let (name, key) = match self.statements.look_up(reuse, sql, |closed| frontend::close(b'S', closed, out))? {
            Use::Prepared(name) => (name, None),
            Use::Once => (String::new(), Some(None)),
            Use::Prepare(key, name) => (name.clone(), Some(Some((key, name)))),
        };
        if let Some(key) = key {
            frontend::parse(&name, sql, [], &mut self.outgoing)?;
            if described {
                frontend::describe(b'S', &name, &mut self.outgoing)?;
            }
            self.group.parsed.push(key);
        }
        let write = |value: &'v [u8], out: &mut BytesMut| {
            out.extend_from_slice(value);
            Ok(postgres_protocol::IsNull::No)
        };
        frontend::bind("", &name, [], values, write, [], &mut self.outgoing).map_err(|error| match error {
            frontend::BindError::Conversion(error) => io::Error::other(error),
            frontend::BindError::Serialization(error) => error,
        })?;
        frontend::execute("", 0, &mut self.outgoing)?;
        self.group.executed += 1;
        Ok(())
    }

    /// Ends a transaction: what is added later is another one.
    pub(crate) fn end(&mut self) {
        frontend::sync(&mut self.outgoing);
        self.sent.push_back(std::mem::take(&mut self.group));
    }

    /// Sends what has been ended. A failure shows when the answer is read.
    pub(crate) async fn send(&mut self) {
        self.unsent = self.socket.send(&self.outgoing).await.err();
        recycle(&mut self.outgoing);
    }

    /// Sends everything added as one transaction, waits for the end, and returns the first row of each statement. `sql` is the statement
    /// that counts.
    ///
    /// # Errors
    /// A statement was refused, and with it all that were added; or the connection broke. Dropped half-way, the connection is
    /// of no more use.
    pub(crate) async fn exchange(&mut self, reuse: Reuse, sql: &str) -> Result<Vec<Option<Row>>, Failure> {
        self.end();
        self.send().await;
        self.answer(reuse, sql).await
    }

    /// Sends a command that has no answer, such as `commit`.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    pub(crate) async fn command(&mut self, sql: &str) -> Result<(), Failure> {
        frontend::query(sql, &mut self.outgoing).map_err(|error| Failure::Broken(error, None))?;
        self.sent.push_back(Group::default());
        self.send().await;
        self.read_group(None).await.map(drop)
    }

    /// Reads the answer to the first transaction that was sent and not answered, as [`Self::exchange`] does.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    pub(crate) async fn answer(&mut self, reuse: Reuse, sql: &str) -> Result<Vec<Option<Row>>, Failure> {
        let began = Instant::now();
        let outcome = self.read_group(Some((reuse, sql))).await;
        match &outcome {
            Ok(_) => self.statements.took(reuse, sql, began.elapsed()),
            // A changed schema may have made its preparation wrong.
            Err(Failure::Refused(refusal)) if refusal.state.starts_with("42") || refusal.state == "0A000" => {
                self.statements.forget(reuse, sql);
            }
            Err(_) => {}
        }
        outcome
    }

    /// Whether this statement is prepared here and was quick so far.
    pub(crate) fn quick(&self, reuse: Reuse, sql: &str) -> bool {
        self.statements.quick(reuse, sql)
    }

    async fn read_group(&mut self, counts: Option<(Reuse, &str)>) -> Result<Vec<Option<Row>>, Failure> {
        let group = self.sent.pop_front().unwrap_or_default();
        let mut parsed = group.parsed.into_iter();
        let mut rows = Vec::with_capacity(group.executed);
        let mut refusal: Option<Refusal> = None;
        let mut row = None;
        let mut gathered = group.gathered.map(|_| JsonRows::new());
        let described = counts.filter(|_| gathered.is_some());
        let mut columns = described.and_then(|(reuse, sql)| self.statements.columns(reuse, sql));
        let broken = |error| Failure::Broken(error, None);
        loop {
            let message = match self.receive().await {
                Ok(message) => message,
                // What Postgres said before it hung up was still to be read.
                Err(error) => return Err(Failure::Broken(self.unsent.take().unwrap_or(error), refusal)),
            };
            match message {
                Message::ParseComplete => {
                    if let Some(Some((key, name))) = parsed.next() {
                        self.statements.keep(key, name);
                    }
                }
                Message::RowDescription(body) => {
                    columns = Columns::read(&body).map_err(broken)?.map(Arc::new);
                    if let Some((reuse, sql)) = described {
                        self.statements.describe(reuse, sql, columns.clone());
                    }
                }
                Message::DataRow(body) if group.gathered == Some(rows.len()) => match (&mut gathered, &columns) {
                    (Some(array), Some(columns)) => {
                        array.push(columns, &body).map_err(broken)?;
                        if array.too_long() {
                            gathered = None;
                            refusal = refusal.or_else(|| Some(Refusal::too_long()));
                        }
                    }
                    _ => refusal = refusal.or_else(|| Some(Refusal::other_columns())),
                },
                Message::DataRow(body) if row.is_none() => row = Some(Row::new(&body).map_err(broken)?),
                Message::CommandComplete(_) if group.gathered == Some(rows.len()) => {
                    rows.push(gathered.take().map(JsonRows::finish));
                }
                Message::CommandComplete(_) | Message::EmptyQueryResponse => rows.push(row.take()),
                Message::ErrorResponse(body) if refusal.is_none() => refusal = Some(Refusal::new(&body)),
                Message::ReadyForQuery(_) => break,
                Message::CopyInResponse(_) | Message::CopyOutResponse(_) => {
                    let error = io::Error::other("a statement of the data API cannot copy");
                    return Err(Failure::Broken(error, refusal));
                }
                _ => {}
            }
        }
        if self.incoming.is_empty() {
            recycle(&mut self.incoming);
        }
        match refusal {
            Some(refusal) => Err(Failure::Refused(refusal)),
            None => Ok(rows),
        }
    }

    async fn receive(&mut self) -> io::Result<Message> {
        receive(&mut self.socket, &mut self.incoming).await
    }
}

/// Reads one message.
async fn receive(socket: &mut Socket, incoming: &mut BytesMut) -> io::Result<Message> {
    loop {
        if let Some(message) = Message::parse(incoming)? {
            return Ok(message);
        }
        let announced = Header::parse(incoming)?.and_then(|header| usize::try_from(header.len()).ok());
        incoming.reserve(announced.unwrap_or_default().saturating_sub(incoming.len()).max(READ_AHEAD));
        if socket.receive(incoming).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn recycle(buffer: &mut BytesMut) {
    buffer.clear();
    if buffer.capacity() > KEPT_BUFFER {
        *buffer = BytesMut::new();
    }
}

impl Row {
    fn new(body: &DataRowBody) -> io::Result<Self> {
        Ok(Self { buffer: body.buffer_bytes().clone(), columns: body.ranges().collect()? })
    }

    /// A column's bytes, shared with the receive buffer; absent when it is null.
    pub(crate) fn bytes(&self, column: usize) -> Option<Bytes> {
        let range = self.columns.get(column)?.clone()?;
        Some(self.buffer.slice(range))
    }

    /// A column's text.
    pub(crate) fn text(&self, column: usize) -> Option<&str> {
        let range = self.columns.get(column)?.clone()?;
        std::str::from_utf8(self.buffer.get(range)?).ok()
    }

    /// A column's number.
    pub(crate) fn number(&self, column: usize) -> Option<i64> {
        self.text(column)?.parse().ok()
    }
}
