//! What a data plane counts arrives at the control plane: all of it, once, whenever the process is killed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::State, routing::post};
use serde_json::{Value, json};

use crate::harness::{ANON_KEY, API_KEY, Plane};

const PROJECT: &str = "0197c0de-0000-7000-8000-000000000001";
const LIMIT: Duration = Duration::from_secs(60);

/// Records by source, as the control plane keeps them: known ones are ignored, gaps are not taken.
#[derive(Clone, Default)]
struct ControlPlane(Arc<Mutex<BTreeMap<String, Vec<Value>>>>);

impl ControlPlane {
    async fn start() -> (Self, String) {
        let cloud = Self::default();
        let router = Router::new()
            .route("/internal/v1/usage-records", post(accept))
            .route("/email/v1/{project}/send-on-demand", post(async || Json(json!({ "success": true }))))
            .with_state(cloud.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (cloud, url)
    }

    fn total(&self, metric: &str) -> i64 {
        let sources = self.0.lock().expect("no panic");
        let records = sources.values().flatten().filter(|record| record["metric"] == metric);
        records.filter_map(|record| record["amount"].as_i64()).sum()
    }
}

async fn accept(State(cloud): State<ControlPlane>, Json(batch): Json<Value>) -> Json<Value> {
    let mut sources = cloud.0.lock().expect("no panic");
    let known = sources.entry(batch["source"].as_str().expect("a name").to_owned()).or_default();
    for record in batch["records"].as_array().expect("a list") {
        assert_eq!(record["project_id"], PROJECT);
        if record["sequence"] == known.len() + 1 {
            known.push(record.clone());
        }
    }
    Json(json!({ "sequence": known.len() }))
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn call_functions(plane: &Plane, times: usize) {
    for _ in 0..times {
        assert_eq!(plane.post("/functions/none", ANON_KEY, &json!({})).await.status, 502);
    }
}

#[tokio::test]
async fn acts_are_counted_once_and_survive_a_kill() {
    let (cloud, url) = ControlPlane::start().await;
    let state = tempfile::tempdir().expect("a folder");
    let state_dir = state.path().display().to_string();
    let variables = [
        ("PROJECT_ID", PROJECT),
        ("HEARTH_PLATFORM_TOKEN", "platform-token-of-the-tests"),
        ("HEARTH_CONTROL_PLANE_URL", &url),
        ("HEARTH_STATE_DIR", &state_dir),
        ("HEARTH_INSTANCE_TYPE", "small"),
        ("AWS_INSTANCE_PROFILE_NAME", "hearth"),
        ("CLOUD_API_HOST", &url),
    ];
    let mut plane = Plane::start_with(&variables).await;
    let account = |name: &str| json!({ "email": format!("{name}@example.org"), "password": "a good password" });
    let sign_in = async |plane: &Plane, name: &str| {
        plane.post("/api/auth/sessions?client_type=mobile", ANON_KEY, &account(name)).await.expect(200)
    };
    for name in ["ada", "bob", "eve"] {
        let mut account = account(name);
        account["autoConfirm"] = json!(true);
        plane.post("/api/auth/users?client_type=mobile", API_KEY, &account).await.expect(200);
    }
    // Eve has an account and is never here.
    sign_in(&plane, "bob").await;
    let session = sign_in(&plane, "ada").await;
    let refresh = json!({ "refreshToken": session["refreshToken"] });
    plane.post("/api/auth/refresh?client_type=mobile", ANON_KEY, &refresh).await.expect(200);
    call_functions(&plane, 3).await;
    for _ in 0..2 {
        plane.post("/api/usage/mcp", API_KEY, &json!({ "tool_name": "tables" })).await.expect(200);
    }
    let token = session["accessToken"].as_str().expect("a token");
    let mail = json!({ "to": "eve@example.org", "subject": "Hello", "html": "<p>Hello</p>" });
    plane.post("/api/email/send-raw", token, &mail).await.expect(200);
    // At once, before anything was measured.
    plane.restart_with(&[]).await;
    sign_in(&plane, "ada").await;
    call_functions(&plane, 1).await;
    eventually("all of it arrives", || cloud.total("function_calls") == 4).await;
    plane.restart_with(&[]).await;
    call_functions(&plane, 2).await;
    eventually("the rest arrives", || cloud.total("function_calls") == 6).await;

    assert_eq!(cloud.total("monthly_active_users"), 2);
    assert_eq!((cloud.total("mcp_calls"), cloud.total("email_requests")), (2, 1));
    let sources = cloud.0.lock().expect("no panic");
    assert_eq!(sources.len(), 1, "one folder is one series");
    assert!(sources.keys().all(|source| source.starts_with(&format!("data-plane:{PROJECT}:"))));
    for record in sources.values().flatten() {
        let instance = (record["metric"] == "compute_seconds").then_some("small");
        assert_eq!(record["instance_type"].as_str(), instance, "{record}");
        assert!(record["from"].as_str() <= record["to"].as_str());
    }
}
