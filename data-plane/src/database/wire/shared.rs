//! Questions that share a round trip. Where every connection is busy, those first in the line are sent together on the first that is free:
//! each is a transaction of its own and is answered as soon as it ended, but Postgres and this process wake up once for all of them.
//!
//! A slow statement would hold up those behind it. So only statements that were quick on this connection before stand with others.

use std::{io, sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::{Connection, Failure, PoolError, Reuse, Row, pool::Lease};

/// Most questions of one round trip.
pub(super) const MOST: usize = 8;

/// A longer question is sent alone. All of a round trip fit into the socket's buffers, so that sending them never waits for Postgres to
/// read, which may wait for its answers to be read.
const LONGEST: usize = 4096;

/// A transaction that is sent at once, changes nothing, and so can be asked again.
pub(crate) trait Question: std::fmt::Debug + Send + Sync {
    /// How its statement is kept.
    fn reuse(&self) -> Reuse;
    /// Its statement.
    fn sql(&self) -> &str;
    /// About how many bytes it is.
    fn size(&self) -> usize;
    /// Longest time it may take in Postgres.
    fn limit(&self) -> Duration;
    /// Adds its statements to what is sent next.
    ///
    /// # Errors
    /// More values than the protocol counts.
    fn add_to(&self, connection: &mut Connection) -> io::Result<()>;
}

/// What became of a question.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Its rows, or why there are none.
    Rows(Result<Vec<Option<Row>>, Failure>),
    /// It took longer than it may.
    Late,
    /// There was no connection for it.
    Unconnected(PoolError),
}

impl Answer {
    /// The connection broke before it came.
    pub(super) fn lost() -> Self {
        Self::Rows(Err(Failure::Broken(io::ErrorKind::UnexpectedEof.into(), None)))
    }
}

/// A question and where its answer goes.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) question: Arc<dyn Question>,
    pub(super) answer: oneshot::Sender<Answer>,
}

impl Asked {
    /// Whether others may stand behind it on this connection.
    pub(super) fn quick(&self, connection: &Connection) -> bool {
        self.question.size() <= LONGEST && connection.quick(self.question.reuse(), self.question.sql())
    }
}

/// Sends all, and answers one after the other. Where the connection breaks, the rest learn of it by the end of their channels.
pub(super) async fn serve(mut lease: Lease, mut batch: Vec<Asked>) {
    // Their clients have gone.
    batch.retain(|asked| !asked.answer.is_closed());
    for asked in &batch {
        if let Err(error) = asked.question.add_to(&mut lease) {
            tracing::error!(cause = telemetry::chain(&error), "a question cannot be written down");
            return;
        }
        lease.end();
    }
    lease.send().await;
    let alone = batch.len() == 1;
    for Asked { question, mut answer } in batch {
        let answered = tokio::time::timeout(question.limit(), lease.answer(question.reuse(), question.sql()));
        let outcome = tokio::select! {
            outcome = answered => outcome,
            // Its client has gone. With others behind it, cancelling could hit one of them.
            () = answer.closed(), if alone => return,
        };
        match outcome {
            Ok(outcome) => {
                let broken = matches!(outcome, Err(Failure::Broken(..)));
                // Who does not listen any more has gone.
                drop(answer.send(Answer::Rows(outcome)));
                if broken {
                    return;
                }
            }
            Err(_) => {
                drop(answer.send(Answer::Late));
                return;
            }
        }
    }
    lease.give_back();
}
