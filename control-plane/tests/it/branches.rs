//! Branches: their life, their rules, and what goes with their parent.

use serde_json::{Value, json};

use crate::harness::App;

async fn state(app: &App, id: &str) -> Value {
    app.admin.get(&format!("/projects/v1/branches/{id}")).await.expect(200)["branch"]["branch_state"].clone()
}

#[tokio::test]
async fn a_branch_is_made_listed_reset_and_deleted() {
    let app = App::start().await;
    let parent = app.admin.project("trunk").await;
    let list = format!("/projects/v1/{parent}/branches");
    app.engine.hold();
    let reply = app.admin.post(&list, json!({ "name": "Feature-1", "mode": "schema-only" })).await;
    let operation = reply.operation();
    let branch = reply.expect(202)["branch"].clone();
    assert_eq!(
        (&branch["branch_state"], &branch["branch_metadata"]["mode"]),
        (&json!("creating"), &json!("schema-only"))
    );
    assert_eq!(branch["parent_project_id"], parent);
    let appkey = app.admin.project_field(&parent, "appkey").await;
    let own = branch["appkey"].as_str().expect("text");
    assert!(own.len() == 12 && own.starts_with(appkey.as_str().expect("text")));
    let id = branch["id"].as_str().expect("an id");
    let path = format!("/projects/v1/branches/{id}");
    assert_eq!(app.admin.delete(&path).await.refusal(), (409, "branch.busy"), "not while it is created");

    app.engine.finish(operation).await;
    assert_eq!(state(&app, id).await, "ready");
    let listed = app.admin.get(&list).await.expect(200);
    assert_eq!((listed["data"].as_array().map(Vec::len), &listed["data"][0]["id"]), (Some(1), &branch["id"]));
    assert!(listed["data"][0]["branch_created_at"].is_string());
    assert_eq!(
        app.admin.get(&app.admin.projects_path()).await.expect(200)["projects"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(app.admin.project_field(id, "parent_project_id").await, parent, "a branch is a project, too");

    let reset = app.admin.post_empty(&format!("{path}/reset")).await;
    let operation = reset.operation();
    assert_eq!(reset.expect(202)["branch"]["branch_state"], "resetting");
    assert_eq!(state(&app, id).await, "resetting");
    app.engine.finish(operation).await;
    assert_eq!(state(&app, id).await, "ready");

    app.engine.release();
    app.admin.delete(&path).await.expect(200);
    assert_eq!(app.admin.get(&path).await.refusal(), (404, "branch.not_found"));
    assert_eq!(app.admin.get(&list).await.expect(200)["data"], json!([]));
    app.admin.branch(&parent, "Feature-1").await;
}

#[tokio::test]
async fn a_branch_shares_the_secrets_it_must_and_no_key() {
    let app = App::start().await;
    let parent = app.admin.project("trunk").await;
    let branch = app.admin.branch(&parent, "b1").await;
    let key = async |id: &str| {
        app.admin.get(&format!("/projects/v1/{id}/access-api-key")).await.expect(200)["access_api_key"].clone()
    };
    assert_ne!(key(&parent).await, key(&branch).await);
}

#[tokio::test]
async fn the_rules_of_the_contract_hold() {
    let app = App::start().await;
    let parent = app.admin.project("trunk").await;
    let list = format!("/projects/v1/{parent}/branches");
    let first = app.admin.branch(&parent, "first").await;
    let make =
        async |path: &str, name: &str, mode: &str| app.admin.post(path, json!({ "name": name, "mode": mode })).await;
    assert_eq!(make(&list, "first", "schema-only").await.refusal(), (409, "branch.name_conflict"));
    let nested = format!("/projects/v1/{first}/branches");
    assert_eq!(make(&nested, "nested", "full").await.refusal(), (422, "branch.parent_not_branchable"));
    app.admin.branch(&parent, "second").await;
    assert_eq!(make(&list, "third", "full").await.refusal(), (403, "branch.quota_exceeded"));

    let fresh = app.admin.project("paused").await;
    app.admin.post_empty(&format!("/projects/v1/{fresh}/pause")).await.expect(200);
    let of_paused = format!("/projects/v1/{fresh}/branches");
    assert_eq!(make(&of_paused, "x1", "full").await.refusal(), (422, "branch.parent_not_branchable"));

    let old = app.admin.project("old").await;
    let mut conn = app.pool.acquire().await.expect("a connection");
    store::projects::set_service_version(&mut conn, old.parse().expect("an id"), "1.9.0").await.expect("writes");
    let of_old = format!("/projects/v1/{old}/branches");
    assert_eq!(make(&of_old, "x1", "full").await.refusal(), (422, "branch.parent_not_branchable"));
}

#[tokio::test]
async fn an_identical_create_within_a_minute_is_the_same_branch() {
    let app = App::start().await;
    let parent = app.admin.project("trunk").await;
    let list = format!("/projects/v1/{parent}/branches");
    let body = json!({ "name": "twice", "mode": "full" });
    let first = app.admin.post(&list, body.clone()).await.expect(202);
    let again = app.admin.post(&list, body.clone()).await.expect(202);
    assert_eq!(first["branch"]["id"], again["branch"]["id"]);
    app.clock.advance(chrono::Duration::seconds(61));
    assert_eq!(app.admin.post(&list, body).await.refusal(), (409, "branch.name_conflict"));
}

#[tokio::test]
async fn branches_go_with_their_parent() {
    let app = App::start().await;
    let parent = app.admin.project("trunk").await;
    let branch = app.admin.branch(&parent, "leaf").await;
    app.engine.hold();
    app.admin.delete(&format!("/projects/v1/{parent}")).await.expect(200);
    for path in [
        format!("/projects/v1/branches/{branch}"),
        format!("/projects/v1/{branch}"),
        format!("/projects/v1/{parent}/branches"),
    ] {
        assert_eq!(app.admin.get(&path).await.status, 404, "{path}: gone at once, although the work goes on");
    }
}

#[tokio::test]
async fn a_parent_waits_for_the_work_on_its_branches() {
    let app = App::start().await;
    let parent = app.admin.project("trunk").await;
    app.engine.hold();
    app.admin.branch(&parent, "coming").await;
    assert_eq!(app.admin.post_empty(&format!("/projects/v1/{parent}/pause")).await.refusal(), (409, "project.busy"));
    assert_eq!(app.admin.delete(&format!("/projects/v1/{parent}")).await.refusal(), (409, "project.busy"));
    app.admin.branch(&parent, "alongside").await;
}

#[tokio::test]
async fn a_failed_creation_is_gone_and_frees_its_quota() {
    let app = App::start().await;
    let parent = app.admin.project("trunk").await;
    let list = format!("/projects/v1/{parent}/branches");
    app.engine.hold();
    let mut last = String::new();
    for name in ["one", "two"] {
        let reply = app.admin.post(&list, json!({ "name": name, "mode": "full" })).await;
        app.engine.fail(reply.operation(), "provider.full", "The pool is full").await;
        last = reply.body["branch"]["id"].as_str().expect("an id").to_owned();
    }
    assert_eq!(app.admin.get(&format!("/projects/v1/branches/{last}")).await.status, 404);
    assert_eq!(app.admin.get(&list).await.expect(200)["data"], json!([]));
    app.admin.branch(&parent, "three").await;
}
