//! Which project answers, and which requests never reach one.

use crate::harness::Edge;

#[tokio::test]
async fn each_host_reaches_its_own_project() {
    let edge = Edge::start().await;
    edge.project("a.us-east.localhost").await;
    edge.project("b.us-east.localhost").await;
    for (host, name) in [
        ("a.us-east.localhost", "a.us-east.localhost"),
        ("b.us-east.localhost:7180", "b.us-east.localhost"),
        ("B.US-East.LocalHost", "b.us-east.localhost"),
        ("a.us-east.localhost.", "a.us-east.localhost"),
    ] {
        assert_eq!(edge.get(host, "/name").await, (200, name.to_owned()));
    }
}

#[tokio::test]
async fn unknown_and_ambiguous_hosts_are_answered_without_waking_anything() {
    let edge = Edge::start().await;
    edge.project("a.us-east.localhost").await;
    for host in ["c.us-east.localhost", "us-east.localhost", "127.0.0.1", "a.us-east.localhost.evil.example"] {
        let (status, body) = edge.get(host, "/name").await;
        assert_eq!(status, 404, "{host}");
        let error: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(error["error"], "NOT_FOUND");
        assert_eq!(error["statusCode"], 404);
        assert!(error["message"].is_string());
    }
    let end = "connection: close\r\n\r\n";
    let a = "host: a.us-east.localhost\r\n";
    for request in [
        format!("GET /name HTTP/1.1\r\n{a}host: b\r\n{end}"),
        format!("GET /name HTTP/1.1\r\n{end}"),
        format!("GET http://b.us-east.localhost/name HTTP/1.1\r\n{a}{end}"),
    ] {
        let answer = edge.raw(&request).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{request} {answer}");
    }
    let tunnel =
        edge.raw(&format!("CONNECT a.us-east.localhost:443 HTTP/1.1\r\nhost: a.us-east.localhost:443\r\n{end}")).await;
    assert!(tunnel.starts_with("HTTP/1.1 405"), "{tunnel}");
    assert_eq!(edge.waker.wakes(), 0);
}

#[tokio::test]
async fn platform_routes_are_not_reachable_however_they_are_spelt() {
    let edge = Edge::start().await;
    let project = edge.project("a.us-east.localhost").await;
    for path in [
        "/_hearth/v1/status",
        "/_hearth",
        "//_hearth/v1/status",
        "/%5fhearth/v1/status",
        "/%255Fhearth/v1/status",
        "/x/../_hearth/v1/status",
        "/x/%2e%2e/_hearth/v1/status",
        "/./_hearth/v1/status",
        "/_HEARTH/v1/status",
        "/\\_hearth/v1/status",
        "http://a.us-east.localhost/_hearth/v1/status",
    ] {
        let answer =
            edge.raw(&format!("GET {path} HTTP/1.1\r\nhost: a.us-east.localhost\r\nconnection: close\r\n\r\n")).await;
        let refused = answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.1 400");
        assert!(refused && !answer.contains("fallback"), "{path}: {answer}");
    }
    let requests = edge.waker.shared(project).requests;
    assert_eq!(requests.load(std::sync::atomic::Ordering::SeqCst), 0);
    assert_eq!(edge.get("a.us-east.localhost", "/api/_hearth?x=_hearth").await.1, "fallback /api/_hearth?x=_hearth");
}

#[tokio::test]
async fn the_project_sees_the_client_as_the_gateway_saw_it() {
    let edge = Edge::start().await;
    edge.project("a.us-east.localhost").await;
    let response = edge
        .request(http::Method::GET, "a.us-east.localhost:7180", "/seen?q=%20x")
        .header("x-forwarded-for", "10.9.8.7")
        .header("x-forwarded-proto", "https")
        .header("forwarded", "for=10.9.8.7")
        .header("x-request-id", "my-id")
        .header("authorization", "Bearer t")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["x-request-id"], "my-id");
    let seen = response.text().await.unwrap();
    assert!(seen.starts_with("GET /seen?q=%20x HTTP/1.1\n"), "{seen}");
    for line in [
        "host: a.us-east.localhost:7180",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        "x-forwarded-host: a.us-east.localhost:7180",
        "x-request-id: my-id",
        "authorization: Bearer t",
    ] {
        assert!(seen.lines().any(|seen| seen == line), "{line} in {seen}");
    }
    assert!(!seen.contains("10.9.8.7"), "{seen}");
}
