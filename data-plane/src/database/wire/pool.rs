//! Pooled connections for the data API, given in the order of asking.
//!
//! A pool of its own, because who waits here need not wait for a connection alone: questions whose statements are known to be quick are
//! put to one connection together (see [`super::shared`]).

use std::{
    collections::VecDeque,
    io,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use backon::Retryable as _;
use tokio::sync::oneshot;
use tokio_postgres::Config;

use super::{
    Connection, Failure,
    connect::connect,
    shared::{self, Answer, Asked, Question},
};

/// Waits before connecting again when Postgres cannot be reached.
const CONNECT_AGAIN_AFTER: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(500), Duration::from_millis(500)];

/// How long connecting may take where the configuration does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A pool of connections that connects when first used.
#[derive(Clone, Debug)]
pub(crate) struct Pool(Arc<Shared>);

/// Why the pool gave none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PoolError {
    /// Postgres cannot be reached or refuses the session.
    #[error("connect to Postgres")]
    Connect(#[source] Failure),
    /// All connections stayed busy.
    #[error("no connection to Postgres became free in time")]
    Busy,
    /// The process is about to end.
    #[error("the connections to Postgres are closed")]
    Closed,
}

/// What somebody who asked for a connection is given.
#[derive(Debug)]
pub(crate) enum Given {
    /// A connection to itself.
    Lease(Lease),
    /// The answer to its question, which another connection's round trip carried.
    Answer(Answer),
}

/// A connection that is closed, not returned, when its work ends half-way: its transaction may still be open. Its place is free again once
/// Postgres is done with it, so that however often clients leave, no more statements run than there are places.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Arc<Shared>,
    connection: Option<Box<Connection>>,
    used: bool,
    /// How long what was sent may go on when its work ends half-way.
    patience: Duration,
}

struct Shared {
    config: Config,
    size: usize,
    wait: Duration,
    connected: Box<dyn Fn() + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The connection used last is used next, so that few stay busy and the others close.
    idle: Vec<(Box<Connection>, Instant)>,
    /// Connections that are idle, leased, or being opened.
    open: usize,
    line: VecDeque<Waiting>,
    closed: bool,
}

#[derive(Debug)]
enum Waiting {
    ForLease(oneshot::Sender<Turn>),
    ForAnswer(Asked),
}

/// What comes to somebody who waits for a connection.
#[derive(Debug)]
enum Turn {
    Lease(Lease),
    /// A connection broke and another one may be opened in its place.
    Place(Place),
}

/// What somebody who asks finds.
enum Entrance {
    Turn(Turn),
    Line(oneshot::Receiver<Turn>),
    LineOfQuestions(oneshot::Receiver<Answer>),
}

/// The right to open one connection, passed on when it is not used.
#[derive(Debug)]
struct Place(Option<Arc<Shared>>);

impl Pool {
    /// At most `size` connections; who waits longer than `wait` for one is refused. `connected` is told of each that is opened.
    pub(crate) fn new(
        config: Config,
        size: usize,
        wait: Duration,
        connected: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let state = Mutex::default();
        Self(Arc::new(Shared { config, size: size.max(1), wait, connected: Box::new(connected), state }))
    }

    /// A free connection, or a place in the line: for a connection, or for the answer when there is a question that may be shared.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub(crate) async fn take(&self, question: Option<&Arc<dyn Question>>) -> Result<Given, PoolError> {
        match self.0.now_or_in_line(question)? {
            Entrance::Turn(turn) => turn.lease().await.map(Given::Lease),
            Entrance::Line(called) => match tokio::time::timeout(self.0.wait, called).await {
                Ok(Ok(turn)) => turn.lease().await.map(Given::Lease),
                Ok(Err(_)) => Err(PoolError::Closed),
                Err(_) => Err(PoolError::Busy),
            },
            Entrance::LineOfQuestions(answered) => match tokio::time::timeout(self.0.wait, answered).await {
                Ok(Ok(answer)) => Ok(Given::Answer(answer)),
                Ok(Err(_)) => Ok(Given::Answer(Answer::lost())),
                Err(_) => Err(PoolError::Busy),
            },
        }
    }

    /// Closes connections unused for `idle`; how many are left.
    pub(crate) fn close_idle(&self, idle: Duration) -> usize {
        let mut state = self.0.state();
        let (kept, unused): (Vec<_>, Vec<_>) = state.idle.drain(..).partition(|(_, since)| since.elapsed() < idle);
        state.idle = kept;
        state.open -= unused.len();
        state.open
    }

    /// Closes every connection as soon as it is free; nobody gets one any more.
    pub(crate) fn close(&self) {
        let mut state = self.0.state();
        state.closed = true;
        state.open -= state.idle.len();
        state.idle.clear();
        state.line.clear();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    fn now_or_in_line(self: &Arc<Self>, question: Option<&Arc<dyn Question>>) -> Result<Entrance, PoolError> {
        let mut state = self.state();
        if state.closed {
            return Err(PoolError::Closed);
        }
        if let Some(connection) = state.idle_one() {
            return Ok(Entrance::Turn(Turn::Lease(Lease::new(self, connection))));
        }
        if state.open < self.size {
            state.open += 1;
            return Ok(Entrance::Turn(Turn::Place(Place(Some(Arc::clone(self))))));
        }
        if let Some(question) = question {
            let (answer, answered) = oneshot::channel();
            state.line.push_back(Waiting::ForAnswer(Asked { question: Arc::clone(question), answer }));
            return Ok(Entrance::LineOfQuestions(answered));
        }
        let (turn, called) = oneshot::channel();
        state.line.push_back(Waiting::ForLease(turn));
        Ok(Entrance::Line(called))
    }

    /// Gives a free connection to whoever is first in the line.
    fn hand_on(self: &Arc<Self>, connection: Box<Connection>) {
        let mut lease = Lease::new(self, connection);
        loop {
            let mut state = self.state();
            if state.closed || lease.closed() {
                drop(state);
                return lease.discard();
            }
            match state.line.pop_front() {
                None => return state.idle.extend(lease.connection.take().map(|free| (free, Instant::now()))),
                Some(Waiting::ForLease(turn)) => {
                    drop(state);
                    match turn.send(Turn::Lease(lease)) {
                        Err(Turn::Lease(unwanted)) => lease = unwanted,
                        _ => return,
                    }
                }
                Some(Waiting::ForAnswer(first)) => {
                    let batch = state.batch(first, &lease);
                    drop(state);
                    return in_background(shared::serve(lease, batch));
                }
            }
        }
    }

    /// One connection is gone. Whoever is first in the line may open another.
    fn lost_one(self: &Arc<Self>) {
        loop {
            let mut state = self.state();
            let Some(waiting) = state.line.pop_front() else {
                state.open -= 1;
                return;
            };
            drop(state);
            let place = Place(Some(Arc::clone(self)));
            match waiting {
                Waiting::ForLease(turn) => match turn.send(Turn::Place(place)) {
                    // What becomes of it is decided here, not by its own end.
                    Err(Turn::Place(unwanted)) => unwanted.forget(),
                    _ => return,
                },
                Waiting::ForAnswer(asked) => {
                    return in_background(async move {
                        match place.connect().await {
                            Ok(lease) => shared::serve(lease, vec![asked]).await,
                            Err(error) => drop(asked.answer.send(Answer::Unconnected(error))),
                        }
                    });
                }
            }
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pool").field("size", &self.size).finish_non_exhaustive()
    }
}

impl State {
    fn idle_one(&mut self) -> Option<Box<Connection>> {
        while let Some((connection, _)) = self.idle.pop() {
            if !connection.closed() {
                return Some(connection);
            }
            self.open -= 1;
        }
        None
    }

    /// Those first in the line whose questions can share a round trip with `first`.
    fn batch(&mut self, first: Asked, connection: &Connection) -> Vec<Asked> {
        let mut batch = vec![first];
        if !batch[0].quick(connection) {
            return batch;
        }
        while batch.len() < shared::MOST {
            match self.line.pop_front() {
                Some(Waiting::ForAnswer(asked)) if asked.quick(connection) => batch.push(asked),
                other => {
                    other.into_iter().for_each(|waiting| self.line.push_front(waiting));
                    break;
                }
            }
        }
        batch
    }
}

/// Does work of several requests, unless the process is ending: then it is dropped, and whoever waits for it learns that.
fn in_background(work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(work);
    }
}

impl Turn {
    async fn lease(self) -> Result<Lease, PoolError> {
        match self {
            Self::Lease(lease) => Ok(lease),
            Self::Place(place) => place.connect().await,
        }
    }
}

impl Place {
    async fn connect(self) -> Result<Lease, PoolError> {
        let pool = Arc::clone(self.0.as_ref().expect("a place is forgotten only at its end"));
        let limit = pool.config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        let once = || async {
            let late = |_| Failure::Broken(io::ErrorKind::TimedOut.into(), None);
            tokio::time::timeout(limit, connect(&pool.config)).await.unwrap_or_else(|error| Err(late(error)))
        };
        let connection = once.retry(CONNECT_AGAIN_AFTER.into_iter()).await.map_err(PoolError::Connect)?;
        self.forget();
        (pool.connected)();
        Ok(Lease::new(&pool, Box::new(connection)))
    }

    /// Ends without passing the right on.
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(pool) = self.0.take() {
            pool.lost_one();
        }
    }
}

impl Lease {
    fn new(pool: &Arc<Shared>, connection: Box<Connection>) -> Self {
        Self { pool: Arc::clone(pool), connection: Some(connection), used: false, patience: Duration::ZERO }
    }

    /// Lets what is sent go on for a while although nobody waits for it any more, as a write should whose client has left. Otherwise it is
    /// cancelled.
    pub(crate) fn let_go_on(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Returns the connection, whose transaction has ended.
    pub(crate) fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.hand_on(connection);
        }
    }

    fn discard(mut self) {
        drop(self.connection.take());
        self.pool.lost_one();
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("the connection is taken only at the end")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        self.used = true;
        self.connection.as_mut().expect("the connection is taken only at the end")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        match self.connection.take() {
            // Nobody has said anything on it.
            Some(connection) if !self.used => self.pool.hand_on(connection),
            Some(connection) => {
                let (place, patience) = (Place(Some(Arc::clone(&self.pool))), self.patience);
                let config = self.pool.config.clone();
                in_background(async move {
                    connection.wind_up(&config, patience).await;
                    drop(place);
                });
            }
            None => {}
        }
    }
}
