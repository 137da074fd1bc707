//! Bodies and sockets of any length, passed on as they come.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _, stream};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

use crate::harness::Edge;

const HOST: &str = "a.us-east.localhost";
const LARGE: u64 = 200 * 1024 * 1024;

/// Bytes of memory this process holds.
fn resident() -> u64 {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_pass_in_constant_memory() {
    let edge = Edge::start().await;
    edge.project(HOST).await;
    let before = resident();
    let chunk = Bytes::from(vec![b'y'; 64 * 1024]);
    let chunks = stream::iter((0..LARGE / chunk.len() as u64).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let upload = edge.request(http::Method::POST, HOST, "/count").body(reqwest::Body::wrap_stream(chunks));
    assert_eq!(upload.send().await.unwrap().text().await.unwrap(), LARGE.to_string());

    let mut body =
        edge.request(http::Method::GET, HOST, &format!("/bytes/{LARGE}")).send().await.unwrap().bytes_stream();
    let mut received = 0;
    let mut peak = 0;
    while let Some(chunk) = body.next().await {
        received += chunk.unwrap().len() as u64;
        peak = peak.max(resident());
    }
    assert_eq!(received, LARGE);
    assert!(peak.saturating_sub(before) < LARGE / 2, "memory grew by {} bytes", peak - before);
}

#[tokio::test]
async fn events_arrive_when_they_are_sent() {
    let edge = Edge::start().await;
    let project = edge.project(HOST).await;
    let response = edge.request(http::Method::GET, HOST, "/events").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.bytes_stream();
    let mut next = async || tokio::time::timeout(Duration::from_secs(10), body.next()).await.unwrap();
    assert_eq!(next().await.unwrap().unwrap(), "data: event 0\n\n");
    edge.waker.shared(project).gate.add_permits(1);
    assert_eq!(next().await.unwrap().unwrap(), "data: event 1\n\n");
    assert!(next().await.is_none());
}

#[tokio::test]
async fn web_sockets_carry_messages_both_ways() {
    let edge = Edge::start().await;
    edge.project(HOST).await;
    let mut socket = edge.socket(HOST, "/socket").await;
    for text in ["one", "two"] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap(), text);
    }
    let large = vec![7_u8; 1024 * 1024];
    socket.send(Message::binary(large.clone())).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().into_data(), large);
    socket.close(None).await.unwrap();
}

#[tokio::test]
async fn an_upgrade_the_project_declines_is_an_ordinary_answer() {
    let edge = Edge::start().await;
    edge.project(HOST).await;
    let request =
        edge.request(http::Method::GET, HOST, "/name").header("connection", "upgrade").header("upgrade", "mystery");
    let response = request.send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.text().await.unwrap()), (200, HOST.to_owned()));
}

#[tokio::test]
async fn shutting_down_finishes_requests_and_refuses_new_ones() {
    let edge = Edge::start().await;
    let project = edge.project(HOST).await;
    let shared = edge.waker.shared(project);
    let request = edge.request(http::Method::POST, HOST, "/gated").body("done");
    let answer = tokio::spawn(async move { request.send().await.unwrap().text().await.unwrap() });
    crate::harness::eventually("the request is under way", async || {
        shared.requests.load(std::sync::atomic::Ordering::SeqCst) == 1
    })
    .await;
    let address = edge.gateway.http_address();
    let stopped = tokio::spawn(edge.gateway.shutdown());
    crate::harness::eventually("new connections are refused", async || {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
    shared.gate.add_permits(1);
    assert_eq!(answer.await.unwrap(), "done");
    stopped.await.unwrap();
}

#[tokio::test]
async fn a_gateway_that_stops_says_goodbye_to_web_sockets() {
    let edge = Edge::start().await;
    edge.project(HOST).await;
    let mut socket = edge.socket(HOST, "/socket").await;
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap(), "hello");
    let stopped = tokio::spawn(edge.gateway.shutdown());
    let last = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.unwrap().unwrap().unwrap();
    let Message::Close(Some(why)) = last else { panic!("{last:?} is no goodbye") };
    assert_eq!(why.code, CloseCode::Away);
    stopped.await.unwrap();
}
