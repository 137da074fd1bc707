//! Clients that leave before their answer: a read is cancelled, a write is finished, and neither lets more statements run than there are places.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;

use crate::database_harness::{API_KEY, Project, eventually};

/// How long the statements would take.
const SCHEMA: &str = "
create table written (id int primary key);
create function slow_read() returns int language sql stable as $$ select 1 from pg_sleep(60) $$;
create function slow_write(id int) returns int language sql volatile
    as $$ select pg_sleep(2); insert into written values (id) returning id $$;
create view endless as
    select generate_series(1, 100000000) as n, repeat('x', 10000) as wide, pg_sleep(0.005)::text as slept;";

/// Of the pool.
const PLACES: i64 = 10;
const CLIENTS: i32 = 40;
/// Shorter than the longest time that a statement may take, which is ten seconds.
const LIMIT: Duration = Duration::from_secs(8);
/// How often it is counted what runs: those who came later would have begun by then.
const LOOKS: u32 = 100;

async fn running(direct: &tokio_postgres::Client) -> i64 {
    let asked = "select count(*) from pg_stat_activity where usename = 'authenticator' and state = 'active' and query not like 'LISTEN%'";
    direct.query_one(asked, &[]).await.expect("Postgres answers").get(0)
}

/// Clients ask until every place is taken, and leave. The most statements that ran at a time.
async fn leave(project: &Arc<Project>, direct: &tokio_postgres::Client, path: impl Fn(i32) -> (Method, String)) -> i64 {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (project, (method, path)) = (Arc::clone(project), path(number));
            tokio::spawn(async move {
                let body = (method == Method::POST).then(|| json!({"id": number}));
                project.call(method, &path, API_KEY, body, &[]).await
            })
        })
        .collect();
    let (began, mut most, mut looked) = (Instant::now(), 0, 0);
    while most < PLACES || looked < LOOKS {
        most = most.max(running(direct).await);
        looked += 1;
        assert!(began.elapsed() < LIMIT, "after {looked} looks only {most} statements run");
    }
    clients.iter().for_each(tokio::task::JoinHandle::abort);
    most
}

async fn stage() -> (Arc<Project>, tokio_postgres::Client) {
    let project = Project::with_schema(SCHEMA).await;
    let direct = project.superuser().await;
    (Arc::new(project), direct)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_whose_client_left_is_cancelled() {
    let (project, direct) = stage().await;
    for path in ["rpc/slow_read", "records/endless"] {
        for _ in 0..3 {
            let most = leave(&project, &direct, |_| (Method::GET, format!("/api/database/{path}"))).await;
            assert_eq!(most, PLACES, "{path}");
        }
        let began = Instant::now();
        eventually("nothing runs any more", async || (running(&direct).await == 0).then_some(())).await;
        assert!(began.elapsed() < LIMIT, "{path} ran on for {:?}", began.elapsed());
        let reply = project.call(Method::GET, "/api/database/records/written", API_KEY, None, &[]).await;
        assert_eq!((reply.status, reply.text.as_str()), (200, "[]"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_client_left_is_finished() {
    let (project, direct) = stage().await;
    let most = leave(&project, &direct, |_| (Method::POST, "/api/database/rpc/slow_write".to_owned())).await;
    assert_eq!(most, PLACES);
    eventually("what began is written", async || {
        let written: i64 = direct.query_one("select count(*) from written", &[]).await.expect("rows").get(0);
        (written >= PLACES && running(&direct).await == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_loses_postgres_half_way_is_a_503_and_the_next_one_is_answered() {
    let (project, direct) = stage().await;
    let reader = {
        let project = Arc::clone(&project);
        tokio::spawn(async move {
            project.call(Method::GET, "/api/database/records/endless?limit=50000", API_KEY, None, &[]).await
        })
    };
    let ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'authenticator' and query like '%endless%'";
    // It is asked once more, so that it is lost twice.
    while !reader.is_finished() {
        let _ended: i64 = direct.query_one(ended, &[]).await.expect("Postgres answers").get(0);
    }
    let reply = reader.await.expect("it is answered");
    assert_eq!(reply.status, 503, "{}", reply.text);
    let reply = project.call(Method::GET, "/api/database/records/endless?select=n&limit=2", API_KEY, None, &[]).await;
    assert_eq!(reply.expect(200), json!([{"n": 1}, {"n": 2}]));
}
