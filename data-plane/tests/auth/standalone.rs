//! The process on its own, configured by its environment only.

use serde_json::json;
use test_ports::free_port;

use crate::harness::{API_KEY, Plane};

#[tokio::test]
async fn a_superuser_with_a_password_is_enough() {
    let plane = Plane::start_with(&[
        ("ACCESS_API_KEY", "no-prefix"),
        ("GOOGLE_CLIENT_ID", "google-id"),
        ("GOOGLE_CLIENT_SECRET", "google-secret"),
    ])
    .await;
    let key = "ik_no-prefix";
    let rows = plane.post("/api/database/advance/rawsql", key, &json!({"query": "select session_user as who"})).await;
    assert_eq!(rows.expect(200)["rows"], json!([{"who": "authenticator"}]));
    let config = plane.get("/api/auth/oauth/google/config", key).await.expect(200);
    assert_eq!([&config["clientId"], &config["clientSecret"]], ["google-id", "google-secret"]);
    let auth = plane.get("/api/auth/config", key).await.expect(200);
    assert_eq!(auth["id"], "00000000-0000-0000-0000-000000000000", "no policy is stored until one is set");
    let secrets = plane.get("/api/secrets", key).await.expect(200);
    let names: Vec<&str> =
        secrets["secrets"].as_array().expect("a list").iter().filter_map(|secret| secret["key"].as_str()).collect();
    for name in
        ["API_KEY", "ANON_KEY", "INSFORGE_BASE_URL", "INSFORGE_INTERNAL_URL", "JWT_SECRET", "GOOGLE_CLIENT_SECRET"]
    {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
}

#[tokio::test]
async fn an_ordinary_user_serves_what_a_superuser_prepared() {
    let mut plane = Plane::prepare(&[]).await;
    let client = plane.superuser("insforge").await;
    client
        .batch_execute("create role backend login bypassrls password 'the superuser''s password'")
        .await
        .expect("a role");
    let prepared =
        plane.command(&["migrate"]).env("POSTGRES_USER", "backend").env("HEARTH_SUPERUSER", "postgres").status();
    assert!(prepared.expect("it runs").success(), "{}", plane.log());
    plane.restart_with(&[("POSTGRES_USER", "backend")]).await;
    let rows = plane
        .post("/api/database/advance/rawsql", API_KEY, &json!({"query": "select rolname from pg_roles where rolsuper and rolname in ('backend', 'authenticator')"}))
        .await;
    assert_eq!(rows.expect(200)["rows"], json!([]));
    let account = json!({"email": "ada@example.org", "password": "a good password"});
    plane.post("/api/auth/users", API_KEY, &account).await.expect(200);
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_at_start() {
    let plane = Plane::prepare(&[]).await;
    let cases = [
        ("JWT_SECRET", "", "JWT_SECRET must not be empty"),
        ("ROOT_ADMIN_PASSWORD", "", "ROOT_ADMIN_PASSWORD is required"),
        ("ROOT_ADMIN_USERNAME", "", "ROOT_ADMIN_USERNAME is required"),
        ("TRUST_PROXY", "somebody", "neither an address nor a network"),
        ("HEARTH_OUTBOUND_ALLOW", "everything", "neither an address nor a network"),
        ("HEARTH_OUTBOUND_CA_FILE", "/nowhere.pem", "set up the process"),
        ("HEARTH_OAUTH_ENDPOINTS", "{\"google\": {\"x\": 1}}", "unknown field"),
        ("POSTGRES_PASSWORD", "wrong", "password authentication failed"),
    ];
    for (name, value, expected) in cases {
        let status = plane.command(&[]).env(name, value).status().expect("it runs");
        assert!(!status.success(), "{name}={value}");
        let log = plane.log();
        let last = log.lines().rev().take(12).collect::<Vec<_>>().join("\n");
        assert!(last.contains(expected), "{name}={value}: {log}");
        assert!(!last.contains("the superuser's password"), "{name}={value} shows a secret");
    }
}

#[tokio::test]
async fn sign_ins_through_providers_survive_a_restart() {
    let mut plane = Plane::start_with(&[("X_CLIENT_ID", "x"), ("X_CLIENT_SECRET", "s")]).await;
    let path = format!("/api/auth/oauth/x?redirect_uri=https://app.example&code_challenge={}", "c".repeat(43));
    let begun = plane.get(&path, "").await.expect(200);
    let url = begun["authUrl"].as_str().expect("an address").to_owned();
    let state = url.split("state=").nth(1).and_then(|rest| rest.split('&').next()).expect("a state").to_owned();
    plane
        .restart_with(&[(
            "HEARTH_OAUTH_ENDPOINTS",
            &format!("{{\"x\": {{\"token\": \"http://127.0.0.1:{}/\"}}}}", free_port()),
        )])
        .await;
    let callback = format!("/api/auth/oauth/x/callback?code=y&state={state}");
    let back = plane.get(&callback, "").await;
    assert_eq!((back.status, back.header("location")), (302, "https://app.example/?error=Authentication+failed"));
    assert_eq!(plane.get(&callback, "").await.refusal().2, "Invalid state parameter");
    let stored = plane.superuser("insforge").await.query("select from auth.oauth_states", &[]).await.expect("rows");
    assert!(stored.is_empty());
}
