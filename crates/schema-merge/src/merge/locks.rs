//! Which lock a statement takes on the object that it is about, and what makes it take long.

/// The strongest lock of a statement on an object that exists, in Postgres' words; `None` where it hinders nobody.
pub(super) fn lock_of(sql: &str) -> Option<&'static str> {
    let text = sql.trim_start().to_lowercase();
    let starts = |word: &str| text.starts_with(word);
    if concurrent(&text) {
        return Some("share update exclusive");
    }
    if starts("create index") || starts("create unique index") {
        return Some("share");
    }
    if starts("create trigger") || starts("create constraint trigger") {
        return Some("share row exclusive");
    }
    if starts("comment on") {
        return None;
    }
    if starts("alter table") || starts("alter foreign table") || starts("alter materialized view") {
        return Some(alter_table(&text));
    }
    let exclusive = [
        "drop table",
        "drop view",
        "drop materialized view",
        "drop index",
        "drop trigger",
        "drop policy",
        "drop rule",
        "drop sequence",
        "create policy",
        "alter policy",
        "create rule",
        "create or replace rule",
        "create or replace view",
        "alter view",
        "alter index",
        "alter trigger",
        "refresh materialized view",
        "truncate",
        "cluster",
    ];
    if exclusive.iter().any(|word| starts(word)) {
        return Some("access exclusive");
    }
    if starts("alter sequence") {
        return Some("share row exclusive");
    }
    (starts("lock table")).then_some("share")
}

/// Writers go on meanwhile.
fn concurrent(lower: &str) -> bool {
    ["create index concurrently", "create unique index concurrently"].iter().any(|word| lower.starts_with(word))
}

fn alter_table(text: &str) -> &'static str {
    let has = |word: &str| text.contains(word);
    if has(" foreign key ") && has(" add constraint ") || has(" enable trigger") || has(" disable trigger") {
        "share row exclusive"
    } else if has(" validate constraint ")
        || has(" set statistics ")
        || has(" cluster on ")
        || has(" set without cluster")
        || has(" attach partition ")
        || has(" set (")
        || has(" reset (")
    {
        "share update exclusive"
    } else {
        "access exclusive"
    }
}

/// What a statement on a table with rows does to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// The table is written anew.
    Rewrite,
    /// An index is built from all rows.
    Index,
    /// All rows are read under the lock.
    Scan,
}

/// The work of a statement on an object that exists.
pub(super) fn work_of(sql: &str) -> Option<Work> {
    let text = sql.trim_start().to_lowercase();
    let has = |word: &str| text.contains(word);
    if concurrent(&text) {
        return None;
    }
    if text.starts_with("create index") || text.starts_with("create unique index") {
        return Some(Work::Index);
    }
    if text.starts_with("refresh materialized view") || text.starts_with("create materialized view") {
        return Some(Work::Rewrite);
    }
    if !text.starts_with("alter table") {
        return None;
    }
    if has(" add constraint ") {
        return match () {
            () if has(" not valid") || has(" using index ") => None,
            () if has(" primary key ") || has(" unique ") || has(" exclude ") => Some(Work::Index),
            () => Some(Work::Scan),
        };
    }
    let volatile = ["gen_random_uuid()", "nextval(", "random()", "clock_timestamp()", "uuid_generate"];
    if has(" alter column ") && has(" type ") && !widening(&text) {
        return Some(Work::Rewrite);
    }
    if has(" add column ")
        && (has(" stored") && has(" generated always as (")
            || has(" as identity")
            || volatile.iter().any(|word| has(word)))
    {
        return Some(Work::Rewrite);
    }
    if text.ends_with(" set logged") || text.ends_with(" set unlogged") {
        return Some(Work::Rewrite);
    }
    (has(" set not null") || has(" attach partition ")).then_some(Work::Scan)
}

/// A longer or unlimited text needs no rewrite; from which type, the statement does not say, so only `text` is sure.
fn widening(text: &str) -> bool {
    text.split(" type ").nth(1).is_some_and(|to| to.starts_with("text ") || to.starts_with("text\n") || to == "text")
        && !text.contains("::text::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_those_of_postgres() {
        for (sql, lock) in [
            ("create index i on t (a)", Some("share")),
            ("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", Some("share update exclusive")),
            ("alter table t add constraint f foreign key (a) references u (b)", Some("share row exclusive")),
            ("alter table t validate constraint f", Some("share update exclusive")),
            ("alter table t add column a int", Some("access exclusive")),
            ("create table t (a int)", None),
            ("comment on table t is 'x'", None),
        ] {
            assert_eq!(lock_of(sql), lock, "{sql}");
        }
    }

    #[test]
    fn work_is_named() {
        for (sql, work) in [
            ("alter table t alter column a type bigint using a::bigint", Some(Work::Rewrite)),
            ("alter table t alter column a type text using a::text", None),
            ("alter table t add constraint p primary key (a)", Some(Work::Index)),
            ("CREATE INDEX CONCURRENTLY i ON t (a)", None),
            ("alter table t add constraint c check (a > 0)", Some(Work::Scan)),
            ("alter table t add constraint c check (a > 0) not valid", None),
            ("alter table t add column a int default 1", None),
            ("alter table t add column a uuid default gen_random_uuid()", Some(Work::Rewrite)),
            ("alter table t alter column a set not null", Some(Work::Scan)),
        ] {
            assert_eq!(work_of(sql), work, "{sql}");
        }
    }
}
