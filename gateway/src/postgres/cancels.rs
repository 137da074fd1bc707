//! Requests to cancel a statement. They come over a connection of their own, from many clients in clear text and without a host, so the key
//! that Postgres gave the session says which project is meant.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::{Buf as _, BytesMut};
use ids::ProjectId;
use postgres_protocol::message::frontend;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::edge::Edge;

/// What such a request begins with.
pub(super) const CODE: u32 = 80_877_102;
const REQUEST_BYTES: u32 = 16;
/// How long Postgres may take to close the connection, which says that it has passed the request on.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// What Postgres told a session at its start: who it is, and a number that only its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CancelKey {
    process_id: i32,
    secret: i32,
}

impl CancelKey {
    /// From the body of a `BackendKeyData` message.
    pub(super) fn parse(mut body: &[u8]) -> Option<Self> {
        (body.len() == 8).then(|| Self { process_id: body.get_i32(), secret: body.get_i32() })
    }
}

/// The rest of a request whose length and code are read.
pub(super) async fn read<S: AsyncRead + Unpin>(client: &mut S, length: u32) -> io::Result<CancelKey> {
    if length != REQUEST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a cancel request has sixteen bytes"));
    }
    Ok(CancelKey { process_id: client.read_i32().await?, secret: client.read_i32().await? })
}

/// Which project each open session is of.
#[derive(Default)]
pub(super) struct Cancels(Arc<Mutex<HashMap<CancelKey, ProjectId>>>);

/// A session that can be cancelled, for as long as this is held.
pub(super) struct Cancellable {
    all: Arc<Mutex<HashMap<CancelKey, ProjectId>>>,
    key: CancelKey,
}

impl Cancels {
    /// Notes a session. Nothing where another has the same key: that one was first.
    pub(super) fn note(&self, key: CancelKey, project_id: ProjectId) -> Option<Cancellable> {
        let mut all = self.0.lock().expect("no holder of this lock panics");
        match all.entry(key) {
            Entry::Occupied(_) => None,
            Entry::Vacant(entry) => {
                entry.insert(project_id);
                Some(Cancellable { all: Arc::clone(&self.0), key })
            }
        }
    }

    /// Passes a request on to the Postgres whose session has this key. As from Postgres, the client never learns whether there was one.
    pub(super) async fn forward(&self, edge: &Edge, key: &CancelKey) {
        let project_id = self.0.lock().expect("no holder of this lock panics").get(key).copied();
        let Some(project_id) = project_id else { return };
        let outcome = timeout(ANSWER_LIMIT, async {
            let Some(mut upstream) = edge.waker.connect_postgres(project_id).await.map_err(io::Error::other)? else {
                return Ok(());
            };
            let mut request = BytesMut::new();
            frontend::cancel_request(key.process_id, key.secret, &mut request);
            upstream.write_all(&request).await?;
            upstream.read_u8().await.map(drop).or_else(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => Ok(()),
                _ => Err(error),
            })
        })
        .await;
        if let Ok(Err(error)) = outcome {
            tracing::debug!(project.id = %project_id, error = %telemetry::chain(&error), "a cancel request was not passed on");
        }
    }
}

impl Drop for Cancellable {
    fn drop(&mut self) {
        self.all.lock().expect("no holder of this lock panics").remove(&self.key);
    }
}
