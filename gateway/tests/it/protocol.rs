//! HTTP details: framing, HEAD, 100-continue, trailing requests, limits.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::harness::Edge;

const HOST: &str = "a.us-east.localhost";

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let edge = Edge::start().await;
    edge.project(HOST).await;
    let answer = edge.raw(&format!("HEAD /name HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(&format!("content-length: {}", HOST.len())), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_client_that_expects_continue_gets_it_before_it_sends() {
    let edge = Edge::start().await;
    edge.project(HOST).await;
    let mut stream = TcpStream::connect(edge.gateway.http_address()).await.unwrap();
    let head = format!(
        "POST /echo HTTP/1.1\r\nhost: {HOST}\r\nexpect: 100-continue\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = vec![0; 25];
    tokio::time::timeout(Duration::from_secs(10), stream.read_exact(&mut interim)).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(interim).unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("hello"), "{answer}");
}

#[tokio::test]
async fn ambiguous_framing_cannot_smuggle_a_second_request() {
    let edge = Edge::start().await;
    let project = edge.project(HOST).await;
    let smuggled = format!("GET /_hearth/v1/status HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    for framing in [
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: xchunked\r\n",
    ] {
        let request =
            format!("POST /count HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n{framing}\r\n0\r\n\r\n{smuggled}");
        let answer = edge.raw(&request).await;
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{framing} {answer}");
    }
    let seen = edge.waker.shared(project).requests.load(std::sync::atomic::Ordering::SeqCst);
    assert!(seen <= 2, "only the requests with one readable framing arrive, not {seen}");
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let edge = Edge::start().await;
    edge.project(HOST).await;
    let one = format!("POST /echo HTTP/1.1\r\nhost: {HOST}\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    let last = format!("GET /name HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n");
    let answer = edge.raw(&format!("{one}{one}{last}")).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 3, "{answer}");
    assert_eq!(answer.matches("\r\nabc\r\n").count(), 2, "{answer}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let edge = Edge::start().await;
    let project = edge.project(HOST).await;
    let large = "x".repeat(100 * 1024);
    // The client may still be sending when the connection closes, and then sees that instead of the answer.
    if let Ok(response) = edge.request(http::Method::GET, HOST, "/name").header("x-large", large).send().await {
        assert_eq!(response.status(), 431);
    }
    let mut many = edge.request(http::Method::GET, HOST, "/name");
    for index in 0..200 {
        many = many.header(format!("x-{index}"), "1");
    }
    assert_eq!(many.send().await.unwrap().status(), 431);
    assert_eq!(edge.waker.shared(project).requests.load(std::sync::atomic::Ordering::SeqCst), 0);
}
