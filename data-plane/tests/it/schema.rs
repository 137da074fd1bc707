//! Schema snapshots and merge plans, as the platform asks for them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::database_harness::{API_KEY, PLATFORM_TOKEN, Project, Reply};

const OPERATION: &str = "0193a000-0000-7000-8000-000000000001";

async fn snapshot(project: &Project) -> Value {
    project.call(Method::GET, "/_hearth/v1/schema", PLATFORM_TOKEN, None, &[]).await.expect(200)
}

async fn apply(project: &Project, statements: Value, expected: &str, predicted: &str) -> Reply {
    let plan = json!({"operation_id": OPERATION, "statements": statements, "expected_hash": expected, "predicted_hash": predicted, "lock_timeout_ms": 300});
    project.call(Method::POST, "/_hearth/v1/schema/apply", PLATFORM_TOKEN, Some(plan), &[]).await
}

fn catalog(sql: &str) -> Value {
    json!({"sql": sql, "role_hint": "project_admin", "origin": "catalog"})
}

/// The hash a database has after the statement ran in it.
async fn hash_after(sql: &str) -> (Project, String) {
    let project = Project::with_schema("create table a (id int)").await;
    project.sql(sql).await.expect(200);
    let hash = snapshot(&project).await["catalog_hash"].as_str().expect("a hash").to_owned();
    (project, hash)
}

#[tokio::test]
async fn a_plan_is_applied_once_and_only_where_it_was_made_for() {
    let add = "create table public.b (id int)";
    let (_twin, predicted) = hash_after(add).await;
    let project = Project::with_schema("create table a (id int)").await;
    let before = snapshot(&project).await["catalog_hash"].as_str().expect("a hash").to_owned();
    assert_ne!(before, predicted);

    let elsewhere = apply(&project, json!([catalog(add)]), "0000", &predicted).await.expect(409);
    assert_eq!(elsewhere, json!({"reason": "target_changed", "catalog_hash": before}));
    let wrong = apply(&project, json!([catalog(add)]), &before, "0000").await.expect(409);
    assert_eq!(wrong["reason"], "prediction_failed");
    let failing =
        apply(&project, json!([catalog(add), catalog("create table public.c (id nope)")]), &before, &predicted)
            .await
            .expect(409);
    assert_eq!((&failing["index"], &failing["sqlstate"]), (&json!(1), &json!("42704")));
    assert_eq!(snapshot(&project).await["catalog_hash"], before.as_str(), "refusals leave nothing behind");

    let data = json!({"sql": "insert into b values (7)", "role_hint": "project_admin", "origin": "data"});
    let applied = apply(&project, json!([catalog(add), data]), &before, &predicted).await.expect(200);
    assert_eq!((&applied["applied_now"], &applied["catalog_hash"]), (&json!(true), &json!(predicted)));
    let again = apply(&project, json!([catalog(add)]), &before, &predicted).await.expect(200);
    assert_eq!(again["applied_now"], false);
    assert_eq!(project.rows("b").await, json!([{"id": 7}]));
}

#[tokio::test]
async fn a_plan_gives_up_on_a_lock_in_time() {
    let change = "alter table public.a add column x int";
    let (_twin, predicted) = hash_after(change).await;
    let project = Project::with_schema("create table a (id int)").await;
    let before = snapshot(&project).await["catalog_hash"].as_str().expect("a hash").to_owned();
    let other = project.superuser().await;
    other.batch_execute("begin; lock table public.a in access share mode").await.expect("a lock");
    assert_eq!(
        apply(&project, json!([catalog(change)]), &before, &predicted).await.expect(423),
        json!({"reason": "locked"})
    );
    other.batch_execute("rollback").await.expect("an end");
    apply(&project, json!([catalog(change)]), &before, &predicted).await.expect(200);
}

fn hash_of(snapshot: &Value) -> String {
    snapshot["catalog_hash"].as_str().expect("a hash").to_owned()
}

/// A plan of two transactions: a label of an enum, and a table that uses it. Returns it with the hashes along its way.
async fn labelled() -> (Project, Value, [String; 3]) {
    let start = "create type mood as enum ('calm')";
    let (label, table) =
        ("alter type public.mood add value 'angry'", "create table public.m (mood public.mood default 'angry')");
    let twin = Project::with_schema(start).await;
    let first = hash_of(&snapshot(&twin).await);
    twin.sql(label).await.expect(200);
    let second = hash_of(&snapshot(&twin).await);
    twin.sql(table).await.expect(200);
    let third = hash_of(&snapshot(&twin).await);
    let statement = |sql: &str, segment: u32| json!({"sql": sql, "role_hint": "project_admin", "origin": "catalog", "segment": segment});
    let segment =
        |number: u32, from: &str, to: &str| json!({"number": number, "expected_hash": from, "predicted_hash": to});
    let plan = json!({
        "operation_id": OPERATION, "plan_hash": "p", "statements": [statement(label, 0), statement(table, 1)],
        "segments": [segment(0, &first, &second), segment(1, &second, &third)],
        "expected_hash": first, "predicted_hash": third, "lock_timeout_ms": 300,
    });
    (Project::with_schema(start).await, plan, [first, second, third])
}

async fn ask(project: &Project, what: &str, body: Value) -> Reply {
    project.call(Method::POST, &format!("/_hearth/v1/schema/{what}"), PLATFORM_TOKEN, Some(body), &[]).await
}

#[tokio::test]
async fn a_plan_of_two_transactions_goes_on_where_it_stopped() {
    let (project, plan, [first, second, third]) = labelled().await;
    let mut broken = plan.clone();
    broken["statements"][1]["sql"] = json!("create table public.m (mood nothing)");
    let refused = ask(&project, "apply", broken).await.expect(409);
    assert_eq!((&refused["reason"], &refused["committed_segments"]), (&json!("statement_failed"), &json!(1)));
    assert_eq!(hash_of(&snapshot(&project).await), second, "the label is there, and nothing else");

    // Under another hash it is another plan, which starts elsewhere.
    let mut other = plan.clone();
    other["plan_hash"] = json!("q");
    assert_eq!(ask(&project, "apply", other).await.expect(409)["reason"], "target_changed");

    let applied = ask(&project, "apply", plan.clone()).await.expect(200);
    assert_eq!((&applied["applied_now"], &applied["catalog_hash"]), (&json!(true), &json!(third)));
    assert_eq!(applied["snapshot"]["catalog"], snapshot(&project).await["snapshot"]["catalog"]);
    let again = ask(&project, "apply", plan).await.expect(200);
    assert_eq!((&again["applied_now"], &again["catalog_hash"]), (&json!(false), &json!(third)));
    assert_ne!(first, third);
}

#[tokio::test]
async fn a_plan_is_bound_to_the_rows_it_was_made_for() {
    let project = Project::with_schema("create table a (id int)").await;
    let read = snapshot(&project).await;
    let rows: schema_merge::Snapshot = serde_json::from_value(read["snapshot"].clone()).expect("a snapshot");
    let (hash, rows_hash) = (hash_of(&read), rows.rows_hash());
    let insert = "insert into storage.buckets (name, public) values ('made-by-a-plan', true)";
    let plan = json!({
        "operation_id": OPERATION, "statements": [{"sql": insert, "origin": "rows"}], "expected_hash": hash,
        "predicted_hash": hash, "rows_hash": rows_hash, "lock_timeout_ms": 300,
    });
    project.sql("insert into storage.buckets (name, public) values ('made-meanwhile', true)").await.expect(200);
    assert_eq!(ask(&project, "apply", plan.clone()).await.expect(409)["reason"], "target_changed");
    project.superuser().await.batch_execute("delete from storage.buckets").await.expect("emptied");
    assert_eq!(ask(&project, "apply", plan).await.expect(200)["applied_now"], true);
}

#[tokio::test]
async fn a_rehearsal_tells_what_a_plan_does_and_what_is_in_its_way() {
    let start = "create table a (id int primary key, n int, t text); insert into a select n, nullif(n % 3, 0), 'x' from generate_series(1, 30) n";
    let change = [
        "alter table public.a alter column n type bigint",
        "create table public.b (id int)",
        "comment on table public.b is 'B'",
    ];
    let twin = Project::with_schema(start).await;
    for sql in change {
        twin.sql(sql).await.expect(200);
    }
    let predicted = hash_of(&snapshot(&twin).await);
    let project = Project::with_schema(start).await;
    let expected = hash_of(&snapshot(&project).await);
    let probe = |sql: &str| json!({"rule": "C6", "table": "public.a", "what": "have no n", "sql": sql});
    let request = json!({
        "operation_id": OPERATION, "statements": change.map(catalog), "expected_hash": expected, "predicted_hash": predicted,
        "lock_timeout_ms": 300, "exact": true, "observe": true,
        "probes": [
            probe("select jsonb_build_object('id', t.id) from public.a t where t.n is null"),
            probe("select jsonb_build_object('id', t.id) from public.a t where t.n > 100"),
            probe("select jsonb_build_object('id', t.id) from public.a t where t.not_there is null"),
            probe("select to_jsonb(pg_read_file('/etc/passwd'))"),
            probe("with gone as (delete from public.a returning id) select to_jsonb(id) from gone"),
        ],
    });
    let rehearsed = ask(&project, "rehearse", request.clone()).await.expect(200);
    assert_eq!(rehearsed["refused"], Value::Null, "{rehearsed:#}");
    let report = &rehearsed["report"];
    assert_eq!(report["observer"]["verdict"], "agrees", "{report:#}");
    assert_eq!(report["rewritten"], json!(["public.a"]));
    assert_eq!(
        report["locks"][0],
        json!({"object": "public.a", "mode": "AccessExclusiveLock", "blocks": "reads and writes", "statement": 0})
    );
    assert_eq!(report["slowest"].as_array().map(Vec::len), Some(3));
    assert!(report["blocking_ms"].as_f64() > Some(0.0), "{report:#}");
    let violations = report["violations"].as_array().expect("a list");
    assert_eq!(violations.len(), 1, "questions that cannot be asked find nothing: {report:#}");
    assert_eq!((&violations[0]["count"], &violations[0]["sample"][0]), (&json!(10), &json!({"id": 3})));
    assert_eq!(hash_of(&snapshot(&project).await), predicted);
    assert_eq!(project.rows("a").await.as_array().map(Vec::len), Some(30));
    let again = ask(&project, "rehearse", request).await.expect(200);
    assert_eq!(again, rehearsed, "asked again, it answers the same");
}

#[tokio::test]
async fn the_second_observer_sees_what_the_catalog_does_not_say() {
    let project = Project::with_schema("create table a (id int primary key); create table b (id int)").await;
    let hash = hash_of(&snapshot(&project).await);
    // Internal schemas are not part of the catalog, so the prediction holds.
    let unseen = json!({"sql": "create table system.hidden (id int)", "origin": "catalog"});
    let request = json!({
        "operation_id": OPERATION, "statements": [unseen], "expected_hash": hash, "predicted_hash": hash,
        "lock_timeout_ms": 300, "exact": true, "observe": true,
    });
    let rehearsed = ask(&project, "rehearse", request).await.expect(200);
    let observer = &rehearsed["report"]["observer"];
    assert_eq!(observer["verdict"], "disagrees", "{rehearsed:#}");
    assert!(observer["differences"][0].as_str().is_some_and(|text| text.contains("hidden")), "{observer}");
}

#[tokio::test]
async fn what_is_kept_is_forgotten_all_or_nothing_and_any_number_of_times() {
    let project = Project::with_schema("create table a (id int)").await;
    let admin = project.superuser().await;
    admin
        .batch_execute("create schema hearth_undo_x authorization postgres; create table hearth_undo_x.k (id int); alter table hearth_undo_x.k owner to postgres")
        .await
        .expect("made");
    let kept = async || {
        let row = admin.query_one("select to_regclass('hearth_undo_x.k') is not null", &[]).await.expect("read");
        row.get::<_, bool>(0)
    };
    let statements = ["drop table if exists hearth_undo_x.k", "drop schema if exists hearth_undo_x"];
    let wrong = json!({"statements": [statements[0], "drop schema hearth_undo_y"], "lock_timeout_ms": 300});
    assert_eq!(ask(&project, "forget", wrong).await.expect(409)["reason"], "statement_failed");
    assert!(kept().await);
    let right = json!({"statements": statements, "lock_timeout_ms": 300});
    ask(&project, "forget", right.clone()).await.expect(200);
    assert!(!kept().await);
    ask(&project, "forget", right).await.expect(200);
}

/// A control plane that is killed while it reads leaves no connection in the middle of its read-only transaction.
#[tokio::test]
async fn a_snapshot_that_nobody_waits_for_leaves_nothing_behind() {
    let project = Project::with_schema("create table a (id int)").await;
    for milliseconds in (1..60).step_by(3) {
        let asked = project.call(Method::GET, "/_hearth/v1/schema", PLATFORM_TOKEN, None, &[]);
        // Answered or not, it is the interruption that matters.
        drop(tokio::time::timeout(Duration::from_millis(milliseconds), asked).await);
        let audited = format!("insert into a values ({milliseconds})");
        project.sql(&audited).await.expect(200);
    }
}

#[tokio::test]
async fn only_the_platform_may_ask() {
    let project = Project::with_schema("create table a (id int)").await;
    assert_eq!(project.call(Method::GET, "/_hearth/v1/schema", API_KEY, None, &[]).await.status, 401);
    for what in ["apply", "rehearse", "forget"] {
        let path = format!("/_hearth/v1/schema/{what}");
        assert_eq!(project.call(Method::POST, &path, API_KEY, Some(json!({})), &[]).await.status, 401);
        let unreadable = ask(&project, what, json!({"statements": 7})).await;
        assert!((400..500).contains(&unreadable.status), "{what}: {}", unreadable.status);
    }
    let read = snapshot(&project).await;
    assert_eq!(read["snapshot"]["migrations"][0]["version"], "1");
    assert!(
        read["snapshot"]["configuration"]
            .as_array()
            .is_some_and(|rows| rows.iter().any(|row| row["table"] == "email.templates"))
    );
}
