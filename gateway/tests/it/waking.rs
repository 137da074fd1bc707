//! Requests for a project whose processes are not there.

use std::sync::atomic::Ordering;

use data_plane_contract::routes::RouteState;
use futures::future::join_all;
use http::Method;

use crate::harness::{Edge, Settings, eventually};

const HOST: &str = "a.us-east.localhost";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_first_requests_wake_once() {
    let edge = Edge::start().await;
    let project = edge.project(HOST).await;
    edge.waker.kill(project);
    edge.waker.wake_gate.forget_permits(1000);
    let requests: Vec<_> = (0..100)
        .map(|index| {
            let request = edge.request(Method::POST, HOST, "/echo").body(index.to_string());
            tokio::spawn(async move {
                let response = request.send().await.unwrap();
                (response.status().as_u16(), response.text().await.unwrap())
            })
        })
        .collect();
    eventually("one request wakes the project", async || edge.waker.wakes() == 1).await;
    edge.waker.wake_gate.add_permits(1);
    for (index, answer) in join_all(requests).await.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), (200, index.to_string()));
    }
    assert_eq!(edge.waker.wakes(), 1);
}

#[tokio::test]
async fn a_failed_wake_is_a_503_and_the_next_request_tries_again() {
    let edge = Edge::start().await;
    let project = edge.project(HOST).await;
    edge.waker.kill(project);
    edge.waker.fails.store(true, Ordering::SeqCst);
    let response = edge.request(Method::GET, HOST, "/name").send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    let error: serde_json::Value = response.json().await.unwrap();
    assert_eq!(error["error"], "PROJECT_UNAVAILABLE");
    assert!(!error.to_string().contains("no room"), "the reason is for the operator only");
    edge.waker.fails.store(false, Ordering::SeqCst);
    assert_eq!(edge.get(HOST, "/name").await.0, 200);
    assert_eq!(edge.waker.wakes(), 2);
}

#[tokio::test]
async fn a_project_that_wakes_elsewhere_is_found_there_also_after_a_restart() {
    let edge = Edge::start().await;
    let project = edge.project(HOST).await;
    let before = edge.route(project).await.upstream;
    edge.waker.kill(project);
    edge.waker.moves.store(true, Ordering::SeqCst);
    assert_eq!(edge.get(HOST, "/name").await.0, 200);
    let after = edge.route(project).await.upstream;
    assert_ne!(before, after);
    let file = edge.home.path().join(format!("gateway/routes/{project}.json"));
    eventually("the new address is on disk", async || {
        std::fs::read_to_string(&file).unwrap().contains(&after.to_string())
    })
    .await;
    let edge = edge.crash_and_restart(Settings::default()).await;
    assert_eq!(edge.get(HOST, "/name").await.0, 200);
    assert_eq!(edge.waker.wakes(), 1);
}

#[tokio::test]
async fn a_killed_project_is_woken_and_reads_are_repeated() {
    let edge = Edge::start().await;
    let project = edge.project(HOST).await;
    for round in 1..=20 {
        assert_eq!(edge.get(HOST, "/name").await.0, 200);
        edge.waker.kill(project);
        assert_eq!(edge.get(HOST, "/name").await, (200, HOST.to_owned()));
        assert_eq!(edge.waker.wakes(), round);
    }
}

#[tokio::test]
async fn a_write_that_may_have_happened_is_not_repeated() {
    let edge = Edge::start().await;
    let project = edge.project(HOST).await;
    assert_eq!(edge.get(HOST, "/name").await.0, 200);
    let shared = edge.waker.shared(project);
    let request = edge.request(Method::POST, HOST, "/gated").body("once");
    let answer = tokio::spawn(async move { request.send().await.unwrap().status().as_u16() });
    eventually("the write arrived", async || shared.requests.load(Ordering::SeqCst) == 2).await;
    edge.waker.kill(project);
    assert_eq!(answer.await.unwrap(), 502);
    assert_eq!(shared.requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_paused_project_says_so_and_sleeps_on() {
    let edge = Edge::start().await;
    let project = edge.project(HOST).await;
    edge.set_state(project, RouteState::Paused).await;
    edge.waker.kill(project);
    let (status, body) = edge.get(HOST, "/name").await;
    assert_eq!(status, 503);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap()["error"], "PROJECT_PAUSED");
    assert_eq!(edge.waker.wakes(), 0);
    edge.set_state(project, RouteState::Serving).await;
    assert_eq!(edge.get(HOST, "/name").await.0, 200);
}

#[tokio::test]
async fn held_requests_wait_for_the_route_to_serve_again() {
    let edge = Edge::start().await;
    let project = edge.project(HOST).await;
    edge.set_state(project, RouteState::Held).await;
    let requests: Vec<_> = (0..10)
        .map(|index| {
            let request = edge.request(Method::POST, HOST, "/echo").body(index.to_string());
            tokio::spawn(async move { request.send().await.unwrap().text().await.unwrap() })
        })
        .collect();
    let withdrawn = edge.get("nobody.us-east.localhost", "/").await;
    assert_eq!(withdrawn.0, 404);
    assert!(requests.iter().all(|request| !request.is_finished()));
    assert_eq!(edge.waker.shared(project).requests.load(Ordering::SeqCst), 0);
    edge.set_state(project, RouteState::Serving).await;
    for (index, answer) in join_all(requests).await.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), index.to_string());
    }
    assert_eq!(edge.waker.wakes(), 0);
}
