//! Events and who is told of them: three ways to the same routes, cursors, secrets, and what is refused.

use http::Method;
use model::{limits::Plan, organizations::Role};
use serde_json::{Value, json};

use crate::{
    harness::{App, Reply, User},
    partners::Partner,
};

/// Publishes what the worker would.
async fn publish(app: &App) {
    let mut tx = app.pool.begin().await.expect("a transaction");
    store::events::publish(&mut tx, app.now()).await.expect("published");
    tx.commit().await.expect("commits");
}

fn types(page: &Value) -> Vec<&str> {
    page["events"].as_array().expect("a list").iter().filter_map(|event| event["type"].as_str()).collect()
}

async fn endpoint(user: &User, base: &str) -> Value {
    let wanted = json!({ "url": "https://hooks.example.com/in?key=1" });
    user.post(&format!("{base}/webhook-endpoints"), wanted).await.expect(201)
}

#[tokio::test]
async fn an_organization_follows_its_projects_from_a_cursor() {
    let app = App::start().await;
    let ada = app.user("ada", Plan::Pro).await;
    let base = format!("/organizations/v1/{}", ada.organization);
    let first = ada.get(&format!("{base}/events")).await.expect(200);
    assert_eq!((types(&first), &first["next"]), (vec![], &json!("0")));
    let id = ada.project("shop").await;
    ada.put(&format!("/projects/v1/{id}"), json!({ "name": "Shop" })).await.expect(200);
    ada.post_empty(&format!("/projects/v1/{id}/pause")).await.expect(200);
    let branchless = ada.get(&format!("{base}/events")).await.expect(200);
    assert_eq!(types(&branchless).len(), 0, "nothing is told before its place is sure");
    publish(&app).await;
    let page = ada.get(&format!("{base}/events?after=0&limit=2")).await.expect(200);
    assert_eq!(types(&page), ["project.created", "project.updated"]);
    assert_eq!(page["events"][0]["data"]["project_id"], json!(id));
    let next = page["next"].as_str().expect("a cursor");
    let rest = ada.get(&format!("{base}/events?after={next}")).await.expect(200);
    assert_eq!(types(&rest), ["project.paused"]);
    let end = rest["next"].as_str().expect("a cursor");
    let nothing = ada.get(&format!("{base}/events?after={end}")).await.expect(200);
    assert_eq!((types(&nothing), nothing["next"].as_str()), (vec![], Some(end)));

    let stranger = app.user("eve", Plan::Pro).await;
    assert_eq!(stranger.get(&format!("{base}/events")).await.refusal(), (404, "organization.not_found"));
    for query in ["after=x", "after=-1", "limit=0", "limit=101"] {
        assert_eq!(ada.get(&format!("{base}/events?{query}")).await.refusal(), (400, "request.invalid"), "{query}");
    }
}

#[tokio::test]
async fn partners_and_organizations_are_told_of_the_same_and_of_nothing_else() {
    let app = App::start().await;
    let (friends, builder) = (Partner::co_branded(&app).await, Partner::white_label(&app).await);
    let ada = app.user("ada", Plan::Pro).await;
    let account = friends.user("ada@example.com").await;
    let sync = format!("/{account}/sync-project");
    friends.post(&sync, json!({ "project_name": "shared" })).await.expect(200);
    builder.embedded("hidden").await;
    publish(&app).await;
    let of_friends = friends.get("/events").await.expect(200);
    let of_ada = ada.get(&format!("/organizations/v1/{}/events", ada.organization)).await.expect(200);
    assert_eq!(of_friends["events"], of_ada["events"]);
    assert_eq!(types(&of_friends), ["project.created"]);
    let of_builder = builder.get("/events").await.expect(200);
    assert_eq!(of_builder["events"][0]["data"]["name"], "hidden");
    let seen_by_operator = app.admin.get(&format!("/partners/v1/{}/events", builder.id)).await.expect(200);
    assert_eq!(seen_by_operator["events"], of_builder["events"]);
    assert_eq!(ada.get(&format!("/partners/v1/{}/events", builder.id)).await.refusal(), (404, "route.not_found"));
}

#[tokio::test]
async fn endpoints_are_made_changed_and_forgotten_by_those_who_may() {
    let app = App::start().await;
    let ada = app.user("ada", Plan::Pro).await;
    let base = format!("/organizations/v1/{}", ada.organization);
    let made = endpoint(&ada, &base).await;
    assert!(made["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")));
    let id = made["webhook_endpoint"]["id"].as_str().expect("an id").to_owned();
    let path = format!("{base}/webhook-endpoints/{id}");
    let wanted = json!({ "types": ["project.created", "usage.restricted"], "description": "Shop" });
    let changed = ada.put(&path, wanted).await.expect(200);
    assert_eq!(changed["webhook_endpoint"]["types"], json!(["project.created", "usage.restricted"]));
    assert_eq!(changed["webhook_endpoint"]["url"], made["webhook_endpoint"]["url"]);
    assert_eq!(ada.get(&path).await.expect(200), changed);
    let rotated = ada.post(&format!("{path}/rotate-secret"), json!({ "grace_hours": 1 })).await.expect(200);
    assert_ne!(rotated["secret"], made["secret"]);
    let disabled = ada.post(&format!("{path}/disable"), json!({ "reason": "moving" })).await.expect(200);
    assert_eq!(disabled["webhook_endpoint"]["disabled_reason"], "moving");
    assert!(disabled["webhook_endpoint"]["disabled_at"].is_string());
    let enabled = ada.post_empty(&format!("{path}/enable")).await.expect(200);
    assert_eq!(enabled["webhook_endpoint"]["disabled_at"], Value::Null);

    let dev = app.user("dev", Plan::Pro).await;
    app.join(&dev, &ada.organization, Role::Developer).await;
    assert_eq!(dev.get(&format!("{base}/events")).await.status, 200, "members may look");
    assert_eq!(dev.get(&path).await.refusal(), (403, "auth.forbidden"));
    let other = app.user("eve", Plan::Pro).await;
    let elsewhere = format!("/organizations/v1/{}/webhook-endpoints/{id}", other.organization);
    assert_eq!(other.get(&elsewhere).await.refusal(), (404, "webhook.not_found"), "an id alone opens nothing");
    assert_eq!(other.delete(&elsewhere).await.status, 404);
    assert_eq!(ada.delete(&path).await.status, 204);
    assert_eq!(ada.get(&path).await.status, 404);
    let stored: Vec<(String,)> = sqlx::query_as("select detail::text from audit_log where action like 'webhook.%'")
        .fetch_all(&app.pool)
        .await
        .expect("reads");
    assert!(stored.len() >= 6 && stored.iter().all(|(text,)| !text.contains("key=1")), "{stored:?}");
}

#[tokio::test]
async fn deliveries_are_listed_and_asked_for_again() {
    let app = App::start().await;
    let partner = Partner::white_label(&app).await;
    let made = partner.post("/webhook-endpoints", json!({ "url": "https://hooks.example.com/in" })).await.expect(201);
    let id = made["webhook_endpoint"]["id"].as_str().expect("an id");
    let project = partner.embedded("shop").await;
    partner.post(&format!("/{project}/pause"), json!({})).await.expect(200);
    publish(&app).await;
    let path = format!("/webhook-endpoints/{id}/deliveries");
    let listed = partner.get(&path).await.expect(200);
    let rows = listed["deliveries"].as_array().expect("a list");
    let types: Vec<_> = rows.iter().map(|row| row["event_type"].as_str().expect("a type")).collect();
    assert_eq!(types, ["project.paused", "project.created"]);
    assert_eq!((&rows[0]["next_try_at"], rows[1]["next_try_at"].is_string()), (&Value::Null, true));
    let delivery = |row: &Value| format!("{path}/{}", row["id"].as_str().expect("an id"));
    let first = partner.get(&format!("{}/attempts", delivery(&rows[1]))).await.expect(200);
    assert_eq!(first["attempts"], json!([]));
    let again = async |row: &Value| partner.post(&format!("{}/redeliver", delivery(row)), json!({})).await;
    assert_eq!(again(&rows[1]).await.status, 202);
    assert_eq!(again(&rows[0]).await.refusal(), (409, "webhook.delivery_waiting"));
    let page = partner.get(&format!("{path}?limit=1")).await.expect(200);
    let next = page["next"].as_str().expect("a cursor");
    let rest = partner.get(&format!("{path}?limit=1&before={next}")).await.expect(200);
    assert_eq!(rest["deliveries"][0]["id"], rows[1]["id"]);
    let nowhere = format!("{path}/{project}/redeliver");
    assert_eq!(partner.post(&nowhere, json!({})).await.refusal(), (404, "webhook.delivery_not_found"));
    let disable = json!({ "reason": "test" });
    partner.post(&format!("/webhook-endpoints/{id}/disable"), disable).await.expect(200);
    assert_eq!(again(&rows[1]).await.refusal(), (409, "webhook.disabled"));
}

#[tokio::test]
async fn receivers_that_must_not_be_called_are_refused() {
    let app = App::start().await;
    let base = format!("/organizations/v1/{}/webhook-endpoints", app.admin.organization);
    let refused = |reply: Reply, what: &str| {
        assert_eq!(reply.refusal(), (400, "request.invalid"), "{what}");
        assert!(reply.text.contains("\"field\""), "{what}: {}", reply.text);
    };
    let long = format!("https://example.com/{}", "x".repeat(3000));
    for url in [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://internal.example.com/",
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "https://user:password@hooks.example.com/",
        "file:///etc/passwd",
        "hooks.example.com",
        "",
        &long,
    ] {
        refused(app.admin.post(&base, json!({ "url": url })).await, url);
    }
    for body in [
        json!({}),
        json!({ "url": 7 }),
        json!({ "url": "https://a.example.com", "types": ["project.exploded"] }),
        json!({ "url": "https://a.example.com", "description": "x".repeat(300) }),
    ] {
        let reply = app.admin.post(&base, body.clone()).await;
        assert_eq!(reply.status, 400, "{body}: {}", reply.text);
    }
    assert_eq!(app.count("webhook_endpoints").await, 0);
    let made = endpoint(&app.admin, &format!("/organizations/v1/{}", app.admin.organization)).await;
    let path = format!("{base}/{}", made["webhook_endpoint"]["id"].as_str().expect("an id"));
    refused(app.admin.put(&path, json!({ "url": "https://10.0.0.1/" })).await, "changing to a private address");
    for reason in [json!({}), json!({ "reason": " " }), json!({ "reason": "x".repeat(300) })] {
        assert_eq!(app.admin.post(&format!("{path}/disable"), reason).await.status, 400);
    }
    for hours in [-1, 169] {
        let reply = app.admin.post(&format!("{path}/rotate-secret"), json!({ "grace_hours": hours })).await;
        assert_eq!(reply.status, 400);
    }
    for _ in 1..model::limits::WEBHOOK_ENDPOINTS {
        endpoint(&app.admin, &format!("/organizations/v1/{}", app.admin.organization)).await;
    }
    let over = app.admin.send(Method::POST, &base, &[], Some(&json!({ "url": "https://a.example.com" }))).await;
    assert_eq!(over.refusal(), (403, "webhook.quota_exceeded"));
}

#[tokio::test]
async fn caps_are_set_by_those_who_pay_and_raised_by_operators() {
    let app = App::start().await;
    let ada = app.user("ada", Plan::Free).await;
    let path = format!("/organizations/v1/{}/quotas", ada.organization);
    let seen = ada.get(&path).await.expect(200);
    let database = seen["quotas"].as_array().expect("a list").iter().find(|quota| quota["subject"] == "database_bytes");
    let database = database.expect("the free plan limits it");
    assert_eq!(
        (&database["allowed"], &database["per"], &database["source"]),
        (&json!(500_000_000), &json!("project"), &json!("plan"))
    );
    let capped = ada.put(&path, json!({ "caps": { "egress_bytes": 1000, "spend": 5_000_000 } })).await.expect(200);
    let capped = capped["quotas"].as_array().expect("a list");
    assert_eq!(capped.iter().filter(|quota| quota["source"] == "cap").count(), 2);
    let more = json!({ "caps": { "egress_bytes": 50_000_000_000_i64 } });
    assert_eq!(ada.put(&path, more.clone()).await.refusal(), (403, "auth.forbidden"));
    assert_eq!(ada.put(&path, json!({ "plan": "pro" })).await.refusal(), (403, "auth.forbidden"));
    app.admin.put(&path, more).await.expect(200);
    assert_eq!(app.admin.put(&path, json!({ "plan": "pro" })).await.expect(200)["plan"], "pro");
    for body in [json!({ "caps": { "egress_bytes": 0 } }), json!({ "caps": { "hats": 1 } }), json!({ "plan": "gold" })]
    {
        assert_eq!(ada.put(&path, body).await.status, 400);
    }
    let dev = app.user("dev", Plan::Pro).await;
    app.join(&dev, &ada.organization, Role::Developer).await;
    assert_eq!(dev.put(&path, json!({})).await.refusal(), (403, "auth.forbidden"));
    assert!(app.count("quota_checks").await > 0, "what depends on it is looked at");
}

#[tokio::test]
async fn an_owner_is_told_what_is_done_about_usage_and_for_how_long_a_project_can_be_restored() {
    let app = App::start().await;
    let ada = app.user("ada", Plan::Free).await;
    let id = ada.project("shop").await;
    assert_eq!(ada.project_field(&id, "restriction").await, Value::Null);
    sqlx::query(
        "insert into quota_states (scope, subject, organization_id, action, used, allowed, changed_at)
         select organization_id, 'egress_bytes', organization_id, 'read_only', 6, 5, now() from projects where id = $1::uuid",
    )
    .bind(&id)
    .execute(&app.pool)
    .await
    .expect("written");
    let restriction = ada.project_field(&id, "restriction").await;
    assert_eq!((&restriction["action"], &restriction["subject"]), (&json!("read_only"), &json!("egress_bytes")));
    assert!(restriction["reason"].as_str().is_some_and(|text| text.contains("6 of 5")), "{restriction}");

    ada.post_empty(&format!("/projects/v1/{id}/pause")).await.expect(200);
    sqlx::query("update projects set pause_reason = 'idle' where id = $1::uuid")
        .bind(&id)
        .execute(&app.pool)
        .await
        .expect("set");
    assert_eq!(ada.project_field(&id, "pause_reason").await, "idle");
    assert!(ada.project_field(&id, "restorable_until").await.is_string());
    app.clock.advance(chrono::Duration::days(31));
    let refused = ada.post_empty(&format!("/projects/v1/{id}/restore")).await;
    assert_eq!(refused.refusal(), (409, "project.archived"));
    assert_eq!(app.admin.post_empty(&format!("/projects/v1/{id}/restore")).await.status, 200);
    assert_eq!(ada.project_field(&id, "pause_reason").await, Value::Null);
}
