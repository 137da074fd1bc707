//! Projects that use more than they are allowed: what is refused, how that is said, and that it ends at once.

use std::time::Duration;

use data_plane_contract::routes::{Restraint, Restriction, Route};
use futures::{SinkExt as _, StreamExt as _};
use http::Method;
use ids::ProjectId;
use serde_json::Value;
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

use crate::harness::{Edge, eventually};

const HOST: &str = "a.us-east.localhost";

async fn restrict(edge: &Edge, project: ProjectId, restraint: Option<Restraint>) {
    let restriction = restraint.map(|restraint| Restriction { restraint, reason: "9 of \"5\" are used".to_owned() });
    let route = Route { restriction, ..edge.route(project).await };
    assert_eq!(edge.put(&route).await, 204);
}

/// Status, code, text and `Retry-After` of an answer.
async fn refusal(edge: &Edge, method: Method, path: &str) -> (u16, String, String, Option<String>) {
    let answer = edge.request(method, HOST, path).send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default();
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    if status >= 400 {
        assert_eq!(body["statusCode"], status);
    }
    let retry = headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (status, text("error"), text("message"), retry)
}

#[tokio::test]
async fn a_read_only_project_is_read_and_emptied_but_not_written_to() {
    let edge = Edge::start().await;
    let project = edge.project(HOST).await;
    restrict(&edge, project, Some(Restraint::ReadOnly)).await;
    assert_eq!(edge.get(HOST, "/name").await.0, 200);
    let refused = refusal(&edge, Method::POST, "/echo").await;
    assert_eq!(refused, (403, "QUOTA_READ_ONLY".to_owned(), "9 of \"5\" are used".to_owned(), None));
    restrict(&edge, project, None).await;
    assert_eq!(refusal(&edge, Method::POST, "/echo").await.0, 200, "it ends at once");
}

#[tokio::test]
async fn a_throttled_project_answers_some_requests_and_says_when_to_come_back() {
    let edge = Edge::start().await;
    let project = edge.project(HOST).await;
    restrict(&edge, project, Some(Restraint::Throttle { requests_per_second: 1 })).await;
    assert_eq!(edge.get(HOST, "/name").await.0, 200);
    let mut refused = refusal(&edge, Method::GET, "/name").await;
    // A slow machine may have let a second pass.
    for _ in 0..20 {
        if refused.0 != 200 {
            break;
        }
        refused = refusal(&edge, Method::GET, "/name").await;
    }
    assert_eq!((refused.0, refused.1.as_str(), refused.3.as_deref()), (429, "QUOTA_THROTTLED", Some("1")));
}

#[tokio::test]
async fn a_project_that_has_to_sleep_is_put_to_sleep_and_not_woken() {
    let edge = Edge::start().await;
    let project = edge.project_that_sleeps(HOST, Some(900)).await;
    assert_eq!(edge.get(HOST, "/name").await.0, 200);
    restrict(&edge, project, Some(Restraint::Sleep)).await;
    eventually("the project sleeps", async || !edge.waker.running(project)).await;
    let refused = refusal(&edge, Method::GET, "/name").await;
    assert_eq!((refused.0, refused.1.as_str()), (503, "QUOTA_ASLEEP"));
    assert_eq!(edge.waker.wakes(), 0);
    restrict(&edge, project, None).await;
    assert_eq!(edge.get(HOST, "/name").await, (200, HOST.to_owned()), "it wakes again");
}

#[tokio::test]
async fn what_stays_open_of_a_project_that_has_to_sleep_is_ended_in_order() {
    let edge = Edge::start().await;
    let project = edge.project_that_sleeps(HOST, Some(900)).await;
    let mut socket = edge.socket(HOST, "/socket").await;
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap(), "hello");
    let mut events = edge.request(Method::GET, HOST, "/events").send().await.unwrap().bytes_stream();
    assert_eq!(events.next().await.unwrap().unwrap(), "data: event 0\n\n");

    restrict(&edge, project, Some(Restraint::ReadOnly)).await;
    socket.send(Message::text("still open")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap(), "still open");

    restrict(&edge, project, Some(Restraint::Sleep)).await;
    let last = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.unwrap().unwrap().unwrap();
    let Message::Close(Some(why)) = last else { panic!("{last:?} is no goodbye") };
    assert_eq!((why.code, why.reason.as_str()), (CloseCode::Again, "9 of \"5\" are used"));
    let end = tokio::time::timeout(Duration::from_secs(10), events.next()).await.unwrap();
    assert!(end.is_none(), "a stream of events ends where an event ends: {end:?}");
    eventually("the project sleeps", async || !edge.waker.running(project)).await;
    assert_eq!(edge.waker.wakes(), 0);
}
