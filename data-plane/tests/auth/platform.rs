//! What surrounds every request.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::harness::{ADMIN, ANON_KEY, API_KEY, Plane};

/// Longest wait for something that happens soon.
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn every_answer_has_the_platforms_headers() {
    let plane = Plane::start().await;
    let preflight = plane
        .call(
            Method::OPTIONS,
            "/api/database/records/anything",
            "",
            None,
            &[
                ("Origin", "https://app.example.org"),
                ("Access-Control-Request-Method", "PATCH"),
                ("Access-Control-Request-Headers", "authorization,prefer"),
            ],
        )
        .await;
    assert_eq!((preflight.status, preflight.text.as_str()), (204, ""));
    for (name, value) in [
        ("access-control-allow-origin", "https://app.example.org"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET,HEAD,PUT,PATCH,POST,DELETE"),
        ("access-control-allow-headers", "authorization,prefer"),
        ("access-control-expose-headers", "Content-Range,Preference-Applied"),
    ] {
        assert_eq!(preflight.header(name), value, "{name}");
    }
    let health = plane.call(Method::GET, "/api/health", "", None, &[("Origin", "https://app.example.org")]).await;
    assert_eq!(health.header("access-control-allow-origin"), "https://app.example.org");
    assert_eq!(health.header("x-powered-by"), "Express");
    assert_eq!(health.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(health.expect(200)["service"], "Insforge OSS Backend");
    assert_eq!(plane.get("/api/health", "").await.header("access-control-allow-origin"), "");
    for (path, same, status) in [
        ("/api/health/", "/api/health", 200),
        ("/api/database/tables/?a=b", "/api/database/tables?a=b", 200),
        ("/api/database/records/nothing/?limit=1", "/api/database/records/nothing?limit=1", 404),
    ] {
        let (with, without) = (plane.get(path, API_KEY).await, plane.get(same, API_KEY).await);
        assert_eq!((with.status, without.status), (status, status), "{path}");
        assert!(status == 200 || with.text == without.text, "{path}: {}", with.text);
    }
    let (_, _, message) = plane.get("/api/nothing/?a=b", "").await.refusal();
    assert_eq!(message, "Endpoint /api/nothing/?a=b not found");
    assert_eq!(plane.get("/api/health//", "").await.status, 404);

    let missing = plane.get("/api/nothing?x=1", "").await;
    assert_eq!(
        missing.expect(404),
        json!({
            "error": "NOT_FOUND",
            "message": "Endpoint /api/nothing?x=1 not found",
            "statusCode": 404,
            "nextActions": "Please check the API documentation for available endpoints",
        })
    );
    assert_eq!(plane.call(Method::DELETE, "/api/health", "", None, &[]).await.status, 404);
    let root = plane.get("/", "").await;
    assert_eq!((root.status, root.header("location")), (302, "/dashboard/login"));
}

#[tokio::test]
async fn a_known_version_is_not_sent_again() {
    let plane = Plane::start().await;
    let first = plane.get("/api/auth/public-config", "").await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    let get =
        async |headers: &[(&str, &str)]| plane.call(Method::GET, "/api/auth/public-config", "", None, headers).await;
    let fresh = get(&[("If-None-Match", &tag), ("Origin", "https://a.example.org")]).await;
    assert_eq!((fresh.status, fresh.text.as_str(), fresh.header("content-type")), (304, "", ""));
    assert_eq!(fresh.header("access-control-allow-origin"), "https://a.example.org");
    assert_eq!(get(&[("If-None-Match", "\"other\"")]).await.status, 200);
    assert_eq!(get(&[("If-None-Match", &tag), ("Cache-Control", "no-cache")]).await.status, 200);
    plane.put("/api/auth/config", API_KEY, &json!({"disableSignup": true})).await.expect(200);
    assert_eq!(get(&[("If-None-Match", &tag)]).await.status, 200);
    // An error is never "not modified".
    let missing = plane.get("/api/nothing", "").await;
    let again = plane.call(Method::GET, "/api/nothing", "", None, &[("If-None-Match", missing.header("etag"))]).await;
    assert_eq!(again.status, 404);
}

#[tokio::test]
async fn bodies_are_read_as_the_contract_says() {
    let plane = Plane::start_with(&[("MAX_JSON_BODY_SIZE", "2kb")]).await;
    let send = async |kind: &str, body: String| {
        let client = reqwest::Client::new();
        let response = client
            .post(format!("{}/api/auth/sessions", plane.base))
            .header("content-type", kind)
            .body(body)
            .send()
            .await
            .expect("an answer");
        let status = response.status().as_u16();
        let body: serde_json::Value = response.json().await.expect("JSON");
        (
            status,
            body["error"].as_str().unwrap_or_default().to_owned(),
            body["message"].as_str().unwrap_or_default().to_owned(),
            body["nextActions"].clone(),
        )
    };
    let required = (400, "INVALID_INPUT".to_owned(), "email: Required, password: Required".to_owned(), json!(null));
    assert_eq!(send("application/json", "{}".to_owned()).await, required);
    assert_eq!(send("application/json", String::new()).await, required);
    assert_eq!(send("text/plain", "hello".to_owned()).await, required);
    let array = send("application/json", "[]".to_owned()).await;
    assert_eq!((array.0, array.2.as_str()), (400, ": Expected object, received array"));
    for malformed in ["{", "{\"a\":1}}", "5", "\"text\"", "nul"] {
        let answer = send("application/json; charset=utf-8", malformed.to_owned()).await;
        assert_eq!((answer.0, answer.1.as_str()), (400, "INVALID_INPUT"), "{malformed}");
        assert_eq!(answer.3, "Please ensure your request body contains valid JSON", "{malformed}");
    }
    let large = send("application/json", format!("{{\"a\":\"{}\"}}", "x".repeat(3000))).await;
    assert_eq!((large.0, large.1.as_str(), large.2.as_str()), (500, "INTERNAL_ERROR", "request entity too large"));
    let form = send("application/x-www-form-urlencoded", "email=a%40b.co&password=x".to_owned()).await;
    assert_eq!((form.0, form.2.as_str()), (401, "Invalid credentials"));
}

#[tokio::test]
async fn audits_name_the_client_that_trusted_proxies_name() {
    let plane = Plane::start().await;
    let body = json!({"passwordMinLength": 8});
    let forwarded = [("X-Forwarded-For", "203.0.113.9, 198.51.100.7")];
    plane.call(Method::PUT, "/api/auth/config", API_KEY, Some(&body), &forwarded).await.expect(200);
    let client = plane.superuser("insforge").await;
    let row = client
        .query_one("select actor, action, module, details, host(ip_address) from system.audit_logs", &[])
        .await
        .expect("one row");
    let text = |index: usize| row.get::<_, String>(index);
    assert_eq!([text(0), text(1), text(2), text(4)], ["api-key", "UPDATE_AUTH_CONFIG", "AUTH", "198.51.100.7"]);
    assert_eq!(row.get::<_, serde_json::Value>(3), json!({"updatedFields": ["passwordMinLength"]}));
}

#[tokio::test]
async fn changes_are_noted_before_they_are_made_and_closed_with_what_came_of_them() {
    let mut plane = Plane::start().await;
    let client = plane.superuser("insforge").await;
    let change = async |plane: &Plane, key: &str, body: Value| {
        plane.call(Method::PUT, "/api/auth/config", key, Some(&body), &[]).await.status
    };
    assert_eq!(change(&plane, API_KEY, json!({"passwordMinLength": 8})).await, 200);
    assert_eq!(change(&plane, API_KEY, json!({"passwordMinLength": 1})).await, 400);
    assert_eq!(change(&plane, ANON_KEY, json!({"passwordMinLength": 9})).await, 401);
    plane.get("/api/auth/config", API_KEY).await.expect(200);
    let rows = client
        .query(
            "select actor, request, host(ip_address), outcome, closed_at is null from system.audit_requests
             order by opened_at",
            &[],
        )
        .await
        .expect("rows");
    let noted: Vec<[String; 4]> = rows.iter().map(|row| [0, 1, 2, 3].map(|column| row.get(column))).collect();
    let expected = |outcome: &str| ["api-key", "PUT /api/auth/config", "127.0.0.1", outcome].map(str::to_owned);
    assert_eq!(noted, ["200", "400"].map(expected), "neither reads nor those who may not");

    // One client leaves, and the process of another is killed, while their statements run.
    let outcomes = async |outcome: &str| -> i64 {
        let sql = "select count(*) from system.audit_requests where coalesce(outcome, 'open') = $1";
        client.query_one(sql, &[&outcome]).await.expect("a row").get(0)
    };
    let noted = async |outcome: &str| {
        let deadline = Instant::now() + LIMIT;
        while outcomes(outcome).await != 1 {
            assert!(Instant::now() < deadline, "no request is {outcome}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let sleeping = async |plane: &Plane| -> TcpStream {
        let mut stream = TcpStream::connect(plane.base.trim_start_matches("http://")).await.expect("a connection");
        let body = json!({"query": "select pg_sleep(600)"}).to_string();
        let head = format!(
            "POST /api/database/advance/rawsql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_KEY}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await.expect("sent");
        stream
    };
    let leaving = sleeping(&plane).await;
    noted("open").await;
    drop(leaving);
    noted("abandoned").await;
    let _cut_off = sleeping(&plane).await;
    noted("open").await;
    plane.restart_with(&[]).await;
    noted("interrupted").await;
    let reported = plane.get("/api/logs/audits?action=INTERRUPTED_REQUEST", API_KEY).await.json();
    assert_eq!(reported.as_array().map(Vec::len), Some(1), "{reported}");
    let row = &reported[0];
    assert_eq!([&row["actor"], &row["module"], &row["ipAddress"]], ["api-key", "SYSTEM", "127.0.0.1"]);
    assert_eq!(row["details"]["request"], "POST /api/database/advance/rawsql");
}

#[tokio::test]
async fn sign_ins_of_administrators_and_the_platforms_changes_are_noted_too_and_records_are_not() {
    const TOKEN: &str = "the-platforms-token";
    let plane = Plane::start_with(&[("HEARTH_PLATFORM_TOKEN", TOKEN)]).await;
    let (username, password) = ADMIN;
    let sign_in = async |password: &str| {
        let body = json!({"username": username, "password": password});
        plane.post("/api/auth/admin/sessions", "", &body).await.status
    };
    assert_eq!((sign_in("guess").await, sign_in(password).await), (401, 200));
    let user = json!({"email": "a@example.org", "password": "long enough"});
    plane.post("/api/auth/users", API_KEY, &user).await.expect(200);
    plane.post("/api/auth/sessions", "", &user).await.expect(200);
    let table = json!({"query": "create table notes (text text)"});
    plane.post("/api/database/advance/rawsql", API_KEY, &table).await.expect(200);
    for path in ["/api/database/records/notes", "/api/database/records/n%6ftes"] {
        assert_eq!(plane.post(path, API_KEY, &json!({"text": "x"})).await.status, 201);
    }
    assert_eq!(plane.post("/_hearth/v1/developers", TOKEN, &json!({})).await.status, 204);
    assert_eq!(plane.post("/_hearth/v1/identity", "a guess", &json!({"mode": "rehearsal"})).await.status, 401);
    plane.post("/_hearth/v1/identity", TOKEN, &json!({"mode": "rehearsal"})).await.expect(200);

    let client = plane.superuser("insforge").await;
    let noted = async || -> Vec<String> {
        let sql = "select concat_ws(' ', actor, request, outcome) from system.audit_requests order by opened_at";
        client.query(sql, &[]).await.expect("rows").iter().map(|row| row.get(0)).collect()
    };
    let administrator = format!("local:{username} POST /api/auth/admin/sessions 200");
    assert_eq!(
        noted().await,
        [
            administrator.as_str(),
            "api-key POST /api/auth/users 200",
            "api-key POST /api/database/advance/rawsql 200",
            "platform POST /_hearth/v1/identity 200",
        ]
    );
    // A branch without rows has none of its parent's notes, nor one of how it became a branch.
    plane.post("/_hearth/v1/identity", TOKEN, &json!({"mode": "schema_only"})).await.expect(200);
    assert!(noted().await.is_empty());
    plane.post("/api/database/advance/rawsql", API_KEY, &json!({"query": "select 1"})).await.expect(200);
    assert_eq!(noted().await, ["api-key POST /api/database/advance/rawsql 200"], "it notes its own");
}

#[tokio::test]
async fn silent_connections_are_closed() {
    let plane = Plane::start_with(&[("KEEP_ALIVE_TIMEOUT_MS", "300")]).await;
    let address = plane.base.trim_start_matches("http://").to_owned();
    // One asks and then says nothing more; one never finishes asking.
    for sent in ["GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n", "GET /api/health HTTP/1.1\r\nHost:"] {
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        stream.write_all(sent.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        let _closed_or_reset = end.expect("the connection is closed");
        assert_eq!(answer.starts_with(b"HTTP/1.1 200"), sent.ends_with("\r\n\r\n"));
    }
}
