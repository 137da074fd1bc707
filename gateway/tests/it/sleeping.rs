//! Idle projects are put to sleep, and no request is lost over it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{SinkExt as _, StreamExt as _};
use http::Method;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Edge, eventually};

const HOST: &str = "a.us-east.localhost";

#[tokio::test]
async fn an_idle_project_sleeps_and_the_next_request_wakes_it() {
    let edge = Edge::start().await;
    let project = edge.project_that_sleeps(HOST, Some(1)).await;
    assert_eq!(edge.get(HOST, "/name").await.0, 200);
    eventually("the project sleeps", async || !edge.waker.running(project)).await;
    assert_eq!(edge.get(HOST, "/name").await, (200, HOST.to_owned()));
    assert_eq!((edge.waker.sleeps(), edge.waker.wakes()), (1, 1));
}

#[tokio::test]
async fn open_requests_and_sockets_keep_a_project_awake() {
    let edge = Edge::start().await;
    let project = edge.project_that_sleeps(HOST, Some(0)).await;
    edge.waker.sleep_gate.forget_permits(1000);
    edge.waker.sleep_gate.add_permits(1);
    eventually("the idle project sleeps", async || edge.waker.sleeps() == 1 && !edge.waker.running(project)).await;
    let mut socket = edge.socket(HOST, "/socket").await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(edge.waker.sleeps(), 1);
    socket.send(Message::text("still here")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap(), "still here");
    edge.waker.sleep_gate.add_permits(1);
    drop(socket);
    eventually("the project sleeps after the socket closed", async || edge.waker.sleeps() == 2).await;
}

#[tokio::test]
async fn a_request_during_the_stop_waits_for_it_and_is_served() {
    let edge = Edge::start().await;
    edge.waker.sleep_gate.forget_permits(1000);
    edge.project_that_sleeps(HOST, Some(0)).await;
    eventually("the stop began", async || edge.waker.sleeps() == 1).await;
    let request = edge.request(Method::POST, HOST, "/echo").body("held");
    let answer = tokio::spawn(async move { request.send().await.unwrap().text().await.unwrap() });
    edge.waker.sleep_gate.add_permits(1);
    assert_eq!(answer.await.unwrap(), "held");
    assert_eq!(edge.waker.wakes(), 1);
}

#[tokio::test]
async fn a_busy_project_is_left_running() {
    let edge = Edge::start().await;
    edge.waker.busy.store(true, Ordering::SeqCst);
    let project = edge.project_that_sleeps(HOST, Some(0)).await;
    eventually("the stop was asked for", async || edge.waker.sleeps() == 1).await;
    assert_eq!(edge.get(HOST, "/name").await.0, 200);
    assert!(edge.waker.running(project));
    assert_eq!((edge.waker.sleeps(), edge.waker.wakes()), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_a_project_keeps_falling_asleep() {
    let edge = Arc::new(Edge::start().await);
    edge.project_that_sleeps(HOST, Some(0)).await;
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let (edge, done) = (Arc::clone(&edge), Arc::clone(&done));
            tokio::spawn(async move {
                let mut served = 0;
                while !done.load(Ordering::SeqCst) {
                    let request = edge.request(Method::POST, HOST, "/echo").body("x").timeout(Duration::from_secs(20));
                    let response = request.send().await.unwrap();
                    assert_eq!(response.status(), 200);
                    assert_eq!(response.text().await.unwrap(), "x");
                    served += 1;
                    tokio::time::sleep(Duration::from_millis(37 * (client + 1))).await;
                }
                served
            })
        })
        .collect();
    eventually("the project slept and woke several times", async || edge.waker.sleeps() >= 5).await;
    done.store(true, Ordering::SeqCst);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
    assert!(edge.waker.wakes() >= 4);
}
