//! The requests that are measured, and the tables they are about.

/// Stands for a random key in a path.
pub(super) const KEY: &str = "{key}";

const BULK_ROWS: usize = 1000;
pub(super) const BULK_INSERT: &str = "bulk insert of 1,000";

/// A kind of request.
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// Below the records of a data plane; `rpc/…` is a function.
    pub(super) path: &'static str,
    /// Random keys are from one to this.
    pub(super) keys: u32,
    /// JSON; a request without one reads.
    pub(super) body: Option<String>,
}

impl Shape {
    pub(super) fn calls(&self) -> bool {
        self.path.starts_with("rpc/")
    }

    /// The path with one key.
    pub(super) fn path_of(&self, key: u32) -> String {
        self.path.replace(KEY, &key.to_string())
    }
}

/// All that are measured, the one with a target of its own first.
pub(super) fn all() -> Vec<Shape> {
    let read = |name, path, keys| Shape { name, path, keys, body: None };
    let write = |name, path, body| Shape { name, path, keys: 1, body: Some(body) };
    let row = |number: usize| format!(r#"{{"title":"Note {number}","body":"Something to remember","rank":{number}}}"#);
    let rows: Vec<String> = (0..BULK_ROWS).map(row).collect();
    vec![
        read("read by key", "pgbench_accounts?aid=eq.{key}", 1_000_000),
        read("filtered list of 100", "pgbench_accounts?aid=gte.{key}&bid=gt.0&order=aid&limit=100", 990_000),
        read(
            "embedding of two levels",
            "authors?id=eq.{key}&select=id,name,books(id,title,chapters(id,title))",
            AUTHORS,
        ),
        write("insert", "notes", row(1)),
        write(BULK_INSERT, "notes", format!("[{}]", rows.join(","))),
        write("rpc", "rpc/add", r#"{"a":1,"b":2}"#.to_owned()),
    ]
}

const AUTHORS: u32 = 1000;

/// Tables beside pgbench's own. Each author has ten books, each book five chapters.
pub(super) const TABLES: &str = "
set role project_admin;
create table authors (id int primary key, name text not null);
create table books (id int primary key, title text not null, author_id int not null references authors (id));
create table chapters (id int primary key, title text not null, book_id int not null references books (id));
insert into authors select n, 'Author ' || n from generate_series(1, 1000) n;
insert into books select n, 'Book ' || n, 1 + n % 1000 from generate_series(1, 10000) n;
insert into chapters select n, 'Chapter ' || n, 1 + n % 10000 from generate_series(1, 50000) n;
create index on books (author_id);
create index on chapters (book_id);
create table notes (
    id bigint generated always as identity primary key, title text not null, body text, rank int, created_at timestamptz default now());
create function add(a int, b int) returns int language sql immutable as 'select a + b';
grant select on authors, books, chapters to anon;
grant select, insert on notes to anon;
reset role;
grant select on pgbench_accounts to anon;
analyze;
checkpoint;
";

/// The rows of the bulk insert in a table, and in a file where Postgres finds it.
pub(super) const READY_ROWS: &str = "
create table ready as
select 'Note ' || n as title, 'Something to remember'::text as body, n as rank from generate_series(0, 999) n;
do $$ begin execute format('copy ready to %L', current_setting('data_directory') || '/ready.copy'); end $$;
";

/// Ways to write them without a client's part in it.
pub(super) const WRITING_READY_ROWS: [(&str, &str); 2] = [
    ("from a table", "insert into notes (title, body, rank) select title, body, rank from ready;\n"),
    ("by COPY from a file", "copy notes (title, body, rank) from 'ready.copy';\n"),
];

/// A schema as large as the schema cache has to bear: tables of ten columns, each with a foreign key to the one before. One statement,
/// because only so may it commit on its way.
pub(super) const MANY_TABLES: &str = "
do $$ begin
    set role project_admin;
    for n in 1..2000 loop
        execute format(
            'create table many_%s (id int primary key, a text, b text, c int, d int, e jsonb, f date, g boolean, h uuid, before int %s)',
            n, case when n > 1 then format('references many_%s (id)', n - 1) else '' end);
        if n % 200 = 0 then commit; end if;
    end loop;
end $$;
";
