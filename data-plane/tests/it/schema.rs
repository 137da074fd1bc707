//! Schema snapshots and merge plans, as the platform asks for them.

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

#[tokio::test]
async fn only_the_platform_may_ask() {
    let project = Project::with_schema("create table a (id int)").await;
    assert_eq!(project.call(Method::GET, "/_hearth/v1/schema", API_KEY, None, &[]).await.status, 401);
    let read = snapshot(&project).await;
    assert_eq!(read["snapshot"]["migrations"][0]["version"], "1");
    assert!(
        read["snapshot"]["configuration"]
            .as_array()
            .is_some_and(|rows| rows.iter().any(|row| row["table"] == "email.templates"))
    );
}
