//! Operations as clients see them, and their event stream.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::harness::{App, Reply};

/// Events as `(id, event, data)`.
fn events(reply: &Reply) -> Vec<(i64, String, Value)> {
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")));
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)).map(|text| text.trim().to_owned())
    };
    reply
        .text
        .split("\n\n")
        .filter_map(|event| {
            let data = serde_json::from_str(&field(event, "data:")?).expect("data is JSON");
            Some((field(event, "id:")?.parse().expect("a number"), field(event, "event:")?, data))
        })
        .collect()
}

#[tokio::test]
async fn an_operation_is_shown_and_listed() {
    let app = App::start().await;
    let reply = app.admin.post(&app.admin.projects_path(), json!({ "name": "shown" })).await;
    let id = reply.operation();
    let project = reply.expect(201)["project"]["id"].as_str().expect("an id").to_owned();
    let shown = app.admin.get(&format!("/operations/v1/{id}")).await.expect(200)["operation"].clone();
    assert_eq!((&shown["kind"], &shown["state"]), (&json!("project_create"), &json!("succeeded")));
    assert_eq!((&shown["project_id"], shown["steps"].is_array()), (&json!(project), true));
    assert!(shown["finished_at"].is_string() && shown.get("error_detail").is_none() && shown.get("input").is_none());
    let listed = app.admin.get(&format!("/projects/v1/{project}/operations")).await.expect(200);
    assert_eq!(listed["operations"][0]["id"], json!(id));
}

#[tokio::test]
async fn a_stream_is_live_ends_with_its_operation_and_resumes() {
    let app = App::start().await;
    app.engine.hold();
    let reply = app.admin.post(&app.admin.projects_path(), json!({ "name": "followed" })).await;
    let id = reply.operation();
    let path = format!("/operations/v1/{id}/events");
    let finishing = async {
        tokio::task::yield_now().await;
        app.engine.finish(id).await;
    };
    let following = tokio::time::timeout(Duration::from_secs(20), app.admin.get(&path));
    let (live, ()) = tokio::join!(following, finishing);
    let live = events(&live.expect("the stream ends with the operation"));
    let states: Vec<&str> = live.iter().filter_map(|(_, _, data)| data["state"].as_str()).collect();
    assert_eq!(states, ["queued", "succeeded"]);
    assert!(live.iter().all(|(_, event, data)| event == "operation" && data["at"].is_string()));

    assert_eq!(events(&app.admin.get(&path).await), live, "it can be read again");
    let first = live[0].0.to_string();
    let resumed = app.admin.send(Method::GET, &path, &[("last-event-id", &first)], None).await;
    assert_eq!(events(&resumed), live[1..], "and resumed");
    let all = live[1].0.to_string();
    assert!(events(&app.admin.send(Method::GET, &path, &[("last-event-id", &all)], None).await).is_empty());
}

#[tokio::test]
async fn a_failure_shows_its_public_half_only() {
    let app = App::start().await;
    app.engine.hold();
    let id = app.admin.post(&app.admin.projects_path(), json!({ "name": "doomed" })).await.operation();
    app.engine.fail(id, "provider.full", "The pool is full").await;
    let shown = app.admin.get(&format!("/operations/v1/{id}")).await.expect(200)["operation"].clone();
    assert_eq!(
        (&shown["state"], &shown["error_code"], &shown["error"]),
        (&json!("failed"), &json!("provider.full"), &json!("The pool is full"))
    );
}
