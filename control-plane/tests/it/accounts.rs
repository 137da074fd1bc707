//! Signing in, refreshing, API keys.

use chrono::Duration;
use http::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::harness::{App, Reply, User};

async fn log_in(app: &App, password: &str) -> Reply {
    let body = json!({ "email": app.bootstrapped.email.to_uppercase(), "password": password });
    app.admin.with_token(None).post("/auth/v1/login", body).await
}

fn cookie(reply: &Reply) -> String {
    let header = reply.header("set-cookie").expect("a cookie");
    assert!(header.contains("HttpOnly"), "{header}");
    header.strip_prefix("refreshToken=").and_then(|rest| rest.split(';').next()).expect("the literal name").to_owned()
}

async fn refresh(user: &User, token: &str) -> Reply {
    let body =
        json!({ "grant_type": "refresh_token", "refresh_token": token, "client_id": "clf_NK8cMUs41gm8ZcfdtSguVw" });
    user.with_token(None).post("/api/oauth/v1/token", body).await
}

#[tokio::test]
async fn a_sign_in_lasts_an_hour_and_is_renewed_by_its_cookie() {
    let app = App::start().await;
    let reply = log_in(&app, app.bootstrapped.password.expose_secret()).await;
    let refresh_token = cookie(&reply);
    let body = reply.expect(200);
    let signed_in = app.admin.with_token(body["token"].as_str());
    let profile = signed_in.get("/auth/v1/profile").await.expect(200);
    assert_eq!(profile["user"]["email"], "admin@hearth.local");
    assert_eq!(profile["user"]["profile"]["name"], profile["user"]["name"]);

    app.clock.advance(Duration::minutes(61));
    assert_eq!(signed_in.get("/auth/v1/profile").await.status, 401);
    let renewed = refresh(&app.admin, &refresh_token).await.expect(200);
    assert_eq!((&renewed["token_type"], &renewed["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(app.admin.with_token(renewed["access_token"].as_str()).get("/auth/v1/profile").await.status, 200);
}

#[tokio::test]
async fn parallel_refreshes_agree_and_a_late_reuse_ends_the_session() {
    let app = App::start().await;
    let first = cookie(&log_in(&app, app.bootstrapped.password.expose_secret()).await);
    let (left, right) = tokio::join!(refresh(&app.admin, &first), refresh(&app.admin, &first));
    let (left, right) = (left.expect(200), right.expect(200));
    assert_eq!(
        left["refresh_token"], right["refresh_token"],
        "whoever writes the credentials file last, it is the same token"
    );
    let second = left["refresh_token"].as_str().expect("a token").to_owned();
    assert_ne!(first, second);

    app.clock.advance(Duration::seconds(61));
    let stolen = refresh(&app.admin, &first).await;
    assert_eq!((stolen.status, &stolen.body["error"]), (400, &json!("invalid_grant")));
    assert_eq!(refresh(&app.admin, &second).await.status, 400, "the whole family is gone");
    assert_eq!(app.admin.with_token(left["access_token"].as_str()).get("/auth/v1/profile").await.status, 401);
}

#[tokio::test]
async fn the_token_endpoint_reads_forms_and_speaks_oauth() {
    let app = App::start().await;
    let token = cookie(&log_in(&app, app.bootstrapped.password.expose_secret()).await);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let send = async |text: String| {
        let request =
            http::Request::post("/api/oauth/v1/token").header(form[0].0, form[0].1).body(text).expect("a request");
        app.admin.send_raw(request).await
    };
    assert_eq!(send(format!("grant_type=refresh_token&refresh_token={token}&client_id=x")).await.status, 200);
    for (body, error) in [
        (json!({ "grant_type": "password" }), "unsupported_grant_type"),
        (json!({}), "invalid_request"),
        (json!({ "grant_type": 7 }), "invalid_request"),
        (json!({ "grant_type": "refresh_token" }), "invalid_request"),
        (json!({ "grant_type": "refresh_token", "refresh_token": "nonsense" }), "invalid_grant"),
    ] {
        let reply = app.admin.with_token(None).post("/api/oauth/v1/token", body).await;
        assert_eq!((reply.status, reply.body["error"].as_str()), (400, Some(error)));
        assert!(reply.body["error_description"].is_string());
    }
}

#[tokio::test]
async fn wrong_passwords_are_told_apart_by_nothing_and_limited() {
    let app = App::start().await;
    let wrong = log_in(&app, "guess").await;
    assert_eq!((wrong.status, wrong.body["error"].as_str()), (401, Some("Invalid email or password")));
    let nobody = json!({ "email": "nobody@example.com", "password": "guess" });
    let unknown = app.admin.with_token(None).post("/auth/v1/login", nobody).await;
    assert_eq!(unknown.body["error"], wrong.body["error"]);
    for _ in 0..9 {
        assert_eq!(log_in(&app, "guess").await.status, 401);
    }
    let limited = log_in(&app, app.bootstrapped.password.expose_secret()).await;
    assert_eq!(limited.refusal(), (429, "request.throttled"));
    assert!(limited.header("retry-after").is_some());
    app.clock.advance(Duration::minutes(1));
    assert_eq!(log_in(&app, app.bootstrapped.password.expose_secret()).await.status, 200);
}

#[tokio::test]
async fn keys_are_shown_once_listed_without_secret_and_revoked() {
    let app = App::start().await;
    let made = app.admin.post("/auth/v1/api-keys", json!({ "name": "robot" })).await.expect(201);
    let key = made["key"].as_str().expect("the secret").to_owned();
    assert!(key.starts_with("uak_"));
    let robot = app.admin.with_token(Some(&key));
    let listed = robot.get("/auth/v1/api-keys").await.expect(200);
    assert!(!listed.to_string().contains(&key));
    let row = listed["api_keys"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|row| row["name"] == "robot")
        .expect("it is listed")
        .clone();
    assert!(key.starts_with(row["prefix"].as_str().expect("a prefix")) && row["last_used_at"].is_string());
    let plain: i64 =
        sqlx::query_scalar("select count(*) from api_keys where encode(token_hash, 'escape') like '%uak_%'")
            .fetch_one(&app.pool)
            .await
            .expect("counts");
    assert_eq!(plain, 0, "only hashes are kept");

    app.clock.advance(Duration::days(89));
    assert_eq!(robot.get("/auth/v1/profile").await.status, 200);
    let path = format!("/auth/v1/api-keys/{}", row["id"].as_str().expect("an id"));
    let other = app.user("other", model::limits::Plan::Free).await;
    assert_eq!(other.delete(&path).await.refusal(), (404, "api_key.not_found"));
    app.admin.delete(&path).await.expect(200);
    assert_eq!(robot.get("/auth/v1/profile").await.refusal(), (401, "auth.invalid_api_key"));
    assert_eq!(app.admin.delete(&path).await.status, 404);
}

#[tokio::test]
async fn keys_expire_unless_they_are_made_not_to() {
    let app = App::start().await;
    let make = async |body: Value| {
        let made = app.admin.post("/auth/v1/api-keys", body).await.expect(201);
        app.admin.with_token(made["key"].as_str())
    };
    let usual = make(json!({ "name": "usual" })).await;
    let short = make(json!({ "name": "short", "expires_in_days": 1 })).await;
    let never = make(json!({ "name": "never", "expires_in_days": null })).await;
    app.clock.advance(Duration::days(2));
    assert_eq!(short.get("/auth/v1/profile").await.status, 401);
    assert_eq!(usual.get("/auth/v1/profile").await.status, 200);
    app.clock.advance(Duration::days(365));
    assert_eq!(usual.get("/auth/v1/profile").await.status, 401);
    assert_eq!(never.get("/auth/v1/profile").await.status, 200);
}

#[tokio::test]
async fn public_routes_need_no_credential_and_doubled_slashes_do_not_matter() {
    let app = App::start().await;
    let stranger = app.admin.with_token(None);
    assert_eq!(stranger.get("//platform/insforge//latest-version").await.expect(200)["version"], "v2.2.2");
    assert_eq!(stranger.get("/health").await.expect(200)["status"], "ok");
    let jwks = stranger.get("/.well-known/jwks.json").await.expect(200);
    assert_eq!((&jwks["keys"][0]["kty"], &jwks["keys"][0]["alg"]), (&json!("RSA"), &json!("RS256")));
    assert!(stranger.get("/openapi.json").await.expect(200)["paths"].is_object());
    let reply = stranger.send(Method::GET, "/health", &[("x-request-id", "mine-1")], None).await;
    assert_eq!(reply.header("x-request-id"), Some("mine-1"));
    assert_eq!(stranger.get("/nothing/here").await.refusal(), (404, "route.not_found"));
    assert_eq!(stranger.delete("/health").await.refusal(), (405, "route.method_not_allowed"));
}

#[tokio::test]
async fn the_first_start_happens_once() {
    let app = App::start().await;
    let mut tx = app.pool.begin().await.expect("a transaction");
    assert!(control_plane::bootstrap(&mut tx, &*app.clock).await.expect("it runs").is_none());
    let listed = app.admin.get("/organizations/v1").await.expect(200);
    let organization = &listed["organizations"][0];
    assert_eq!((&organization["name"], &organization["type"]), (&json!("Hearth"), &json!("personal")));
    assert_eq!(organization["id"], app.admin.organization);
}
