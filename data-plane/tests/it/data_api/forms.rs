//! Rows become JSON outside Postgres where nothing needs them together. A count makes Postgres write them, so both ways can be compared.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use reqwest::Method;

use crate::database_harness::{ANON_KEY, API_KEY, Project, eventually};

const TYPES: &str = r#"
create type mood as enum ('good', 'so "so"');
create type pair as (a int, b text);
create domain short as varchar(5);
create domain when_ as timestamptz;
create table everything (
    id int primary key, i2 smallint, i8 bigint, f4 real, f8 double precision, n numeric, b boolean, t text, v varchar(9), c char(4), nm name,
    u uuid, j json, jb jsonb, d date, ts timestamp, tz timestamptz, tm time, tmz timetz, iv interval, by_ bytea, ip inet, ci cidr, mo money,
    o oid, rc regclass, bits varbit, r int4range, mr int4multirange, p point, tv tsvector, x xml, vec int2vector, m mood, co pair, s short,
    w when_, ia int[], ta text[], ma mood[], "we ""ird" text);
insert into everything (id) values (1);
insert into everything values (
    2, -1, 9007199254740993, 'NaN', '-Infinity', 'NaN', true, E'quote " slash \\ / tab \t line \n bell \x07 \x7f é 😀', 'v', 'c', 'n',
    '6e4d2a0c-0c2e-4a55-9a43-9f2b8f6c2f11', '{ "a" : [1,  2] }', '{"b": {"c": null}}', '0044-03-15 BC', '0044-03-15 12:00:00 BC',
    '0044-03-15 12:00:00+00 BC', '12:00:00.5', '12:00+05:30', '1 mon -2 days 03:04:05.6', '\x00ff', '10.0.0.1/8', '10.0.0.0/8', 12.5,
    42, 'everything', B'101', '[1,3)', '{[1,2),[5,9)}', '(1,2)', 'a:1 b', '<a>"</a>', '1 2', 'so "so"', (1, 'x"y'), 'sh"rt', 'infinity',
    '{1,null}', '{"a\"b",null}', '{good}', 'w');
insert into everything (id, f4, f8, n, b, d, ts, tz) values
    (3, 1e20, 1e-300, 12345678901234567890.10, false, 'infinity', 'infinity', '-infinity'),
    (4, 0.1, 1.0, 0, false, '20000-01-01', '20000-01-01 00:00:00.000001', '1800-01-01 00:00:00+00'),
    (5, -0.0, 5e-324, 'Infinity', null, '2024-02-29', '2024-02-29 23:59:59.9', '2024-02-29 12:00:00+05:30');
create table parts (id int primary key, of_ int references everything (id), name text);
insert into parts values (1, 2, 'one'), (2, 2, null), (3, 3, 'three');
create function loud(everything) returns text language sql stable as 'select upper($1.t)';
create view told as select id, set_config('response.headers', '[{"X-Told": "' || id || '"}]', true) is not null as told from everything;
grant select on all tables in schema public to anon, authenticated;
"#;

const READS: [&str; 12] = [
    "everything?order=id",
    "everything?order=id.desc&limit=2&offset=1",
    "everything?id=eq.77",
    "everything?select=id,f8,tz,ia,m&order=id",
    "everything?select=id,same:id,id&order=id",
    "everything?select=text:id::text,jb->b->c,j->>a,ia->0,n::int8&id=in.(2,3,4)&n=lt.100&order=id",
    "everything?select=loud,id&order=id",
    "everything?select=id,parts(*)&order=id",
    "everything?select=parts(name)&order=id",
    "parts?select=name,everything(tz,m)&order=id",
    "parts?select=name,...everything(tz,m)&order=id",
    "parts?select=*,everything!inner(co)&order=id",
];

async fn stage() -> Project {
    let project = Project::start().await;
    let direct = project.superuser().await;
    direct.batch_execute(&format!("set role project_admin; {TYPES}")).await.expect("the tables");
    eventually("the tables are known", async || {
        let path = "/api/database/records/told?limit=0";
        (project.call(Method::GET, path, ANON_KEY, None, &[]).await.status == 200).then_some(())
    })
    .await;
    project
}

/// Bodies of a read, as rows come and as Postgres writes them together.
async fn both(project: &Project, path: &str, headers: &[(&str, &str)]) -> (String, String) {
    let path = format!("/api/database/records/{path}");
    let alone = project.call(Method::GET, &path, ANON_KEY, None, headers).await;
    let counting: Vec<_> = headers.iter().copied().chain([("prefer", "count=exact")]).collect();
    let counted = project.call(Method::GET, &path, ANON_KEY, None, &counting).await;
    assert!(alone.status == 200 && [200, 206].contains(&counted.status), "{path}: {alone:?}");
    (alone.text, counted.text)
}

#[tokio::test]
async fn every_type_is_written_as_postgres_writes_it() {
    let project = stage().await;
    for path in READS {
        // Again and again, since a statement is first sent as it is, then prepared, then used.
        for _ in 0..3 {
            let (alone, counted) = both(&project, path, &[]).await;
            assert_eq!(alone, counted, "{path}");
        }
    }
    let object = ("accept", "application/vnd.pgrst.object+json");
    let (alone, counted) = both(&project, "everything?id=eq.2", &[object]).await;
    assert_eq!(alone, counted);
    let several = project.call(Method::GET, "/api/database/records/everything", ANON_KEY, None, &[object]).await;
    assert_eq!((several.status, several.json()["code"].as_str()), (406, Some("PGRST116")));
    let zone = [("prefer", "timezone=America/St_Johns")];
    let path = "/api/database/records/everything?select=tz&id=eq.5";
    let moved = project.call(Method::GET, path, ANON_KEY, None, &zone).await;
    assert_eq!(moved.text, r#"[{"tz":"2024-02-29T03:00:00-03:30"}]"#);
}

#[tokio::test]
async fn a_roles_way_of_writing_dates_changes_nothing() {
    let project = stage().await;
    let (before, _) = both(&project, "everything?order=id", &[]).await;
    let direct = project.superuser().await;
    let settings =
        "alter role anon set datestyle = 'German, DMY'; notify pgrst, 'reload config'; notify pgrst, 'reload schema'";
    direct.batch_execute(settings).await.expect("a setting");
    eventually("the role writes dates as it was told", async || {
        let (alone, counted) = both(&project, "everything?order=id", &[]).await;
        assert_eq!(alone, before);
        let text = both(&project, "everything?select=d::text&id=eq.5", &[]).await.0;
        (alone == counted && text.contains("29.02.2024")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_view_says_of_the_response_is_heard() {
    let project = stage().await;
    for _ in 0..3 {
        let path = "/api/database/records/told?id=eq.3";
        let reply = project.call(Method::GET, path, ANON_KEY, None, &[]).await;
        assert_eq!((reply.status, reply.header("x-told")), (200, "3"), "{reply:?}");
    }
}

/// Enough for a statement to be sent as it is, prepared, and used on each of several connections.
const READ_BETWEEN: usize = 12;

const CHANGES: [&str; 8] = [
    "add column extra int",
    "alter column extra type text using extra::text",
    "alter column extra type int[] using array[extra::int]",
    "rename column extra to spare",
    "alter column spare type jsonb using to_jsonb(spare)",
    "add column mood text[]",
    "drop column spare",
    "drop column mood",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changing_table_is_read_without_a_refusal() {
    let project = Arc::new(
        Project::with_schema("create table changing (id int primary key); insert into changing values (1)").await,
    );
    let (running, read) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let reader = {
        let (project, running, read) = (Arc::clone(&project), Arc::clone(&running), Arc::clone(&read));
        tokio::spawn(async move {
            while running.load(Ordering::Relaxed) {
                let path = "/api/database/records/changing";
                let reply = project.call(Method::GET, path, API_KEY, None, &[]).await;
                assert_eq!((reply.status, &reply.json()[0]["id"]), (200, &1.into()), "{reply:?}");
                read.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let direct = project.superuser().await;
    for change in CHANGES {
        direct.batch_execute(&format!("set role project_admin; alter table changing {change}")).await.expect(change);
        let enough = read.load(Ordering::Relaxed) + READ_BETWEEN;
        eventually("the table is read", async || {
            (reader.is_finished() || read.load(Ordering::Relaxed) >= enough).then_some(())
        })
        .await;
    }
    running.store(false, Ordering::Relaxed);
    reader.await.expect("no request is refused");
}
