//! Operations as clients see them: named by a header, shown with their steps, streamed, and resumable.

use std::time::Duration;

use reqwest::Method;
use tests::{Api, Cloud};

/// Events of a finished operation as `(id, data)`; its stream ends by itself.
async fn events(api: &Api, id: &str, after: Option<&str>) -> Vec<(String, String)> {
    let mut request = api.request(Method::GET, &format!("/operations/v1/{id}/events")).timeout(Duration::from_secs(60));
    if let Some(after) = after {
        request = request.header("Last-Event-ID", after);
    }
    let response = request.send().await.expect("a response comes");
    assert_eq!(response.status().as_u16(), 200);
    let kind = response.headers()["content-type"].to_str().expect("text").to_owned();
    assert!(kind.starts_with("text/event-stream"), "{kind}");
    let text = response.text().await.expect("the stream of a finished operation ends");
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
    };
    text.split("\n\n").filter_map(|event| Some((field(event, "id:")?, field(event, "data:")?))).collect()
}

#[tokio::test]
async fn an_operation_is_named_shown_and_streamed() {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let path = format!("/organizations/v1/{}/projects", cloud.organization());
    let reply = api.post(&path, &serde_json::json!({ "name": "Followed" })).await;
    let id = reply.header("Hearth-Operation").expect("long work names its operation").to_owned();
    let project = reply.ok()["project"]["id"].as_str().expect("an id").to_owned();

    // Followed live, the stream ends when the operation does.
    let live = events(&api, &id, None).await;
    assert!(live.len() > 2, "{live:?}");
    assert_eq!(
        api.project(&project).await.expect("it is there").status,
        "active",
        "the stream ended with the operation"
    );
    let operation = api.operation(&id).await;
    assert_eq!((operation["kind"].as_str(), operation["state"].as_str()), (Some("project_create"), Some("succeeded")));

    let again = events(&api, &id, None).await;
    assert_eq!(again, live, "the stream can be read again");
    let middle = &live[live.len() / 2].0;
    assert_eq!(events(&api, &id, Some(middle)).await, live[live.len() / 2 + 1..], "and resumed");
    cloud.finish().await;
}
