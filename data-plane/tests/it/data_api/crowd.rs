//! More clients than connections: whose reads share a round trip gets its own answer, whatever becomes of the others'.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{case::Case, twin::Stage};

const CLIENTS: usize = 48;
const ROUNDS: usize = 25;
/// Of the ten connections, how many are held.
const WAITING: i64 = 8;
/// Far above what it takes to begin a statement.
const SOON: Duration = Duration::from_secs(8);

fn case(request: &str, caller: Option<&str>) -> Case {
    let mut case = Case::new(request);
    case.caller = caller.map(str::to_owned);
    case
}

/// One client's requests: each kind succeeds or fails in a way that no other does.
async fn ask_all(stage: &Stage, client: usize) {
    for round in 0..ROUNDS {
        match (client + round) % 5 {
            0 => {
                let id = 1 + round % 2;
                let answer = stage.ask(&case(&format!("GET /films?select=id&id=eq.{id}"), None)).await;
                assert_eq!((answer.status, &answer.body), (200, &json!([{"id": id}])));
            }
            1 => {
                let answer = stage.ask(&case("GET /films?select=id&id=eq.x", None)).await;
                assert_eq!((answer.status, &answer.body["code"]), (400, &json!("22P02")));
            }
            2 => {
                let subject = format!("00000000-0000-0000-0000-{client:012}");
                let answer = stage.ask(&case("GET /rpc/whose", Some(&subject))).await;
                assert_eq!((answer.status, &answer.body), (200, &json!(subject)));
            }
            3 => {
                let answer = stage.ask(&case("GET /out_of_sight?select=id", Some("anon"))).await;
                assert_eq!((answer.status, &answer.body["code"]), (401, &json!("42501")), "{answer:?}");
            }
            _ => {
                let mut insert = case("POST /plain", None);
                insert.body = Some(format!("{{\"id\": {}}}", 10_000 + client * ROUNDS + round));
                assert_eq!(stage.ask(&insert).await.status, 201);
            }
        }
    }
}

async fn ask_together(stage: &Arc<Stage>) {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let stage = Arc::clone(stage);
            tokio::spawn(async move { ask_all(&stage, client).await })
        })
        .collect();
    for client in clients {
        client.await.expect("every answer is right");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_gets_its_own_answer() {
    let stage = Arc::new(Stage::start().await);
    let direct = stage.project.superuser().await;
    direct
        .batch_execute(
            "set role project_admin;
             create table out_of_sight (id int);
             revoke all on out_of_sight from anon;
             create function whose() returns text language sql stable as $$ select current_setting('request.jwt.claims')::json->>'sub' $$;
             create function queue() returns int language sql stable as $$ select 1 from pg_advisory_xact_lock_shared(1) $$;
             grant execute on function whose, queue to anon, authenticated;
             reset role;",
        )
        .await
        .expect("SQL runs");
    ask_together(&stage).await;
    direct.batch_execute("delete from plain where id >= 10000").await.expect("SQL runs");

    // Most connections are held by statements that wait. Those that are quick pass by on the others.
    direct.batch_execute("select pg_advisory_lock(1)").await.expect("nobody else has it");
    let waiting: Vec<_> = (0..WAITING)
        .map(|_| {
            let stage = Arc::clone(&stage);
            tokio::spawn(async move { stage.ask(&case("GET /rpc/queue", None)).await })
        })
        .collect();
    let blocked = "select count(*) from pg_stat_activity where usename = 'authenticator' and wait_event = 'advisory'";
    let deadline = Instant::now() + SOON;
    while direct.query_one(blocked, &[]).await.expect("a row").get::<_, i64>(0) < WAITING {
        assert!(Instant::now() < deadline, "the connections are not held");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ask_together(&stage).await;
    direct.batch_execute("select pg_advisory_unlock(1)").await.expect("it is held");
    for waiting in waiting {
        let answer = waiting.await.expect("it answers");
        // On a slow machine its time ran out first.
        assert!(answer.status == 200 || answer.body["message"] == "timeout of 10000ms exceeded", "{answer:?}");
    }
}
