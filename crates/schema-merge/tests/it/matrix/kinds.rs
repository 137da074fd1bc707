//! The things that are changed, with what can be done to each. `{s}` is the schema of the pair.

/// What becomes of changes of different fields.
pub(super) enum Parts {
    /// They merge.
    Merge,
    /// They merge, and nobody tried the result.
    Untried,
}

/// Something that needs the subject.
#[derive(Clone, Copy)]
pub(super) struct Dependent {
    pub(super) sql: &'static str,
    pub(super) dropped_by_target: &'static str,
    pub(super) dropped_by_source: &'static str,
    pub(super) against_change: Option<&'static str>,
    /// Classes when the target, and when the source, dropped the whole that the subject is part of, where they differ.
    pub(super) of_whole: Option<(&'static str, &'static str)>,
}

/// One kind of thing.
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) base: &'static str,
    pub(super) first: Option<&'static str>,
    pub(super) first_otherwise: Option<&'static str>,
    pub(super) second: Option<&'static str>,
    pub(super) drop: &'static str,
    pub(super) rename: Option<&'static str>,
    pub(super) rename_otherwise: Option<&'static str>,
    pub(super) drop_whole: Option<&'static str>,
    pub(super) dependent: Option<Dependent>,
    /// Class when both sides change the first field; `None` where the parent's state wins.
    pub(super) clash: Option<&'static str>,
    pub(super) parts: Parts,
    pub(super) change_against_drop: Option<&'static str>,
    pub(super) change_against_whole: Option<&'static str>,
    /// The first field changes by dropping and creating.
    pub(super) first_anew: bool,
    pub(super) second_anew: bool,
    /// Class when one side drops it and the other the whole, where dropping it is a change of the whole.
    pub(super) drop_against_whole: Option<&'static str>,
}

const PLAIN: Subject = Subject {
    name: "",
    base: "",
    first: None,
    first_otherwise: None,
    second: None,
    drop: "",
    rename: None,
    rename_otherwise: None,
    drop_whole: None,
    dependent: None,
    clash: Some("S9"),
    parts: Parts::Merge,
    change_against_drop: Some("S10"),
    change_against_whole: Some("S10"),
    first_anew: false,
    second_anew: false,
    drop_against_whole: None,
};

const fn view(sql: &'static str) -> Option<Dependent> {
    Some(Dependent { sql, dropped_by_target: "C3", dropped_by_source: "C4", against_change: None, of_whole: None })
}

/// Something that hangs on the same table: it is part of what goes when the table does.
const fn part(sql: &'static str) -> Option<Dependent> {
    Some(Dependent {
        sql,
        dropped_by_target: "C3",
        dropped_by_source: "C4",
        against_change: None,
        of_whole: Some(("S10", "S10")),
    })
}

pub(super) const KINDS: &[Subject] = &[
    Subject {
        name: "table",
        base: "create table {s}.t (id integer primary key, a integer);",
        first: Some("alter table {s}.t set (fillfactor = 70);"),
        first_otherwise: Some("alter table {s}.t set (fillfactor = 80);"),
        second: Some("alter table {s}.t set unlogged;"),
        drop: "drop table {s}.t;",
        rename: Some("alter table {s}.t rename to t1;"),
        rename_otherwise: Some("alter table {s}.t rename to t2;"),
        dependent: view("create view {s}.v as select id, a from {s}.t;"),
        ..PLAIN
    },
    Subject {
        name: "column",
        base: "create table {s}.t (id integer primary key, a integer, b text);",
        first: Some("alter table {s}.t alter a type bigint;"),
        first_otherwise: Some("alter table {s}.t alter a type numeric;"),
        second: Some("alter table {s}.t alter a set not null;"),
        drop: "alter table {s}.t drop column a;",
        rename: Some("alter table {s}.t rename a to a1;"),
        rename_otherwise: Some("alter table {s}.t rename a to a2;"),
        drop_whole: Some("drop table {s}.t;"),
        dependent: view("create view {s}.v as select id, a from {s}.t;"),
        ..PLAIN
    },
    Subject {
        name: "column settings",
        base: "create table {s}.t (id integer primary key, a text);",
        first: Some("alter table {s}.t alter a set statistics 100;"),
        first_otherwise: Some("alter table {s}.t alter a set statistics 200;"),
        second: Some("alter table {s}.t alter a set storage external;"),
        drop: "alter table {s}.t drop column a;",
        rename: Some("alter table {s}.t rename a to a1;"),
        rename_otherwise: Some("alter table {s}.t rename a to a2;"),
        drop_whole: Some("drop table {s}.t;"),
        dependent: part("create index i on {s}.t (a);"),
        ..PLAIN
    },
    Subject {
        name: "column under a policy",
        base: "create table {s}.t (id integer primary key, a integer, b text);",
        first: Some("alter table {s}.t alter a type bigint;"),
        first_otherwise: Some("alter table {s}.t alter a type numeric;"),
        second: Some("alter table {s}.t alter a set not null;"),
        drop: "alter table {s}.t drop column a;",
        rename: Some("alter table {s}.t rename a to a1;"),
        rename_otherwise: Some("alter table {s}.t rename a to a2;"),
        drop_whole: Some("drop table {s}.t;"),
        dependent: Some(Dependent {
            sql: "create policy p on {s}.t using (a is not null);",
            dropped_by_target: "C12",
            dropped_by_source: "C12",
            against_change: None,
            of_whole: Some(("S10", "S10")),
        }),
        ..PLAIN
    },
    Subject {
        name: "default",
        base: "create table {s}.t (id integer primary key, a integer default 1);",
        first: Some("alter table {s}.t alter a set default 2;"),
        first_otherwise: Some("alter table {s}.t alter a set default 3;"),
        drop: "alter table {s}.t alter a drop default;",
        drop_whole: Some("alter table {s}.t drop column a;"),
        ..PLAIN
    },
    Subject {
        name: "identity",
        base: "create table {s}.t (id integer generated by default as identity primary key);",
        first: Some("alter table {s}.t alter id set increment 2;"),
        first_otherwise: Some("alter table {s}.t alter id set increment 3;"),
        second: Some("alter table {s}.t alter id set cache 5;"),
        drop: "alter table {s}.t alter id drop identity;",
        drop_whole: Some("drop table {s}.t;"),
        clash: Some("S24"),
        change_against_drop: Some("C21"),
        drop_against_whole: Some("S10"),
        ..PLAIN
    },
    Subject {
        name: "check",
        base: "create table {s}.t (id integer primary key, a integer, constraint c check (a > 0));",
        first: Some("alter table {s}.t drop constraint c, add constraint c check (a > 1);"),
        first_otherwise: Some("alter table {s}.t drop constraint c, add constraint c check (a > 2);"),
        drop: "alter table {s}.t drop constraint c;",
        rename: Some("alter table {s}.t rename constraint c to c1;"),
        rename_otherwise: Some("alter table {s}.t rename constraint c to c2;"),
        drop_whole: Some("drop table {s}.t;"),
        clash: Some("S13"),
        first_anew: true,
        ..PLAIN
    },
    Subject {
        name: "unique",
        base: "create table {s}.t (id integer primary key, a integer, b integer, constraint u unique (a)); create table {s}.r (a integer);",
        first: Some("alter table {s}.t drop constraint u, add constraint u unique (b);"),
        first_otherwise: Some("alter table {s}.t drop constraint u, add constraint u unique (a, b);"),
        drop: "alter table {s}.t drop constraint u;",
        rename: Some("alter table {s}.t rename constraint u to u1;"),
        rename_otherwise: Some("alter table {s}.t rename constraint u to u2;"),
        drop_whole: Some("drop table {s}.t;"),
        dependent: Some(Dependent {
            sql: "alter table {s}.r add constraint f foreign key (a) references {s}.t (a);",
            dropped_by_target: "C2",
            dropped_by_source: "C4",
            against_change: Some("C2"),
            of_whole: Some(("C1", "C4")),
        }),
        clash: Some("S13"),
        first_anew: true,
        ..PLAIN
    },
    Subject {
        name: "foreign key",
        base: "create table {s}.t (id integer primary key); create table {s}.r (a integer, constraint f foreign key (a) references {s}.t);",
        first: Some(
            "alter table {s}.r drop constraint f, add constraint f foreign key (a) references {s}.t on delete cascade;",
        ),
        first_otherwise: Some(
            "alter table {s}.r drop constraint f, add constraint f foreign key (a) references {s}.t on delete set null;",
        ),
        drop: "alter table {s}.r drop constraint f;",
        rename: Some("alter table {s}.r rename constraint f to f1;"),
        rename_otherwise: Some("alter table {s}.r rename constraint f to f2;"),
        drop_whole: Some("drop table {s}.r;"),
        clash: Some("S13"),
        first_anew: true,
        ..PLAIN
    },
    Subject {
        name: "exclusion",
        base: "create table {s}.t (id integer primary key, during tsrange, constraint x exclude using gist (during with &&));",
        first: Some(
            "alter table {s}.t drop constraint x, add constraint x exclude using gist (during with &&) where (id > 1);",
        ),
        first_otherwise: Some(
            "alter table {s}.t drop constraint x, add constraint x exclude using gist (during with &&) where (id > 2);",
        ),
        drop: "alter table {s}.t drop constraint x;",
        rename: Some("alter table {s}.t rename constraint x to x1;"),
        rename_otherwise: Some("alter table {s}.t rename constraint x to x2;"),
        drop_whole: Some("drop table {s}.t;"),
        clash: Some("S13"),
        first_anew: true,
        ..PLAIN
    },
    Subject {
        name: "index",
        base: "create table {s}.t (id integer primary key, a integer, b integer); create index i on {s}.t (a);",
        first: Some("drop index {s}.i; create index i on {s}.t (b);"),
        first_otherwise: Some("drop index {s}.i; create index i on {s}.t (a, b);"),
        drop: "drop index {s}.i;",
        rename: Some("alter index {s}.i rename to i1;"),
        rename_otherwise: Some("alter index {s}.i rename to i2;"),
        drop_whole: Some("drop table {s}.t;"),
        dependent: part("alter table {s}.t cluster on i;"),
        clash: Some("S13"),
        first_anew: true,
        ..PLAIN
    },
    Subject {
        name: "statistics",
        base: "create table {s}.t (id integer primary key, a integer, b integer, c integer); create statistics {s}.st (dependencies) on a, b from {s}.t;",
        first: Some("alter statistics {s}.st set statistics 100;"),
        first_otherwise: Some("alter statistics {s}.st set statistics 200;"),
        drop: "drop statistics {s}.st;",
        rename: Some("alter statistics {s}.st rename to st1;"),
        rename_otherwise: Some("alter statistics {s}.st rename to st2;"),
        drop_whole: Some("drop table {s}.t;"),
        ..PLAIN
    },
    Subject {
        name: "replica identity",
        base: "create table {s}.t (id integer primary key); alter table {s}.t replica identity full;",
        first: Some("alter table {s}.t replica identity nothing;"),
        first_otherwise: Some("alter table {s}.t replica identity using index t_pkey;"),
        drop: "alter table {s}.t replica identity default;",
        drop_whole: Some("drop table {s}.t;"),
        ..PLAIN
    },
    Subject {
        name: "row security",
        base: "create table {s}.t (id integer primary key);",
        first: Some("alter table {s}.t enable row level security;"),
        second: Some("alter table {s}.t force row level security;"),
        drop: "drop table {s}.t;",
        ..PLAIN
    },
    Subject {
        name: "policy",
        base: "create table {s}.t (id integer primary key, a integer); create policy p on {s}.t for select to authenticated using (a > 0);",
        first: Some("alter policy p on {s}.t using (a > 1);"),
        first_otherwise: Some("alter policy p on {s}.t using (a > 2);"),
        second: Some("alter policy p on {s}.t to anon;"),
        drop: "drop policy p on {s}.t;",
        rename: Some("alter policy p on {s}.t rename to p1;"),
        rename_otherwise: Some("alter policy p on {s}.t rename to p2;"),
        drop_whole: Some("drop table {s}.t;"),
        clash: Some("S21"),
        parts: Parts::Untried,
        ..PLAIN
    },
    Subject {
        name: "trigger",
        base: "create table {s}.t (id integer primary key); create function {s}.tf() returns trigger language plpgsql as 'begin return new; end'; \
               create trigger tr before insert on {s}.t for each row execute function {s}.tf();",
        first: Some("create or replace trigger tr before update on {s}.t for each row execute function {s}.tf();"),
        first_otherwise: Some(
            "create or replace trigger tr after insert on {s}.t for each row execute function {s}.tf();",
        ),
        second: Some("alter table {s}.t disable trigger tr;"),
        drop: "drop trigger tr on {s}.t;",
        rename: Some("alter trigger tr on {s}.t rename to tr1;"),
        rename_otherwise: Some("alter trigger tr on {s}.t rename to tr2;"),
        drop_whole: Some("drop table {s}.t;"),
        clash: Some("S20"),
        ..PLAIN
    },
    Subject {
        name: "rule",
        base: "create table {s}.t (id integer primary key); create table {s}.log (id integer); \
               create rule r as on insert to {s}.t do also insert into {s}.log values (1);",
        first: Some("create or replace rule r as on insert to {s}.t do also insert into {s}.log values (2);"),
        first_otherwise: Some("create or replace rule r as on insert to {s}.t do also insert into {s}.log values (3);"),
        second: Some("alter table {s}.t disable rule r;"),
        drop: "drop rule r on {s}.t;",
        rename: Some("alter rule r on {s}.t rename to r1;"),
        rename_otherwise: Some("alter rule r on {s}.t rename to r2;"),
        drop_whole: Some("drop table {s}.t;"),
        clash: Some("S20"),
        ..PLAIN
    },
    Subject {
        name: "view",
        base: "create table {s}.t (id integer primary key, a integer); create view {s}.v as select id, a from {s}.t;",
        first: Some("create or replace view {s}.v as select id, a from {s}.t where a > 1;"),
        first_otherwise: Some("create or replace view {s}.v as select id, a from {s}.t where a > 2;"),
        second: Some("alter view {s}.v set (security_barrier = true);"),
        drop: "drop view {s}.v;",
        rename: Some("alter view {s}.v rename to v1;"),
        rename_otherwise: Some("alter view {s}.v rename to v2;"),
        drop_whole: Some("drop view {s}.v; drop table {s}.t;"),
        dependent: view("create view {s}.w as select id from {s}.v;"),
        clash: Some("S20"),
        ..PLAIN
    },
    Subject {
        name: "view option",
        base: "create table {s}.t (id integer primary key, a integer); create view {s}.v with (check_option = local) as select id, a from {s}.t;",
        first: Some("alter view {s}.v set (check_option = cascaded);"),
        first_otherwise: Some("alter view {s}.v reset (check_option);"),
        second: Some("alter view {s}.v set (security_invoker = true);"),
        drop: "drop view {s}.v;",
        rename: Some("alter view {s}.v rename to v1;"),
        rename_otherwise: Some("alter view {s}.v rename to v2;"),
        dependent: view("create view {s}.w as select id from {s}.v;"),
        clash: Some("S20"),
        ..PLAIN
    },
    Subject {
        name: "materialized view",
        base: "create table {s}.t (id integer primary key, a integer); create materialized view {s}.m as select id, a from {s}.t;",
        first: Some("alter materialized view {s}.m set (fillfactor = 70);"),
        first_otherwise: Some("alter materialized view {s}.m set (fillfactor = 80);"),
        drop: "drop materialized view {s}.m;",
        rename: Some("alter materialized view {s}.m rename to m1;"),
        rename_otherwise: Some("alter materialized view {s}.m rename to m2;"),
        dependent: view("create view {s}.w as select id from {s}.m;"),
        clash: Some("S20"),
        ..PLAIN
    },
    Subject {
        name: "function",
        base: "create function {s}.f(a integer) returns integer language sql as 'select a';",
        first: Some("create or replace function {s}.f(a integer) returns integer language sql as 'select a + 1';"),
        first_otherwise: Some(
            "create or replace function {s}.f(a integer) returns integer language sql as 'select a + 2';",
        ),
        second: Some("alter function {s}.f(integer) stable;"),
        drop: "drop function {s}.f(integer);",
        rename: Some("alter function {s}.f(integer) rename to f1;"),
        rename_otherwise: Some("alter function {s}.f(integer) rename to f2;"),
        dependent: view("create view {s}.w as select {s}.f(1) as x;"),
        clash: Some("S20"),
        ..PLAIN
    },
    Subject {
        name: "plpgsql function",
        base: "create function {s}.f(a integer) returns integer language plpgsql as 'begin return a; end';",
        first: Some(
            "create or replace function {s}.f(a integer) returns integer language plpgsql as 'begin return a + 1; end';",
        ),
        first_otherwise: Some(
            "create or replace function {s}.f(a integer) returns integer language plpgsql as 'begin return a + 2; end';",
        ),
        second: Some("alter function {s}.f(integer) set work_mem = '8MB';"),
        drop: "drop function {s}.f(integer);",
        rename: Some("alter function {s}.f(integer) rename to f1;"),
        rename_otherwise: Some("alter function {s}.f(integer) rename to f2;"),
        dependent: view("create table {s}.u (x integer default {s}.f(1));"),
        clash: Some("S20"),
        ..PLAIN
    },
    Subject {
        name: "procedure",
        base: "create table {s}.t (id integer); create procedure {s}.p() language sql as 'select 1';",
        first: Some("create or replace procedure {s}.p() language sql as 'select 2';"),
        first_otherwise: Some("create or replace procedure {s}.p() language sql as 'select 3';"),
        second: Some("alter procedure {s}.p() set work_mem = '8MB';"),
        drop: "drop procedure {s}.p();",
        rename: Some("alter procedure {s}.p() rename to p1;"),
        rename_otherwise: Some("alter procedure {s}.p() rename to p2;"),
        clash: Some("S20"),
        ..PLAIN
    },
    Subject {
        name: "aggregate",
        base: "create aggregate {s}.total(integer) (sfunc = int4pl, stype = integer, initcond = '0');",
        first: Some(
            "create or replace aggregate {s}.total(integer) (sfunc = int4pl, stype = integer, initcond = '1');",
        ),
        first_otherwise: Some(
            "create or replace aggregate {s}.total(integer) (sfunc = int4pl, stype = integer, initcond = '2');",
        ),
        drop: "drop aggregate {s}.total(integer);",
        rename: Some("alter aggregate {s}.total(integer) rename to total1;"),
        rename_otherwise: Some("alter aggregate {s}.total(integer) rename to total2;"),
        dependent: view("create view {s}.w as select {s}.total(x) as x from generate_series(1, 2) x;"),
        clash: Some("S20"),
        ..PLAIN
    },
    Subject {
        name: "sequence",
        base: "create table {s}.t (id integer); create sequence {s}.q;",
        first: Some("alter sequence {s}.q increment 2;"),
        first_otherwise: Some("alter sequence {s}.q increment 3;"),
        second: Some("alter sequence {s}.q cache 5;"),
        drop: "drop sequence {s}.q;",
        rename: Some("alter sequence {s}.q rename to q1;"),
        rename_otherwise: Some("alter sequence {s}.q rename to q2;"),
        dependent: view("alter table {s}.t alter id set default nextval('{s}.q');"),
        clash: Some("S24"),
        ..PLAIN
    },
    Subject {
        name: "enum",
        base: "create type {s}.e as enum ('a', 'b');",
        first: Some("alter type {s}.e add value 'c';"),
        first_otherwise: Some("alter type {s}.e add value 'c' before 'a';"),
        second: Some("alter type {s}.e add value 'd' before 'b';"),
        drop: "drop type {s}.e;",
        rename: Some("alter type {s}.e rename to e1;"),
        rename_otherwise: Some("alter type {s}.e rename to e2;"),
        dependent: view("create table {s}.u (x {s}.e);"),
        clash: Some("S25"),
        ..PLAIN
    },
    Subject {
        name: "enum label",
        base: "create type {s}.e as enum ('a', 'b'); create table {s}.u (x {s}.e default 'a');",
        first: Some("alter type {s}.e add value 'c';"),
        second: Some("alter table {s}.u alter x set default 'b';"),
        drop: "drop table {s}.u; drop type {s}.e;",
        rename: Some("alter type {s}.e rename value 'a' to 'a1';"),
        ..PLAIN
    },
    Subject {
        name: "domain",
        base: "create domain {s}.d as integer default 1;",
        first: Some("alter domain {s}.d set default 2;"),
        first_otherwise: Some("alter domain {s}.d set default 3;"),
        second: Some("alter domain {s}.d set not null;"),
        drop: "drop domain {s}.d;",
        rename: Some("alter domain {s}.d rename to d1;"),
        rename_otherwise: Some("alter domain {s}.d rename to d2;"),
        dependent: view("create table {s}.u (x {s}.d);"),
        ..PLAIN
    },
    Subject {
        name: "domain check",
        base: "create domain {s}.d as integer constraint c check (value > 0);",
        first: Some("alter domain {s}.d drop constraint c; alter domain {s}.d add constraint c check (value > 1);"),
        first_otherwise: Some(
            "alter domain {s}.d drop constraint c; alter domain {s}.d add constraint c check (value > 2);",
        ),
        drop: "alter domain {s}.d drop constraint c;",
        rename: Some("alter domain {s}.d rename constraint c to c1;"),
        rename_otherwise: Some("alter domain {s}.d rename constraint c to c2;"),
        drop_whole: Some("drop domain {s}.d;"),
        clash: Some("S13"),
        first_anew: true,
        ..PLAIN
    },
    Subject {
        name: "composite",
        base: "create type {s}.c as (x integer, y text);",
        first: Some("alter type {s}.c alter attribute x type bigint;"),
        first_otherwise: Some("alter type {s}.c alter attribute x type numeric;"),
        second: Some("alter type {s}.c add attribute z integer;"),
        drop: "drop type {s}.c;",
        rename: Some("alter type {s}.c rename to c1;"),
        rename_otherwise: Some("alter type {s}.c rename to c2;"),
        dependent: view("create table {s}.u (x {s}.c);"),
        ..PLAIN
    },
    Subject {
        name: "attribute",
        base: "create type {s}.c as (x integer, y text);",
        first: Some("alter type {s}.c alter attribute x type bigint;"),
        first_otherwise: Some("alter type {s}.c alter attribute x type numeric;"),
        drop: "alter type {s}.c drop attribute x;",
        rename: Some("alter type {s}.c rename attribute x to x1;"),
        rename_otherwise: Some("alter type {s}.c rename attribute x to x2;"),
        drop_whole: Some("drop type {s}.c;"),
        ..PLAIN
    },
    Subject {
        name: "range",
        base: "create type {s}.r as range (subtype = integer);",
        drop: "drop type {s}.r;",
        rename: Some("alter type {s}.r rename to r1;"),
        rename_otherwise: Some("alter type {s}.r rename to r2;"),
        dependent: view("create table {s}.u (x {s}.r);"),
        ..PLAIN
    },
    Subject {
        name: "comment",
        base: "create table {s}.t (id integer); comment on table {s}.t is 'old';",
        first: Some("comment on table {s}.t is 'new';"),
        first_otherwise: Some("comment on table {s}.t is 'other';"),
        drop: "comment on table {s}.t is null;",
        drop_whole: Some("drop table {s}.t;"),
        clash: None,
        change_against_drop: None,
        change_against_whole: None,
        ..PLAIN
    },
    Subject {
        name: "grant",
        base: "create table {s}.t (id integer); grant select on {s}.t to authenticated;",
        first: Some("grant select on {s}.t to authenticated with grant option;"),
        drop: "revoke select on {s}.t from authenticated;",
        drop_whole: Some("drop table {s}.t;"),
        change_against_drop: Some("S22"),
        change_against_whole: None,
        ..PLAIN
    },
    Subject {
        name: "publication",
        base: "create table {s}.t (id integer primary key); create publication pub_{s} for table {s}.t;",
        first: Some("alter publication pub_{s} set (publish = 'insert');"),
        first_otherwise: Some("alter publication pub_{s} set (publish = 'update');"),
        drop: "drop publication pub_{s};",
        rename: Some("alter publication pub_{s} rename to pub1_{s};"),
        rename_otherwise: Some("alter publication pub_{s} rename to pub2_{s};"),
        ..PLAIN
    },
];
