//! What `alter role … set` and `create function … set` give to a request's transaction, beside what the real PostgREST makes of it.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    case::{Answer, Case},
    twin::{Stage, Twin},
};

const LIMIT: Duration = Duration::from_secs(10);

const FUNCTIONS: &str = "
    create function setting(name text) returns text language sql stable as $$ select pg_catalog.current_setting(name, true) $$;
    create function slow() returns text language sql stable as $$ select pg_catalog.pg_sleep(3)::text $$;
    create function hurried() returns text language sql stable set statement_timeout = '150ms'
        as $$ select pg_catalog.pg_sleep(3)::text $$;
    create function isolated() returns text language sql stable set default_transaction_isolation = 'repeatable read'
        as $$ select pg_catalog.current_setting('transaction_isolation') $$;
    create function confined() returns text language sql stable set work_mem = '333kB'
        as $$ select pg_catalog.current_setting('work_mem') $$;
    notify pgrst, 'reload schema'";

const NAMES: [&str; 10] = [
    "statement_timeout",
    "work_mem",
    "search_path",
    "transaction_isolation",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "transaction_read_only",
    "session_replication_role",
    "app.tenant",
    "role",
];

fn called(name: &str, caller: &str) -> Case {
    let mut case = Case::new(format!("GET /rpc/{name}"));
    case.caller = Some(caller.to_owned());
    case
}

fn setting(name: &str, caller: &str) -> Case {
    called(&format!("setting?name={name}"), caller)
}

/// The same call with its argument in the body.
fn posted(case: &Case) -> Case {
    let (path, query) = case.path().split_once('?').unwrap_or((case.path(), ""));
    let body = query.split_once('=').map_or_else(|| json!({}), |(name, value)| json!({name: value}));
    Case { request: format!("POST {path}"), body: Some(body.to_string()), ..case.clone() }
}

/// Asks until the answer is there.
async fn eventually(mut ask: impl AsyncFnMut() -> Answer, body: &Value) {
    let begun = Instant::now();
    loop {
        let answer = ask().await;
        if answer.body == *body {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "{answer:?} stays, and is not {body}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn roles_and_functions_settings_hold_as_they_do_in_postgrest() {
    let twin = Twin::start().await;
    twin.both(FUNCTIONS).await;
    twin.both(
        "alter role anon set statement_timeout = '200ms'; alter role anon set work_mem = 444;
         alter role anon set search_path = extra, public; alter role anon set session_replication_role = replica;
         alter role anon set app.tenant = 'x'; alter role anon set default_transaction_read_only = on;
         alter role authenticated set default_transaction_isolation = 'serializable';
         notify pgrst, 'reload config'",
    )
    .await;
    eventually(async || twin.ask(&setting("work_mem", "anon")).await.0, &json!("444kB")).await;
    eventually(async || twin.ask(&setting("work_mem", "anon")).await.1, &json!("444kB")).await;
    let subject = "6a1f1f6e-0000-4000-8000-000000000001";
    let calls = ["slow", "hurried", "isolated", "confined"].map(|name| called(name, "anon"));
    let reads = NAMES.iter().flat_map(|name| [setting(name, "anon"), setting(name, subject)]);
    for mut case in reads.chain(calls) {
        for method in ["GET", "POST"] {
            if method == "POST" {
                case = posted(&case);
            }
            let (ours, theirs) = twin.ask(&case).await;
            assert!(theirs.differences(&ours).is_empty(), "{case:?}: PostgREST {theirs:?}, ours {ours:?}");
        }
    }
    let mut insert = Case::new("POST /plain");
    (insert.caller, insert.body) = (Some(subject.to_owned()), Some(r#"{"id": 900}"#.to_owned()));
    let (ours, theirs) = twin.ask(&insert).await;
    assert!(theirs.differences(&ours).is_empty(), "PostgREST {theirs:?}, ours {ours:?}");
    let ours = twin.ask(&called("slow", "anon")).await.0;
    assert_eq!(ours.code(), "57014", "{ours:?}");
    let ours = twin.ask(&setting("transaction_isolation", subject)).await.0;
    assert_eq!(ours.body, json!("serializable"));
}

#[tokio::test]
async fn developers_give_settings_that_the_next_request_has() {
    let stage = Stage::start().await;
    stage
        .project
        .migrate(
            "1",
            "create function slow() returns text language sql stable as 'select pg_catalog.pg_sleep(1)::text'",
        )
        .await;
    // A role may choose for itself; the top level of raw SQL manages no roles.
    let query = "do $$ begin set local role anon; alter role anon set statement_timeout = '100ms'; end $$";
    stage.project.admin(Method::POST, "/api/database/advance/rawsql", Some(json!({"query": query}))).await.expect(200);
    let refused = stage.ask(&called("slow", "anon")).await;
    assert_eq!((refused.status, refused.code()), (500, "57014"), "{refused:?}");
    assert_eq!(stage.ask(&Case::new("GET /rpc/slow")).await.status, 200);
}

#[tokio::test]
async fn a_roles_settings_change_nothing_that_the_platform_relies_on() {
    let stage = Stage::start().await;
    let direct = stage.project.superuser().await;
    direct
        .batch_execute(
            "create function state() returns jsonb language sql volatile as $$
                 select jsonb_build_object('user', current_user, 'claims', auth.role(), 'encoding', current_setting('client_encoding'),
                    'strings', current_setting('standard_conforming_strings'), 'work_mem', current_setting('work_mem'),
                    'replication', current_setting('session_replication_role'), 'read_only', current_setting('transaction_read_only')) $$;
             notify pgrst, 'reload schema'",
        )
        .await
        .expect("a function");
    let state = |work_mem: &str| {
        json!({"user": "anon", "claims": "anon", "encoding": "UTF8", "strings": "on", "work_mem": work_mem,
            "replication": "origin", "read_only": "off"})
    };
    // Posted to a volatile function, so that the transaction may write.
    let case = posted(&called("state", "anon"));
    let before = stage.ask(&case).await;
    assert_eq!(before.body["claims"], "anon", "{before:?}");
    direct
        .batch_execute(
            "alter role anon set role = 'project_admin'; alter role anon set client_encoding = 'LATIN1';
             alter role anon set standard_conforming_strings = off; alter role anon set transaction_read_only = on;
             alter role anon set session_replication_role = replica;
             alter role anon set request.jwt.claims = '{\"role\": \"project_admin\"}'; alter role anon set work_mem = '444kB';
             alter role anon in database insforge set work_mem = '555kB';
             notify pgrst, 'reload config'",
        )
        .await
        .expect("settings");
    // Nobody granted the session user the right to set it, so the role's wish for it counts as little as in any session.
    eventually(async || stage.ask(&case).await, &state("555kB")).await;
    direct
        .batch_execute(
            "alter role anon reset all; alter role anon in database insforge reset all; notify pgrst, 'reload config'",
        )
        .await
        .expect("no settings");
    eventually(async || stage.ask(&case).await, &before.body).await;
    direct
        .batch_execute(
            "grant set on parameter session_replication_role to authenticator;
             alter role anon set session_replication_role = replica; notify pgrst, 'reload config'",
        )
        .await
        .expect("a right and a setting");
    let mut granted = before.body.clone();
    granted["replication"] = json!("replica");
    eventually(async || stage.ask(&case).await, &granted).await;
}
