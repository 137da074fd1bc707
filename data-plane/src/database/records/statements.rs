//! Prepared statements per connection, bounded, keyed by role and text.
//!
//! A text is sent unprepared the first time and prepared the second, so that one-off requests leave nothing behind. The
//! role is part of the key because name resolution checks a schema's usage right only while a statement is prepared.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
};

use deadpool_postgres::{ClientWrapper, StatementCache};
use tokio_postgres::Statement;

/// Statements kept per connection; the least recently used one goes first.
const CAPACITY: usize = 256;

/// What is known of a statement on one connection.
pub(super) enum Known {
    /// Never seen.
    New,
    /// Seen once: worth preparing.
    Repeated,
    /// Prepared.
    Prepared(Statement),
}

#[derive(Debug, Default)]
struct Entry {
    statement: Option<Statement>,
    generation: u64,
    used: u64,
}

/// The statements of one connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<String, Entry>,
    clock: u64,
}

impl Connection {
    /// Looks a statement up and remembers that it was asked for. `generation` is the schema cache's.
    pub(super) fn look_up(&self, key: &str, generation: u64) -> Known {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.clock += 1;
        let clock = entries.clock;
        if let Some(entry) = entries.by_key.get_mut(key) {
            entry.used = clock;
            return match &entry.statement {
                Some(statement) if entry.generation == generation => Known::Prepared(statement.clone()),
                _ => Known::Repeated,
            };
        }
        entries.make_room();
        entries.by_key.insert(key.to_owned(), Entry { statement: None, generation, used: clock });
        Known::New
    }

    /// Keeps a prepared statement.
    pub(super) fn keep(&self, key: &str, generation: u64, statement: Statement) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.clock += 1;
        let used = entries.clock;
        if !entries.by_key.contains_key(key) {
            entries.make_room();
        }
        entries.by_key.insert(key.to_owned(), Entry { statement: Some(statement), generation, used });
    }

    /// Drops a statement that failed in a way a changed schema explains.
    pub(super) fn forget(&self, key: &str) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).by_key.remove(key);
    }
}

impl Entries {
    fn make_room(&mut self) {
        if self.by_key.len() < CAPACITY {
            return;
        }
        let oldest = self.by_key.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
        oldest.map(|key| self.by_key.remove(&key));
    }
}

/// The statements of every live connection.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    /// A weak reference to the pool's own per-connection cache says which connection it is and whether it still lives.
    connections: RwLock<Vec<(Weak<StatementCache>, Arc<Connection>)>>,
}

impl Statements {
    /// Those of this connection.
    pub(super) fn of(&self, client: &ClientWrapper) -> Arc<Connection> {
        let identity = Arc::as_ptr(&client.statement_cache);
        let known = |connections: &[(Weak<StatementCache>, Arc<Connection>)]| {
            connections.iter().find(|(weak, _)| weak.as_ptr() == identity).map(|(_, connection)| Arc::clone(connection))
        };
        if let Some(connection) = known(&self.connections.read().unwrap_or_else(PoisonError::into_inner)) {
            return connection;
        }
        let mut connections = self.connections.write().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|(weak, _)| weak.strong_count() > 0);
        if let Some(connection) = known(&connections) {
            return connection;
        }
        let connection = Arc::new(Connection::default());
        connections.push((Arc::downgrade(&client.statement_cache), Arc::clone(&connection)));
        connection
    }
}
