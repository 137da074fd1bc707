//! Pushing routes: who may, what is refused, and what a restart keeps.

use data_plane_contract::routes::{Route, RouteState};
use ids::ProjectId;

use crate::harness::{Edge, Settings, TOKEN};

fn route(hosts: &[&str]) -> Route {
    Route {
        project_id: ProjectId::generate(),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        upstream: "127.0.0.1:9".parse().unwrap(),
        state: RouteState::Paused,
        sleep_after_seconds: Some(900),
        restriction: None,
    }
}

#[tokio::test]
async fn only_the_admin_token_may_push_routes() {
    let edge = Edge::start().await;
    let route = route(&["a.localhost"]);
    let url = format!("http://{}/routes/{}", edge.gateway.admin_address(), route.project_id);
    for token in ["", "wrong", "admin-token-and-more", "admin-toke"] {
        let answer = edge.client.put(&url).bearer_auth(token).json(&route).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{token}");
    }
    assert_eq!(
        edge.client.get(format!("http://{}/routes", edge.gateway.admin_address())).send().await.unwrap().status(),
        401
    );
    assert_eq!(edge.client.delete(&url).send().await.unwrap().status(), 401);
    assert!(edge.routes().await.is_empty());
}

#[tokio::test]
async fn bad_routes_are_refused_and_change_nothing() {
    let edge = Edge::start().await;
    let good = route(&["a.localhost", "shop.example.com"]);
    assert_eq!(edge.put(&good).await, 204);
    assert_eq!(edge.put(&good).await, 204, "pushing again is harmless");
    assert_eq!(edge.put(&route(&[])).await, 400);
    assert_eq!(edge.put(&route(&["UPPER.localhost"])).await, 400);
    assert_eq!(edge.put(&route(&["a.localhost:80"])).await, 400);
    assert_eq!(edge.put(&route(&["b.localhost", "a.localhost"])).await, 409);
    let url = format!("http://{}/routes/{}", edge.gateway.admin_address(), ProjectId::generate());
    for body in [serde_json::to_string(&good).unwrap(), "{}".to_owned(), "nonsense".to_owned()] {
        let answer = edge.client.put(&url).bearer_auth(TOKEN).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 400);
        let error: serde_json::Value = answer.json().await.unwrap();
        assert_eq!((error["error"].as_str(), error["statusCode"].as_u64()), (Some("INVALID_INPUT"), Some(400)));
    }
    assert_eq!(edge.routes().await, [good]);
}

#[tokio::test]
async fn a_host_can_move_once_its_owner_lets_go() {
    let edge = Edge::start().await;
    let first = route(&["a.localhost", "b.localhost"]);
    let second = route(&["b.localhost"]);
    assert_eq!(edge.put(&first).await, 204);
    assert_eq!(edge.put(&second).await, 409);
    assert_eq!(edge.put(&Route { hosts: vec!["a.localhost".to_owned()], ..first.clone() }).await, 204);
    assert_eq!(edge.put(&second).await, 204);
    let url = format!("http://{}/routes/{}", edge.gateway.admin_address(), first.project_id);
    for _ in 0..2 {
        assert_eq!(edge.client.delete(&url).bearer_auth(TOKEN).send().await.unwrap().status(), 204);
    }
    assert_eq!(edge.get("a.localhost", "/").await.0, 404);
    assert_eq!(edge.get("b.localhost", "/").await.0, 503);
}

#[tokio::test]
async fn routes_survive_a_crash_and_a_corrupt_file_costs_only_its_own() {
    let edge = Edge::start().await;
    let kept = edge.project("kept.us-east.localhost").await;
    let spoilt = edge.project("spoilt.us-east.localhost").await;
    let file = edge.home.path().join(format!("gateway/routes/{spoilt}.json"));
    std::fs::write(&file, "{\"project_id\":").unwrap();
    std::fs::write(file.with_extension("new"), "unfinished").unwrap();
    let edge = edge.crash_and_restart(Settings::default()).await;
    assert_eq!(edge.get("kept.us-east.localhost", "/name").await.0, 200);
    assert_eq!(edge.get("spoilt.us-east.localhost", "/name").await.0, 404);
    assert_eq!(edge.routes().await.iter().map(|route| route.project_id).collect::<Vec<_>>(), [kept]);
    assert!(file.with_extension("json.corrupt").exists() && !file.exists());
    assert!(!file.with_extension("new").exists());
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let edge = Edge::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = crate::harness::config(folder.path().into(), Settings::default());
    config.http = edge.gateway.http_address();
    let error = gateway::start(config, crate::harness::FakeWaker::new()).await.err().unwrap();
    assert_eq!(error.to_string(), format!("the gateway cannot listen on {}", edge.gateway.http_address()));
}
