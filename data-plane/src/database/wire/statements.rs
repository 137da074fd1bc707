//! Prepared statements of one connection, bounded, keyed by role and text.
//!
//! A text is sent unprepared the first time and prepared the second, so that one-off requests leave nothing behind. The
//! role is part of the key because name resolution checks a schema's usage right only while a statement is prepared.

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use super::json_rows::Columns;

/// Statements kept per connection; the least recently used one goes first.
const CAPACITY: usize = 256;

/// A statement that takes longer than this on average is not quick.
const QUICK: Duration = Duration::from_millis(5);

/// The newest time is one part in this many of the average.
const SHARE_OF_NEWEST: u32 = 4;

/// How a statement may be used again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reuse {
    /// The role it runs under.
    pub(crate) role: &'static str,
    /// The schema cache it was made from; one made from another is prepared anew.
    pub(crate) generation: u64,
    /// Whether it is prepared when first seen.
    pub(crate) at_once: bool,
}

/// A statement's place.
#[derive(Debug)]
pub(super) struct Key {
    role: &'static str,
    sql: String,
    generation: u64,
}

/// What to do with a statement.
#[derive(Debug)]
pub(super) enum Use {
    /// Bind the one of this name.
    Prepared(String),
    /// Prepare it without a name.
    Once,
    /// Prepare it under this name, and [`Statements::keep`] it when that worked.
    Prepare(Key, String),
}

#[derive(Debug)]
struct Entry {
    name: Option<String>,
    generation: u64,
    used: u64,
    /// How long it takes, once that is known.
    takes: Option<Duration>,
    /// How its rows become JSON, where that was asked for and is known.
    columns: Option<Arc<Columns>>,
}

#[derive(Debug, Default)]
pub(super) struct Statements {
    by_role: HashMap<&'static str, HashMap<String, Entry>>,
    count: usize,
    clock: u64,
    named: u64,
}

impl Statements {
    /// Looks a statement up; `close` is told the names that are no longer needed.
    pub(super) fn look_up(
        &mut self,
        reuse: Reuse,
        sql: &str,
        mut close: impl FnMut(&str) -> io::Result<()>,
    ) -> io::Result<Use> {
        self.clock += 1;
        let entry = self.by_role.entry(reuse.role).or_default().get_mut(sql);
        match entry {
            Some(entry) => {
                entry.used = self.clock;
                match &entry.name {
                    Some(name) if entry.generation == reuse.generation => return Ok(Use::Prepared(name.clone())),
                    Some(_) => {
                        let outdated = entry.name.take();
                        outdated.map_or(Ok(()), |name| close(&name))?;
                    }
                    None => {}
                }
            }
            None => {
                if self.count >= CAPACITY {
                    self.make_room().map_or(Ok(()), |name| close(&name))?;
                }
                self.count += 1;
                let (used, generation) = (self.clock, reuse.generation);
                let entry = Entry { name: None, generation, used, takes: None, columns: None };
                self.by_role.entry(reuse.role).or_default().insert(sql.to_owned(), entry);
                if !reuse.at_once {
                    return Ok(Use::Once);
                }
            }
        }
        self.named += 1;
        let key = Key { role: reuse.role, sql: sql.to_owned(), generation: reuse.generation };
        Ok(Use::Prepare(key, format!("s{}", self.named)))
    }

    /// Keeps a statement that Postgres has prepared.
    pub(super) fn keep(&mut self, key: Key, name: String) {
        if let Some(entry) = self.by_role.get_mut(key.role).and_then(|entries| entries.get_mut(&key.sql)) {
            entry.name = Some(name);
            entry.generation = key.generation;
        }
    }

    /// Keeps how a statement's rows become JSON.
    pub(super) fn describe(&mut self, reuse: Reuse, sql: &str, columns: Option<Arc<Columns>>) {
        if let Some(entry) = self.entry_mut(reuse, sql) {
            entry.columns = columns;
        }
    }

    /// How a statement's rows become JSON, as far as is known.
    pub(super) fn columns(&self, reuse: Reuse, sql: &str) -> Option<Arc<Columns>> {
        self.entry(reuse, sql)?.columns.clone()
    }

    /// Prepares a statement anew the next time.
    pub(super) fn forget(&mut self, reuse: Reuse, sql: &str) {
        if let Some(entry) = self.entry_mut(reuse, sql) {
            // A generation that no cache has: the name is closed when the statement is looked up again.
            entry.generation = u64::MAX;
        }
    }

    /// Notes how long a statement took.
    pub(super) fn took(&mut self, reuse: Reuse, sql: &str, time: Duration) {
        if let Some(entry) = self.entry_mut(reuse, sql) {
            let known = entry.takes.unwrap_or(time);
            entry.takes = Some(known - known / SHARE_OF_NEWEST + time / SHARE_OF_NEWEST);
        }
    }

    /// Whether a statement is prepared from this schema and quick.
    pub(super) fn quick(&self, reuse: Reuse, sql: &str) -> bool {
        self.entry(reuse, sql).is_some_and(|entry| {
            entry.name.is_some()
                && entry.generation == reuse.generation
                && entry.takes.is_some_and(|takes| takes < QUICK)
        })
    }

    fn entry(&self, reuse: Reuse, sql: &str) -> Option<&Entry> {
        self.by_role.get(reuse.role)?.get(sql)
    }

    fn entry_mut(&mut self, reuse: Reuse, sql: &str) -> Option<&mut Entry> {
        self.by_role.get_mut(reuse.role)?.get_mut(sql)
    }

    /// Drops the entry that was unused for longest; its name, if it has one.
    fn make_room(&mut self) -> Option<String> {
        let all =
            self.by_role.iter().flat_map(|(role, entries)| entries.iter().map(move |(sql, entry)| (role, sql, entry)));
        let (role, sql, _) = all.min_by_key(|(_, _, entry)| entry.used)?;
        let (role, sql) = (*role, sql.clone());
        self.count -= 1;
        self.by_role.get_mut(role)?.remove(&sql)?.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REUSE: Reuse = Reuse { role: "anon", generation: 1, at_once: false };

    fn prepared(statements: &mut Statements, reuse: Reuse, sql: &str) -> String {
        match statements.look_up(reuse, sql, |_| Ok(())).expect("nothing to close") {
            Use::Prepare(key, name) => {
                statements.keep(key, name.clone());
                name
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_second_use_prepares_and_the_third_reuses() {
        let mut statements = Statements::default();
        assert!(matches!(statements.look_up(REUSE, "a", |_| Ok(())), Ok(Use::Once)));
        let name = prepared(&mut statements, REUSE, "a");
        assert!(matches!(statements.look_up(REUSE, "a", |_| Ok(())), Ok(Use::Prepared(known)) if known == name));
        let other = Reuse { role: "authenticated", ..REUSE };
        assert!(matches!(statements.look_up(other, "a", |_| Ok(())), Ok(Use::Once)));
    }

    #[test]
    fn a_statement_is_quick_while_it_is_prepared_and_short() {
        let mut statements = Statements::default();
        let quick = |statements: &Statements| statements.quick(REUSE, "a");
        assert!(matches!(statements.look_up(REUSE, "a", |_| Ok(())), Ok(Use::Once)));
        statements.took(REUSE, "a", QUICK / 2);
        assert!(!quick(&statements), "not prepared");
        prepared(&mut statements, REUSE, "a");
        assert!(quick(&statements));
        statements.took(REUSE, "a", QUICK * 10);
        assert!(!quick(&statements), "it was slow");
        (0..20).for_each(|_| statements.took(REUSE, "a", QUICK / 2));
        assert!(quick(&statements), "it is quick again");
        statements.forget(REUSE, "a");
        assert!(!quick(&statements), "to be prepared anew");
    }

    #[test]
    fn a_changed_schema_and_a_full_house_close_names() {
        let mut statements = Statements::default();
        let at_once = Reuse { at_once: true, ..REUSE };
        let name = prepared(&mut statements, at_once, "a");
        let mut closed = Vec::new();
        let newer = Reuse { generation: 2, ..at_once };
        let used = statements.look_up(newer, "a", |name| {
            closed.push(name.to_owned());
            Ok(())
        });
        assert!(matches!(used, Ok(Use::Prepare(..))));
        assert_eq!(closed, [name]);
        for number in 0..CAPACITY + 10 {
            prepared(&mut statements, at_once, &format!("b{number}"));
        }
        assert_eq!(statements.count, CAPACITY);
    }
}
