//! Looks over a plan's shoulder while it is rehearsed: how long each statement takes, which locks it takes, which tables it writes anew.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use data_plane_contract::schema::{LockTaken, StatementTime};
use tokio_postgres::{Client, Error};

/// Statements and things that are reported at most.
const MOST_STATEMENTS: usize = 20;
const MOST_OBJECTS: usize = 200;

/// Longer plans are looked at after each segment only: the number of locks to look through grows with the plan.
const LOCKS_PER_STATEMENT_UP_TO: usize = 500;

const SQL_SHOWN: usize = 200;

/// Relations that are there before a segment. Its own system catalogs and those of others are not asked for.
const RELATIONS: &str = "select c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind::text,
           pg_catalog.pg_relation_filenode(c.oid)
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'";

const LOCKS: &str = "select relation, mode from pg_catalog.pg_locks
    where pid = pg_catalog.pg_backend_pid() and locktype = 'relation' and granted
      and mode in ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')";

/// Modes, weakest first, and what waits for each.
const MODES: [(&str, &str); 5] = [
    ("ShareUpdateExclusiveLock", "schema changes"),
    ("ShareLock", "writes"),
    ("ShareRowExclusiveLock", "writes"),
    ("ExclusiveLock", "writes"),
    ("AccessExclusiveLock", "reads and writes"),
];

#[derive(Clone)]
struct Relation {
    name: String,
    is_table: bool,
    file: Option<u32>,
}

/// What was seen so far.
pub(super) struct Meter {
    each_statement: bool,
    relations: HashMap<u32, Relation>,
    times: Vec<StatementTime>,
    /// By name: rank of the mode and the statement that took it.
    locks: BTreeMap<String, (usize, usize)>,
    rewritten: Vec<String>,
    last_statement: usize,
    blocking_since: Option<Instant>,
    blocking: Duration,
}

impl Meter {
    /// For a plan with so many statements.
    pub(super) fn new(statements: usize) -> Self {
        Self {
            each_statement: statements <= LOCKS_PER_STATEMENT_UP_TO,
            relations: HashMap::new(),
            times: Vec::new(),
            locks: BTreeMap::new(),
            rewritten: Vec::new(),
            last_statement: 0,
            blocking_since: None,
            blocking: Duration::ZERO,
        }
    }

    pub(super) async fn segment_begins(&mut self, client: &Client) -> Result<(), Error> {
        self.relations = relations(client).await?;
        self.blocking_since = None;
        Ok(())
    }

    pub(super) async fn statement_ends(
        &mut self,
        client: &Client,
        index: usize,
        sql: &str,
        took: Duration,
    ) -> Result<(), Error> {
        self.last_statement = index;
        let sql = sql.chars().take(SQL_SHOWN).collect();
        self.times.push(StatementTime { index, sql, duration_ms: milliseconds(took) });
        let begun = Instant::now().checked_sub(took);
        if self.each_statement { self.look_at_locks(client, begun).await } else { Ok(()) }
    }

    pub(super) async fn segment_ends(&mut self, client: &Client) -> Result<(), Error> {
        self.look_at_locks(client, None).await?;
        let now = relations(client).await?;
        for (oid, before) in &self.relations {
            let Some(after) = now.get(oid) else { continue };
            if before.is_table && before.file != after.file {
                self.rewritten.push(before.name.clone());
            }
        }
        if let Some(since) = self.blocking_since {
            self.blocking += since.elapsed();
        }
        Ok(())
    }

    /// Notes the locks that are held; `begun` is when the newest of them may have been taken.
    pub(super) async fn look_at_locks(&mut self, client: &Client, begun: Option<Instant>) -> Result<(), Error> {
        for row in client.query_typed(LOCKS, &[]).await? {
            let (oid, mode): (u32, String) = (row.try_get(0)?, row.try_get(1)?);
            // What the plan itself made blocks nobody.
            let Some(relation) = self.relations.get(&oid) else { continue };
            let Some(rank) = MODES.iter().position(|(name, _)| *name == mode) else { continue };
            if relation.is_table && MODES[rank].1 != "schema changes" && self.blocking_since.is_none() {
                self.blocking_since = begun.or_else(|| Some(Instant::now()));
            }
            let seen = self.locks.entry(relation.name.clone()).or_insert((rank, self.last_statement));
            if seen.0 < rank {
                *seen = (rank, self.last_statement);
            }
        }
        Ok(())
    }

    /// Slowest statements, slowest first.
    pub(super) fn slowest(&self) -> Vec<StatementTime> {
        let mut times = self.times.clone();
        times.sort_by(|one, other| other.duration_ms.total_cmp(&one.duration_ms));
        times.truncate(MOST_STATEMENTS);
        times
    }

    /// Strongest lock on each thing, strongest first.
    pub(super) fn locks(&self) -> Vec<LockTaken> {
        let mut locks: Vec<_> = self.locks.iter().collect();
        locks.sort_by_key(|(name, (rank, _))| (std::cmp::Reverse(*rank), (*name).clone()));
        locks.truncate(MOST_OBJECTS);
        let taken = |(name, (rank, statement)): (&String, &(usize, usize))| {
            let (mode, blocks) = MODES[*rank];
            LockTaken { object: name.clone(), mode: mode.to_owned(), blocks: blocks.to_owned(), statement: *statement }
        };
        locks.into_iter().map(taken).collect()
    }

    /// Tables that were written anew.
    pub(super) fn rewritten(&self) -> Vec<String> {
        let mut names = self.rewritten.clone();
        names.sort();
        names.dedup();
        names.truncate(MOST_OBJECTS);
        names
    }

    /// How long writers would have been blocked.
    pub(super) fn blocking_ms(&self) -> f64 {
        milliseconds(self.blocking)
    }
}

async fn relations(client: &Client) -> Result<HashMap<u32, Relation>, Error> {
    let mut found = HashMap::new();
    for row in client.query_typed(RELATIONS, &[]).await? {
        let kind: String = row.try_get(2)?;
        let relation = Relation {
            name: row.try_get(1)?,
            is_table: ["r", "p", "m"].contains(&kind.as_str()),
            file: row.try_get(3)?,
        };
        found.insert(row.try_get::<_, u32>(0)?, relation);
    }
    Ok(found)
}

pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
