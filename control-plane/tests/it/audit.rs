//! The audit log: a row before the act, its outcome with the act, and an open row where a process died in between.

use std::sync::Arc;

use chrono::Duration;
use http::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::harness::{App, until};

#[derive(sqlx::FromRow)]
struct Row {
    action: String,
    outcome: Option<String>,
    project_id: Option<uuid::Uuid>,
    detail: Value,
}

async fn rows(pool: &PgPool, request: &str) -> Vec<Row> {
    sqlx::query_as("select action, outcome, project_id, detail from audit_log where detail ->> 'request' = $1 order by opened_at, id")
        .bind(request)
        .fetch_all(pool)
        .await
        .expect("rows")
}

async fn only_row(pool: &PgPool, request: &str) -> Row {
    let mut found = rows(pool, request).await;
    assert_eq!(found.len(), 1, "{request}");
    found.remove(0)
}

#[tokio::test]
async fn every_changing_request_has_one_row_with_its_outcome() {
    let app = App::start().await;
    let id = app.admin.project("shop").await;
    let made = only_row(&app.pool, &format!("POST {}", app.admin.projects_path())).await;
    assert_eq!((made.action.as_str(), made.outcome.as_deref()), ("project.create", Some("started")));
    assert_eq!((made.project_id.map(|id| id.to_string()), &made.detail["name"]), (Some(id.clone()), &json!("shop")));

    // Disks do not shrink: what the act had written of itself is rolled back with it.
    let path = format!("/projects/v1/{id}");
    let refused = app.admin.put(&path, json!({ "storageDiskSize": 1 })).await;
    let (_, code) = refused.refusal();
    let row = only_row(&app.pool, &format!("PUT {path}")).await;
    assert_eq!((row.action.as_str(), row.outcome.as_deref()), ("request", Some(code)));

    let _ = app.admin.put(&path, json!({ "name": "store" })).await.expect(200);
    let row = rows(&app.pool, &format!("PUT {path}")).await.pop().expect("a row");
    assert_eq!((row.action.as_str(), row.outcome.as_deref()), ("project.update", Some("done")));

    let malformed = app.admin.send_text(Method::PUT, &path, &[], "{".to_owned()).await;
    assert_eq!(malformed.status, 400);
    let last = rows(&app.pool, &format!("PUT {path}")).await.pop().expect("a row");
    assert_eq!((last.action.as_str(), last.outcome.as_deref()), ("request", Some("request.malformed")));
    assert_eq!(app.admin.get(&path).await.status, 200);
    assert!(rows(&app.pool, &format!("GET {path}")).await.is_empty(), "reading is no act");
    assert_eq!(app.admin.with_token(None).put(&path, json!({ "name": "mine" })).await.status, 401);
    assert_eq!(rows(&app.pool, &format!("PUT {path}")).await.len(), 3, "strangers write nothing");
}

#[tokio::test]
async fn a_repeated_request_acts_and_is_recorded_once() {
    let app = App::start().await;
    let path = "/organizations/v1";
    let body = json!({ "name": "Workshop", "type": "team" });
    for _ in 0..2 {
        let reply = app.admin.send(Method::POST, path, &[("idempotency-key", "k1")], Some(&body)).await;
        assert!(reply.status < 300, "{}", reply.text);
    }
    assert_eq!(only_row(&app.pool, &format!("POST {path}")).await.action, "organization.create");
}

#[tokio::test]
async fn a_row_is_there_before_the_act_and_stays_open_until_its_end() {
    let app = Arc::new(App::start().await);
    let id = app.admin.project("shop").await;
    let path = format!("/projects/v1/{id}");
    // Somebody else holds the project, so that the act cannot begin.
    let mut held = app.pool.begin().await.expect("a transaction");
    sqlx::query("select from projects where id = $1::uuid for update")
        .bind(uuid::Uuid::parse_str(&id).expect("an id"))
        .execute(&mut *held)
        .await
        .expect("locks");
    let request = format!("PUT {path}");
    let caller = app.admin.clone();
    let act = tokio::spawn(async move { caller.put(&path, json!({ "name": "store" })).await });
    // This is what a process that dies now leaves behind.
    let open = until(|| async { rows(&app.pool, &request).await.pop() }).await;
    assert_eq!((open.action.as_str(), open.outcome), ("request", None));

    // The caller goes away; what it asked for is done all the same, or not at all, and the row says which.
    act.abort();
    held.rollback().await.expect("lets go");
    let closed = until(|| async { rows(&app.pool, &request).await.pop().filter(|row| row.outcome.is_some()) }).await;
    assert_eq!((closed.action.as_str(), closed.outcome.as_deref()), ("project.update", Some("done")));
    assert_eq!(app.admin.project_field(&id, "name").await, "store");
}

#[tokio::test]
async fn signing_in_and_refreshing_are_acts_of_whoever_proves_to_be_the_user() {
    let app = App::start().await;
    let stranger = app.admin.with_token(None);
    let log_in = async |password: &str| {
        stranger.post("/auth/v1/login", json!({ "email": app.bootstrapped.email, "password": password })).await
    };
    let refresh = async |token: &str| {
        stranger.post("/api/oauth/v1/token", json!({ "grant_type": "refresh_token", "refresh_token": token })).await
    };
    let noted = async || -> Vec<(String, Option<String>, bool)> {
        sqlx::query_as(
            "select action, outcome, actor = (select id from users where email = $1) and request_id <> '' and closed_at is not null
             from audit_log where action like 'session.%' order by opened_at, action",
        )
        .bind(&app.bootstrapped.email)
        .fetch_all(&app.pool)
        .await
        .expect("rows")
    };
    assert_eq!((log_in("guess").await.status, refresh("guess").await.status), (401, 400));
    assert!(noted().await.is_empty(), "strangers write nothing");

    let signed_in = log_in(app.bootstrapped.password.expose_secret()).await;
    let cookie = signed_in.header("set-cookie").and_then(|text| text.strip_prefix("refreshToken=")?.split(';').next());
    let first = cookie.expect("a cookie").to_owned();
    let _ = refresh(&first).await.expect(200);
    app.clock.advance(Duration::minutes(2));
    assert_eq!(refresh(&first).await.status, 400, "used again, it ends the session");
    let row = |action: &str, outcome: &str| (action.to_owned(), Some(outcome.to_owned()), true);
    let expected = [("session.create", "done"), ("session.refresh", "done"), ("session.refresh", "auth.invalid_grant")];
    assert_eq!(noted().await, expected.map(|(action, outcome)| row(action, outcome)));
}
