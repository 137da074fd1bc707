//! Projects: their life over the wire, who may see them, and one operation at a time.

use http::Method;
use model::limits::Plan;
use saga::OperationKind;
use serde_json::{Value, json};

use crate::harness::{App, until};

#[tokio::test]
async fn a_project_is_creating_until_it_is_proven_and_then_active() {
    let app = App::start().await;
    app.engine.hold();
    let reply = app.admin.post(&app.admin.projects_path(), json!({ "name": " shop ", "region": "eu-central" })).await;
    let operation = reply.operation();
    let project = reply.expect(201)["project"].clone();
    assert_eq!((&project["status"], &project["operation_status"]), (&json!("creating"), &json!("creating")));
    assert_eq!((&project["name"], &project["region"]), (&json!("shop"), &json!("eu-central")));
    assert_eq!((&project["instance_type"], &project["service_version"]), (&json!("nano"), &json!("2.2.2")));
    let appkey = project["appkey"].as_str().expect("text");
    assert_eq!(appkey.len(), 8);
    assert_eq!(project["access_host"], format!("https://{appkey}.eu-central.localhost:7143"));
    assert!(project["direct_url"].is_null());
    let starts = app.engine.starts();
    assert_eq!((starts[0].id, starts[0].kind), (operation, OperationKind::ProjectCreate));

    app.engine.finish(operation).await;
    let id = project["id"].as_str().expect("an id");
    let path = format!("/projects/v1/{id}");
    let active = app.admin.get(&path).await.expect(200)["project"].clone();
    assert_eq!((&active["status"], &active["operation_status"]), (&json!("active"), &Value::Null));
    assert_eq!(active["direct_url"], "http://127.0.0.1:20001");
    let key = app.admin.get(&format!("{path}/access-api-key")).await.expect(200)["access_api_key"].clone();
    assert!(key.as_str().is_some_and(|key| key.starts_with("ik_")));
    let listed = app.admin.get(&app.admin.projects_path()).await.expect(200);
    assert_eq!(listed["projects"], json!([active]));
    assert_eq!(app.count("audit_log where outcome is null").await, 0, "every audit row is closed");
}

#[tokio::test]
async fn a_failed_creation_says_so_and_can_be_deleted() {
    let app = App::start().await;
    app.engine.hold();
    let reply = app.admin.post(&app.admin.projects_path(), json!({ "name": "doomed" })).await;
    let operation = reply.operation();
    let id = reply.expect(201)["project"]["id"].as_str().expect("an id").to_owned();
    app.engine.fail(operation, "provider.full", "The pool is full").await;
    assert_eq!(app.admin.project_field(&id, "status").await, "failed");
    assert_eq!(app.admin.project_field(&id, "last_operation_error").await, "The pool is full");
    app.engine.release();
    app.admin.delete(&format!("/projects/v1/{id}")).await.expect(200);
    assert_eq!(app.admin.get(&format!("/projects/v1/{id}")).await.status, 404);
}

#[tokio::test]
async fn pause_restore_restart_resize_and_delete() {
    let app = App::start().await;
    let id = app.admin.project("walker").await;
    let path = format!("/projects/v1/{id}");
    let post = async |verb: &str| app.admin.post_empty(&format!("{path}/{verb}")).await;
    assert_eq!(post("restore").await.refusal(), (409, "project.not_paused"));
    let paused = post("pause?waitForCompletion=true").await.expect(200);
    assert_eq!(paused["project"]["status"], "paused");
    for verb in ["pause", "restart"] {
        assert_eq!(post(verb).await.refusal(), (409, "project.not_active"), "{verb}");
    }
    assert_eq!(post("restore?waitForCompletion=true").await.expect(200)["project"]["status"], "active");

    let restarted = post("restart?insforgeOssVersion=v2.2.2&waitForCompletion=true").await.expect(200);
    assert_eq!(restarted["project"]["service_version"], "2.2.2");
    assert_eq!(post("restart?insforgeOssVersion=v2.1.0").await.refusal(), (422, "project.version_downgrade"));
    assert_eq!(post("restart?insforgeOssVersion=v9.0.0").await.refusal(), (422, "project.version_unavailable"));
    assert_eq!(post("restart?insforgeOssVersion=latest").await.refusal(), (400, "request.invalid"));

    let upgraded =
        app.admin.post(&format!("{path}/upgrade-instance"), json!({ "instanceType": "small" })).await.expect(200);
    assert_eq!((&upgraded["previousInstanceType"], &upgraded["newInstanceType"]), (&json!("nano"), &json!("small")));
    assert_eq!(upgraded["previousVolumeSizeGiB"], 8);
    assert_eq!(app.admin.project_field(&id, "instance_type").await, "small");

    let reply = app.admin.delete(&path).await;
    let _operation = reply.operation();
    assert_eq!(reply.expect(200)["message"], "Project deleted successfully");
    let gone = app.admin.get(&path).await;
    assert_eq!((gone.status, gone.body["error"].as_str()), (404, Some("Project not found")));
}

#[tokio::test]
async fn an_old_project_is_updated_to_the_newest_version() {
    let app = App::start().await;
    let id = app.admin.project("old").await;
    let mut conn = app.pool.acquire().await.expect("a connection");
    store::projects::set_service_version(&mut conn, id.parse().expect("an id"), "2.0.1").await.expect("writes");
    app.engine.hold();
    let reply = app.admin.post_empty(&format!("/projects/v1/{id}/restart?insforgeOssVersion=v2.2.2")).await;
    let operation = reply.operation();
    let project = reply.expect(200)["project"].clone();
    assert_eq!(
        (&project["status"], &project["operation_status"]),
        (&json!("active"), &json!("updating_project_version"))
    );
    app.engine.finish(operation).await;
    assert_eq!(app.admin.project_field(&id, "service_version").await, "2.2.2");
}

#[tokio::test]
async fn a_request_that_waits_is_answered_when_its_operation_ends() {
    let app = App::start().await;
    let id = app.admin.project("slow").await;
    app.engine.hold();
    let path = format!("/projects/v1/{id}/restart?waitForCompletion=true");
    let waiting = app.admin.post_empty(&path);
    let finishing = async {
        let operation = until(async || app.engine.starts().get(1).map(|start| start.id)).await;
        assert_eq!(app.admin.project_field(&id, "operation_status").await, "restarting");
        app.engine.fail(operation, "provider.refused", "It did not start").await;
    };
    let (reply, ()) = tokio::join!(waiting, finishing);
    assert_eq!(reply.refusal(), (503, "operation.failed"));
    assert_eq!(reply.body["error"], "It did not start");
}

#[tokio::test]
async fn one_operation_at_a_time() {
    let app = App::start().await;
    let id = app.admin.project("busy").await;
    let path = format!("/projects/v1/{id}");
    app.engine.hold();
    app.admin.post_empty(&format!("{path}/restart")).await.expect(200);
    for verb in ["pause", "restart", "restore"] {
        assert_eq!(app.admin.post_empty(&format!("{path}/{verb}")).await.refusal(), (409, "project.busy"), "{verb}");
    }
    assert_eq!(app.admin.delete(&path).await.refusal(), (409, "project.busy"));
    assert_eq!(app.count("operations where state = 'queued'").await, 1);
    let renamed = app.admin.put(&path, json!({ "name": "still busy" })).await.expect(200);
    assert_eq!(renamed["project"]["name"], "still busy", "a name is no operation");
}

#[tokio::test]
async fn names_domains_and_disks_change() {
    let app = App::start().await;
    let (id, other) = (app.admin.project("first").await, app.admin.project("second").await);
    let path = format!("/projects/v1/{id}");
    let body = json!({ "name": "renamed", "customizedDomain": "API.Example.com", "storageDiskSize": 10 });
    let changed = app.admin.put(&path, body).await.expect(200);
    assert_eq!(
        (&changed["project"]["name"], &changed["project"]["customized_domain"]),
        (&json!("renamed"), &json!("api.example.com"))
    );
    let taken = app.admin.put(&format!("/projects/v1/{other}"), json!({ "customizedDomain": "api.example.com" })).await;
    assert_eq!(taken.refusal(), (409, "project.domain_taken"));
    assert_eq!(app.admin.put(&path, json!({ "storageDiskSize": 9 })).await.refusal(), (400, "request.invalid"));
    let cleared = app.admin.put(&path, json!({ "customizedDomain": "" })).await.expect(200);
    assert!(cleared["project"]["customized_domain"].is_null());
    assert_eq!(cleared["project"]["name"], "renamed", "what is absent stays");
}

#[tokio::test]
async fn what_belongs_to_others_is_not_found() {
    let app = App::start().await;
    let owner = app.user("owner", Plan::Pro).await;
    let stranger = app.user("stranger", Plan::Pro).await;
    let project = owner.project("private").await;
    let branch = owner.branch(&project, "b1").await;
    let operation = app.engine.starts()[0].id;
    let body = json!({ "name": "valid-name", "mode": "full", "type": "team", "instanceType": "micro" });
    for (method, path) in [
        (Method::GET, format!("/organizations/v1/{}/projects", owner.organization)),
        (Method::POST, format!("/organizations/v1/{}/projects", owner.organization)),
        (Method::GET, format!("/organizations/v1/{}/subscription-status", owner.organization)),
        (Method::GET, format!("/organizations/v1/{}/billing-cycles", owner.organization)),
        (Method::GET, format!("/usage/v1/organizations/{}", owner.organization)),
        (Method::GET, format!("/projects/v1/{project}")),
        (Method::PUT, format!("/projects/v1/{project}")),
        (Method::DELETE, format!("/projects/v1/{project}")),
        (Method::GET, format!("/projects/v1/{project}/access-api-key")),
        (Method::POST, format!("/projects/v1/{project}/pause")),
        (Method::POST, format!("/projects/v1/{project}/restore")),
        (Method::POST, format!("/projects/v1/{project}/restart")),
        (Method::POST, format!("/projects/v1/{project}/upgrade-instance")),
        (Method::GET, format!("/projects/v1/{project}/operations")),
        (Method::GET, format!("/projects/v1/{project}/branches")),
        (Method::POST, format!("/projects/v1/{project}/branches")),
        (Method::GET, format!("/projects/v1/branches/{branch}")),
        (Method::DELETE, format!("/projects/v1/branches/{branch}")),
        (Method::POST, format!("/projects/v1/branches/{branch}/reset")),
        (Method::POST, format!("/projects/v1/branches/{branch}/merge")),
        (Method::GET, format!("/operations/v1/{operation}")),
        (Method::GET, format!("/operations/v1/{operation}/events")),
    ] {
        let reply = stranger.send(method.clone(), &path, &[], Some(&body)).await;
        assert_eq!(reply.refusal().0, 404, "{method} {path}");
        assert!(reply.body["error"].as_str().is_some_and(|text| text.ends_with("not found")), "{}", reply.text);
        let anonymous = stranger.with_token(None).send(method.clone(), &path, &[], Some(&body)).await;
        assert_eq!(anonymous.refusal().0, 401, "{method} {path}");
    }
    assert_eq!(app.engine.starts().len(), 2, "nothing was started");
}
