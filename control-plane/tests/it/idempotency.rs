//! `Idempotency-Key`: the same request has one effect and one answer, however often and however parallel it comes.

use futures::future::join_all;
use http::Method;
use model::limits::Plan;
use serde_json::json;

use crate::harness::{App, Reply, User};

async fn create(user: &User, key: &str, name: &str) -> Reply {
    let body = json!({ "name": name });
    user.send(Method::POST, &user.projects_path(), &[("idempotency-key", key)], Some(&body)).await
}

#[tokio::test]
async fn ten_creates_at_once_with_one_key_make_one_project() {
    let app = App::start().await;
    let replies = join_all((0..10).map(|_| create(&app.admin, "k1", "once"))).await;
    for reply in &replies {
        assert_eq!((reply.status, &reply.text), (201, &replies[0].text));
        assert_eq!(reply.operation(), replies[0].operation());
    }
    assert_eq!((app.count("projects").await, app.engine.starts().len()), (1, 1));
    assert_eq!(replies.iter().filter(|reply| reply.header("idempotency-replayed").is_none()).count(), 1);
}

#[tokio::test]
async fn a_key_means_one_request_of_one_user() {
    let app = App::start().await;
    let other = app.user("other", Plan::Pro).await;
    let first = create(&app.admin, "k1", "one").await;
    assert_eq!(create(&app.admin, "k1", "two").await.refusal(), (422, "idempotency.key_reused"));
    let elsewhere = app
        .admin
        .send(Method::POST, "/organizations/v1", &[("idempotency-key", "k1")], Some(&json!({ "name": "one" })))
        .await;
    assert_eq!(elsewhere.refusal(), (422, "idempotency.key_reused"));
    assert_eq!(create(&other, "k1", "two").await.status, 201, "another user's key is another key");
    assert_eq!(create(&app.admin, "k2", "one").await.status, 201, "another key is another project, even of that name");
    assert_eq!(create(&app.admin, "k1", "one").await.text, first.text);
    assert_eq!(app.count("projects").await, 3);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let app = App::start().await;
    assert_eq!(create(&app.admin, "k1", "").await.status, 400);
    assert_eq!(create(&app.admin, "k1", "better").await.status, 201);
    for key in ["", &"k".repeat(256)] {
        assert_eq!(create(&app.admin, key, "shop").await.refusal(), (400, "request.invalid"));
    }
}

#[tokio::test]
async fn kept_answers_are_sealed_and_forgotten_after_a_day() {
    let app = App::start().await;
    let body = json!({ "name": "robot" });
    let make =
        async || app.admin.send(Method::POST, "/auth/v1/api-keys", &[("idempotency-key", "k1")], Some(&body)).await;
    let first = make().await;
    assert_eq!(make().await.text, first.text, "the secret is shown again only to whoever has the key");
    let kept: Vec<u8> =
        sqlx::query_scalar("select body from idempotency_keys").fetch_one(&app.pool).await.expect("reads");
    assert!(!String::from_utf8_lossy(&kept).contains("uak_"));
    app.clock.advance(chrono::Duration::hours(25));
    assert_ne!(make().await.text, first.text);
}

#[tokio::test]
async fn an_answer_that_was_lost_in_a_crash_is_made_again() {
    let app = App::start().await;
    let first = create(&app.admin, "k1", "shop").await;
    sqlx::query("update idempotency_keys set status = null, body = null").execute(&app.pool).await.expect("writes");
    app.clock.advance(chrono::Duration::minutes(13));
    let again = create(&app.admin, "k1", "shop").await;
    assert_eq!((again.status, &again.body["project"]["id"]), (201, &first.body["project"]["id"]));
    assert_eq!(again.operation(), first.operation());
    assert_eq!(app.count("projects").await, 1);

    // Where nothing was recorded before the crash, the request runs.
    sqlx::query("update idempotency_keys set status = null, body = null, operation_id = null")
        .execute(&app.pool)
        .await
        .expect("writes");
    app.clock.advance(chrono::Duration::minutes(13));
    assert_eq!(create(&app.admin, "k1", "shop").await.status, 201);
    assert_eq!(app.count("projects").await, 2);
}

#[tokio::test]
async fn without_a_key_an_identical_create_within_a_minute_is_recognised() {
    let app = App::start().await;
    let post = async |name: &str| app.admin.post(&app.admin.projects_path(), json!({ "name": name })).await.expect(201);
    let first = post("shop").await;
    assert_eq!(post("shop").await["project"]["id"], first["project"]["id"]);
    assert_ne!(post("other").await["project"]["id"], first["project"]["id"]);
    app.clock.advance(chrono::Duration::seconds(61));
    assert_ne!(post("shop").await["project"]["id"], first["project"]["id"]);
}
