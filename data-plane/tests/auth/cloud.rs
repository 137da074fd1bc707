//! The cloud's authorizations: its keys are fetched, kept, and fetched again when they change; and what the cloud does for a project.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use p521::ecdsa::{Signature, SigningKey, signature::Signer as _};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{API_KEY, Plane, Reply};

/// A cloud with whatever keys it publishes now.
#[derive(Default)]
struct Cloud {
    keys: Mutex<Vec<Value>>,
    fetched: AtomicUsize,
    mails: Mutex<Vec<(String, Value)>>,
}

async fn start_cloud() -> (Arc<Cloud>, String) {
    let cloud = Arc::new(Cloud::default());
    let router = Router::new()
        .route("/.well-known/jwks.json", get(keys))
        .route("/email/v1/{project}/send-with-template", post(mail))
        .route("/auth/v1/shared/google", get(shared))
        .with_state(Arc::clone(&cloud));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (cloud, url)
}

async fn keys(State(cloud): State<Arc<Cloud>>) -> Json<Value> {
    cloud.fetched.fetch_add(1, Ordering::SeqCst);
    Json(json!({"keys": *cloud.keys.lock().expect("no panic")}))
}

async fn mail(State(cloud): State<Arc<Cloud>>, headers: axum::http::HeaderMap, Json(body): Json<Value>) -> Json<Value> {
    let sign = headers.get("sign").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    cloud.mails.lock().expect("no panic").push((sign, body));
    Json(json!({"success": true}))
}

async fn shared(axum::extract::RawQuery(query): axum::extract::RawQuery) -> Json<Value> {
    Json(json!({"auth_url": format!("https://accounts.example.org/?{}", query.unwrap_or_default())}))
}

/// A P-256 key as the cloud publishes it, and what signs with it.
fn ec_key(id: &str) -> (Value, EncodingKey) {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    let point = pair.public_key_raw().to_vec();
    let coordinates = &point[point.len() - 64..];
    let key = json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "alg": "ES256",
        "x": URL_SAFE_NO_PAD.encode(&coordinates[..32]), "y": URL_SAFE_NO_PAD.encode(&coordinates[32..])});
    (key, EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("a key"))
}

fn authorization(key: &EncodingKey, id: &str, change: Value) -> String {
    let mut claims =
        json!({"type": "project_authorization", "projectId": "p1", "userId": "u1", "exp": 4_000_000_000_u64});
    for (name, value) in change.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(id.to_owned());
    encode(&header, &claims, key).expect("a token")
}

#[tokio::test]
async fn the_clouds_authorization_becomes_a_session() {
    let (cloud, url) = start_cloud().await;
    let (published, key) = ec_key("k1");
    cloud.keys.lock().expect("no panic").push(published);
    let mut plane = Plane::start_with(&[("CLOUD_API_HOST", &url), ("PROJECT_ID", "p1")]).await;
    let exchange = async |plane: &Plane, code: String| -> Reply {
        plane.post("/api/auth/admin/sessions/exchange", "", &json!({"code": code})).await
    };
    let good = authorization(&key, "k1", json!({}));
    let session = exchange(&plane, good.clone()).await;
    assert!(session.cookie("insforge_admin_refresh_token").is_some());
    assert_eq!(session.expect(200)["admin"], json!({"sub": "cloud:u1"}));
    plane.get("/api/auth/config", &good).await.expect(200);
    assert_eq!(cloud.fetched.load(Ordering::SeqCst), 1, "keys are kept");

    let cases = [
        (json!({"projectId": "p2"}), 403, "Project ID mismatch"),
        (json!({"exp": 1}), 401, "Invalid cloud authorization code: signature or expiry"),
        (json!({"nbf": 4_000_000_000_u64}), 401, "Invalid cloud authorization code: not valid yet"),
        (json!({"userId": ""}), 401, "Invalid cloud authorization code: no user"),
        (json!({"type": "other"}), 401, "Invalid cloud authorization code: wrong type"),
    ];
    for (change, status, message) in cases {
        let refusal = exchange(&plane, authorization(&key, "k1", change)).await.refusal();
        assert_eq!((refusal.0, refusal.2.as_str()), (status, message));
    }
    assert_eq!(exchange(&plane, "garbage".to_owned()).await.refusal().1, "AUTH_INVALID_CREDENTIALS");
    let (_, stranger) = ec_key("k1");
    assert_eq!(exchange(&plane, authorization(&stranger, "k1", json!({}))).await.status, 401);

    // A key that is not known yet does not make the process ask again at once; after a restart it is known.
    let (second, new_key) = ec_key("k2");
    cloud.keys.lock().expect("no panic").push(second);
    assert_eq!(exchange(&plane, authorization(&new_key, "k2", json!({}))).await.status, 401);
    assert_eq!(cloud.fetched.load(Ordering::SeqCst), 1, "a stream of unknown keys is no stream of requests");
    plane.restart_with(&[]).await;
    exchange(&plane, authorization(&new_key, "k2", json!({}))).await.expect(200);
    plane.restart_with(&[("PROJECT_ID", "")]).await;
    assert_eq!(
        exchange(&plane, good).await.refusal(),
        (
            500,
            "INTERNAL_ERROR".to_owned(),
            "PROJECT_ID is not configured. Cannot reach the InsForge Cloud API.".to_owned()
        )
    );
}

#[tokio::test]
async fn keys_of_the_largest_curve_verify_too() {
    let (cloud, url) = start_cloud().await;
    let key = SigningKey::from_slice(&[7_u8; 66].map(|byte| byte & 1)).expect("a key");
    let point = key.verifying_key().to_sec1_point(false);
    let (x, y) = (point.x().expect("a point"), point.y().expect("a point"));
    cloud.keys.lock().expect("no panic").push(json!({"kty": "EC", "crv": "P-521", "kid": "k", "alg": "ES512",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)}));
    let plane = Plane::start_with(&[("CLOUD_API_HOST", &url), ("PROJECT_ID", "p1")]).await;
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!(
        "{}.{}",
        part(json!({"alg": "ES512", "kid": "k"})),
        part(json!({"type": "project_authorization", "projectId": "p1", "userId": "u", "exp": 4_000_000_000_u64}))
    );
    let signature: Signature = key.sign(signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()));
    plane.get("/api/auth/config", &token).await.expect(200);
    let altered =
        token.replace(&part(json!({"alg": "ES512", "kid": "k"})), &part(json!({"alg": "ES512", "kid": "k", "x": 1})));
    assert_eq!(plane.get("/api/auth/config", &altered).await.status, 401);
}

#[tokio::test]
async fn a_project_of_a_cloud_uses_its_mail_and_its_sign_ins() {
    let (cloud, url) = start_cloud().await;
    let (published, key) = ec_key("k1");
    cloud.keys.lock().expect("no panic").push(published);
    let variables = [("CLOUD_API_HOST", url.as_str()), ("PROJECT_ID", "p1"), ("AWS_INSTANCE_PROFILE_NAME", "profile")];
    let mut plane = Plane::start_with(&variables).await;
    let config = plane.get("/api/auth/public-config", "").await.expect(200);
    assert_eq!(
        (&config["requireEmailVerification"], &config["oAuthProviders"]),
        (&json!(true), &json!(["github", "google"]))
    );
    assert_eq!(plane.get("/", "").await.status, 404);

    let sent = plane.post("/api/auth/email/send-otp", "", &json!({"email": "ada@example.org"})).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let (sign, body) = cloud.mails.lock().expect("no panic").remove(0);
    assert_eq!([&body["email"], &body["name"], &body["template"]], ["ada@example.org", "User", "request-otp"]);
    let otp = body["variables"]["token"].as_str().expect("a code").to_owned();
    let mut claims = sign.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).expect("claims");
    let claims: Value = serde_json::from_slice(&std::mem::take(&mut claims)).expect("JSON");
    assert_eq!(claims["sub"], "p1");
    plane
        .post("/api/auth/sessions", "", &json!({"method": "otp", "email": "ada@example.org", "otp": otp}))
        .await
        .expect(200);

    let state = async |plane: &Plane| -> String {
        let path =
            format!("/api/auth/oauth/google?redirect_uri=https://app.example/cb&code_challenge={}", "c".repeat(43));
        let begun = plane.get(&path, "").await.expect(200);
        let url = begun["authUrl"].as_str().expect("an address").to_owned();
        assert!(url.starts_with("https://accounts.example.org/?redirect_uri="), "{url}");
        url.rsplit("callback%2F").next().expect("a state").to_owned()
    };
    let payload =
        STANDARD.encode(json!({"providerId": "g1", "email": "grace@example.org", "name": "Grace"}).to_string());
    let encoded: String = url_encoded(&payload);
    let callback = async |plane: &Plane, query: String| -> String { returned(plane, &state(plane).await, query).await };
    async fn returned(plane: &Plane, state: &str, query: String) -> String {
        let path = format!("/api/auth/oauth/shared/callback/{state}?{query}");
        let back = plane.get(&path, "").await;
        assert_eq!(back.status, 302, "{}", back.text);
        back.header("location").to_owned()
    }
    assert_eq!(callback(&plane, "success=false&error=no".to_owned()).await, "https://app.example/cb?error=no");
    let unsigned = format!("success=true&payload={encoded}");
    assert!(callback(&plane, unsigned.clone()).await.starts_with("https://app.example/cb?insforge_code="));
    let digest = {
        use sha2::Digest as _;
        hex::encode(sha2::Sha256::digest(payload.as_bytes()))
    };
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("k1".to_owned());
    let sign = |claims: Value| encode(&header, &claims, &key).expect("a token");
    let wrong = format!("{unsigned}&sig={}", sign(json!({"payload": "another", "exp": 4_000_000_000_u64})));
    assert_eq!(callback(&plane, wrong).await, "https://app.example/cb?error=Authentication+failed");

    plane.call(Method::DELETE, "/api/auth/oauth/github/config", API_KEY, None, &[]).await.expect(200);
    plane.restart_with(&[("HEARTH_SHARED_OAUTH_SIGNED", "1")]).await;
    let config = plane.get("/api/auth/public-config", "").await.expect(200);
    assert_eq!(config["oAuthProviders"], json!(["google"]), "what was removed does not come back");
    assert_eq!(callback(&plane, unsigned.clone()).await, "https://app.example/cb?error=Authentication+failed");
    let signed = |back: Option<&str>| {
        format!("{unsigned}&sig={}", sign(json!({"payload": digest, "redirect_uri": back, "exp": 4_000_000_000_u64})))
    };
    let base = plane.base.clone();
    let address = |state: &str| format!("{base}/api/auth/oauth/shared/callback/{state}");
    for other in [None, Some(address(&state(&plane).await))] {
        let refused = callback(&plane, signed(other.as_deref())).await;
        assert_eq!(refused, "https://app.example/cb?error=Authentication+failed");
    }
    let own = state(&plane).await;
    let signed = signed(Some(&address(&own)));
    assert!(returned(&plane, &own, signed).await.starts_with("https://app.example/cb?insforge_code="));
}

#[tokio::test]
async fn a_project_uses_the_clients_that_its_platform_shares_and_no_others() {
    let (_cloud, url) = start_cloud().await;
    let mut plane = Plane::start_with(&[("CLOUD_API_HOST", &url), ("HEARTH_SHARED_CLIENTS", "google,x")]).await;
    let names =
        async |plane: &Plane| plane.get("/api/auth/public-config", "").await.expect(200)["oAuthProviders"].clone();
    assert_eq!(names(&plane).await, json!(["google"]), "a new project begins with what is shared");
    // It is no project of a cloud in other respects.
    assert_eq!(plane.get("/", "").await.status, 302);
    let config = plane.get("/api/auth/public-config", "").await.expect(200);
    assert_eq!(config["requireEmailVerification"], false);

    let wanted = async |plane: &Plane, provider: &str| {
        plane.post("/api/auth/oauth/configs", API_KEY, &json!({"provider": provider, "useSharedKey": true})).await
    };
    wanted(&plane, "x").await.expect(200);
    let (status, code, _) = wanted(&plane, "github").await.refusal();
    assert_eq!((status, code.as_str()), (400, "AUTH_OAUTH_CONFIG_ERROR"));
    let path = format!("/api/auth/oauth/google?redirect_uri=https://app.example/cb&code_challenge={}", "c".repeat(43));
    let begun = plane.get(&path, "").await.expect(200);
    assert!(begun["authUrl"].as_str().is_some_and(|url| url.starts_with("https://accounts.example.org/")), "{begun}");

    plane.call(Method::DELETE, "/api/auth/oauth/google/config", API_KEY, None, &[]).await.expect(200);
    plane.restart_with(&[]).await;
    assert_eq!(names(&plane).await, json!(["x"]), "what was removed does not come back");
    // What is shared no more cannot be used, and a project's own client can.
    plane.restart_with(&[("HEARTH_SHARED_CLIENTS", "github")]).await;
    let (status, code, _) = plane.get(&path.replace("google", "x"), "").await.refusal();
    assert_eq!((status, code.as_str()), (500, "AUTH_OAUTH_CONFIG_ERROR"));
    assert_eq!(names(&plane).await, json!(["x"]), "only new projects begin with something");
}

fn url_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
