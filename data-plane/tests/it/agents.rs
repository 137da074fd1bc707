//! What agents and administrators read: metadata, secrets, logs, audits, usage, docs, events and health.

use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::database_harness::{ANON_KEY, API_KEY, Project, eventually, user_token};

#[tokio::test]
async fn counts_of_large_tables_are_kept_and_those_of_small_ones_are_not() {
    let project = Project::with_schema(
        "create table large (id int); insert into large select generate_series(1, 10000); create table small (id int)",
    )
    .await;
    let counts = async || project.get("/api/metadata/database").await.expect(200)["tables"].clone();
    let told = |large: i64, small: i64| json!([{"tableName": "large", "recordCount": large}, {"tableName": "small", "recordCount": small}]);
    assert_eq!(counts().await, told(10_000, 0));
    project.migrate("2", "insert into large values (0); insert into small values (0)").await;
    assert_eq!(counts().await, told(10_000, 1));
    project.migrate("3", "drop table large; create table large (id int); insert into large values (1)").await;
    assert_eq!(counts().await, told(1, 1));
}

#[tokio::test]
async fn metadata_is_told_as_json_and_as_a_document() {
    let project = Project::with_schema(
        "create table films (id int primary key); insert into films values (1), (2); create table \"a|b\" (id int)",
    )
    .await;
    project
        .admin(Method::POST, "/api/storage/buckets", Some(json!({"bucketName": "posters", "isPublic": true})))
        .await
        .expect(201);
    let metadata = project.get("/api/metadata?mcp=true").await.expect(200);
    let mut slices: Vec<&str> = metadata.as_object().expect("an object").keys().map(String::as_str).collect();
    slices.retain(|slice| *slice != "compute");
    assert_eq!(slices, ["auth", "database", "storage", "functions", "realtime", "version"]);
    assert_eq!(
        metadata["database"]["tables"],
        json!([{"tableName": "a|b", "recordCount": 0}, {"tableName": "films", "recordCount": 2}])
    );
    assert_eq!(metadata["version"], project.get("/api/health").await.expect(200)["version"]);
    assert_eq!(metadata["auth"]["smtpConfig"]["hasPassword"], false);
    assert_eq!(metadata["storage"]["buckets"][0]["objectCount"], 0);
    for slice in ["auth", "database", "storage", "functions", "realtime"] {
        assert_eq!(project.get(&format!("/api/metadata/{slice}")).await.expect(200), metadata[slice], "{slice}");
    }
    let document = project.get("/api/metadata?format=markdown").await;
    assert_eq!((document.status, document.header("content-type")), (200, "text/markdown; charset=utf-8"));
    for part in [
        "# Project Metadata\n> v",
        "\n## Auth\n- **Email verification**: not required\n- **Signup**: enabled\n\n",
        "## Database\n| Table | Records |\n|-------|---------|\n| a\\|b | 0 |\n| films | 2 |\n\n- **Total size**: ",
        "## Storage\n- `posters` — public, 0 objects\n- **Total size**: 0 GB\n",
        "## Edge Functions\nNo edge functions deployed.\n",
        "## Realtime\nNo realtime channels configured.\n",
    ] {
        assert!(document.text.contains(part), "{part}\nis not in\n{}", document.text);
    }
    assert_eq!(project.get("/api/metadata?format=xml").await.expect(400)["message"], "Invalid format parameter");
    let unknown = project.get("/api/metadata/nowhere").await.expect(200);
    assert_eq!(unknown["nowhere"]["schema"], json!([]));
    assert_eq!(project.get("/api/metadata/api-key").await.expect(200), json!({"apiKey": API_KEY}));
    assert_eq!(project.get("/api/metadata/anon-key").await.expect(200), json!({"anonKey": ANON_KEY}));
    assert_eq!(project.get("/api/metadata/project-id").await.expect(200), json!({"projectId": null}));
    let direct = project.get("/api/metadata/database-password").await.expect(500);
    assert_eq!(direct["message"], "Cloud database access is only available on InsForge Cloud projects.");
}

#[tokio::test]
async fn secrets_are_encrypted_kept_and_never_listed() {
    let project = Project::start().await;
    let secrets = "/api/secrets";
    let made = project
        .admin(Method::POST, secrets, Some(json!({"key": "STRIPE_KEY", "value": "plain-text-value"})))
        .await
        .expect(201);
    assert_eq!(made["message"], "Secret STRIPE_KEY has been created successfully");
    assert_eq!(
        project.get(&format!("{secrets}/STRIPE_KEY")).await.expect(200),
        json!({"key": "STRIPE_KEY", "value": "plain-text-value"})
    );
    let listed = project.get(secrets).await;
    assert!(!listed.text.contains("plain-text-value"));
    let listed = listed.expect(200);
    let row =
        listed["secrets"].as_array().expect("a list").iter().find(|row| row["key"] == "STRIPE_KEY").expect("there");
    assert!(row["lastUsedAt"].is_string() && row["isActive"] == true && row["isReserved"] == false, "{row}");
    let stored =
        project.sql("select value_ciphertext as v from system.secrets where key = 'STRIPE_KEY'").await.expect(200);
    let text = stored["rows"][0]["v"].as_str().expect("text").to_owned();
    let parts: Vec<usize> = text.split(':').map(str::len).collect();
    assert_eq!(parts, [32, 32, 2 * "plain-text-value".len()], "{text}");

    project.admin(Method::PUT, &format!("{secrets}/STRIPE_KEY"), Some(json!({"value": "other"}))).await.expect(200);
    assert_eq!(project.get(&format!("{secrets}/STRIPE_KEY")).await.expect(200)["value"], "other");
    let duplicate =
        project.admin(Method::POST, secrets, Some(json!({"key": "STRIPE_KEY", "value": "x"}))).await.expect(409);
    assert_eq!(
        (&duplicate["error"], &duplicate["message"]),
        (&json!("SECRET_ALREADY_EXISTS"), &json!("Secret already exists: STRIPE_KEY"))
    );
    project
        .admin(Method::PUT, &format!("{secrets}/STRIPE_KEY"), Some(json!({"expiresAt": "2020-01-01T00:00:00Z"})))
        .await
        .expect(200);
    assert_eq!(project.get(&format!("{secrets}/STRIPE_KEY")).await.expect(404)["error"], "SECRET_NOT_FOUND");
    assert_eq!(
        project.admin(Method::DELETE, &format!("{secrets}/STRIPE_KEY"), None).await.expect(200)["success"],
        true
    );
    let revived =
        project.admin(Method::POST, secrets, Some(json!({"key": "STRIPE_KEY", "value": "again"}))).await.expect(201);
    assert_eq!(revived["id"], made["id"]);
    assert_eq!(project.get(&format!("{secrets}/STRIPE_KEY")).await.expect(200)["value"], "again");

    for (body, message) in [
        (json!({"key": "A"}), "Both key and value are required"),
        (
            json!({"key": "a-b", "value": "x"}),
            "Invalid key format. Use uppercase letters, numbers, and underscores only (e.g., STRIPE_API_KEY)",
        ),
    ] {
        assert_eq!(project.admin(Method::POST, secrets, Some(body)).await.expect(400)["message"], message);
    }
    let reserved =
        project.admin(Method::PUT, &format!("{secrets}/API_KEY"), Some(json!({"value": "ik_mine"}))).await.expect(403);
    assert_eq!(reserved["message"], "Cannot update reserved secret: API_KEY");
    assert_eq!(
        project.admin(Method::DELETE, &format!("{secrets}/JWT_SECRET"), None).await.expect(403)["message"],
        "Cannot delete reserved secret: JWT_SECRET"
    );
    assert_eq!(
        project.admin(Method::PUT, &format!("{secrets}/NOPE"), Some(json!({"value": "x"}))).await.expect(404)["message"],
        "Secret not found: NOPE"
    );
    let empty = project.admin(Method::PUT, &format!("{secrets}/STRIPE_KEY"), Some(json!({}))).await.expect(500);
    assert_eq!(empty["message"], "Failed to update secret: STRIPE_KEY");
    let audits = project.get("/api/logs/audits?module=SECRETS&limit=500").await;
    assert!(!audits.text.contains("plain-text-value") && !audits.text.contains("again"), "{}", audits.text);
}

#[tokio::test]
async fn access_keys_are_rotated_and_the_old_ones_live_for_their_grace() {
    let project = Project::start().await;
    let tables = async |key: &str| project.call(Method::GET, "/api/database/tables", key, None, &[]).await;
    let rotated = project.admin(Method::POST, "/api/secrets/api-key/rotate", Some(json!({}))).await.expect(200);
    let new = rotated["apiKey"].as_str().expect("a key").to_owned();
    assert!(new.starts_with("ik_") && new.len() == 67, "{new}");
    assert_eq!(rotated["message"], "API key rotated successfully. Old key will remain valid during grace period.");
    assert_eq!((tables(&new).await.status, tables(API_KEY).await.status), (200, 200));
    assert_eq!(
        project.call(Method::GET, "/api/metadata/api-key", &new, None, &[]).await.expect(200)["apiKey"],
        new.as_str()
    );
    // The old key ends with its grace; keys are read again when any is rotated.
    let client = project.superuser().await;
    let aged = "update system.secrets set expires_at = now() - interval '1 second' where key like 'API_KEY_OLD_%'";
    client.batch_execute(aged).await.expect("aged");
    let other =
        project.call(Method::POST, "/api/secrets/anon-key/rotate", &new, Some(json!({})), &[]).await.expect(200);
    let refused = tables(API_KEY).await.expect(401);
    assert_eq!((&refused["error"], &refused["message"]), (&json!("AUTH_INVALID_API_KEY"), &json!("Invalid API key")));
    let at_once = project
        .call(Method::POST, "/api/secrets/api-key/rotate", &new, Some(json!({"gracePeriodHours": "0"})), &[])
        .await
        .expect(200);
    let newest = at_once["apiKey"].as_str().expect("a key").to_owned();
    assert_eq!((tables(&new).await.status, tables(&newest).await.status), (401, 200));

    let anonymous =
        async |key: &str| project.call(Method::GET, "/api/database/records/nowhere", key, None, &[]).await.status;
    // The first is in its grace, the second is the one in use.
    let second = other["anonKey"].as_str().expect("a key").to_owned();
    assert_eq!((anonymous(ANON_KEY).await, anonymous(&second).await), (404, 404));
    let rotated = project
        .call(Method::POST, "/api/secrets/anon-key/rotate", &newest, Some(json!({"gracePeriodHours": 0})), &[])
        .await
        .expect(200);
    let anon = rotated["anonKey"].as_str().expect("a key").to_owned();
    assert!(anon.starts_with("anon_") && anon.len() == 69, "{anon}");
    assert_eq!((anonymous(&anon).await, anonymous(&second).await), (404, 401));
    for (path, body, message) in [
        (
            "api-key",
            json!({"gracePeriodHours": 169}),
            "Invalid request: gracePeriodHours: Number must be less than or equal to 168",
        ),
        (
            "api-key",
            json!({"gracePeriodHours": -1}),
            "Invalid request: gracePeriodHours: Number must be greater than or equal to 0",
        ),
        (
            "api-key",
            json!({"gracePeriodHours": 1.5}),
            "Invalid request: gracePeriodHours: Expected integer, received float",
        ),
        (
            "anon-key",
            json!({"gracePeriodHours": 721}),
            "Invalid request: gracePeriodHours: Number must be less than or equal to 720",
        ),
        ("anon-key", json!([]), "Invalid request: : Expected object, received array"),
    ] {
        let reply = project.call(Method::POST, &format!("/api/secrets/{path}/rotate"), &newest, Some(body), &[]).await;
        assert_eq!(reply.expect(400)["message"], message);
    }
    // Keys are in no log, and users' tokens outlive all this.
    let audits = project.call(Method::GET, "/api/logs/audits?limit=500", &newest, None, &[]).await;
    assert!(!audits.text.contains("ik_") && !audits.text.contains("anon_"), "{}", audits.text);
    let user = user_token("aaaaaaaa-0000-4000-8000-000000000001");
    assert_eq!(project.call(Method::GET, "/api/database/records/nowhere", &user, None, &[]).await.status, 404);
}

#[tokio::test]
async fn logs_can_be_read_searched_and_counted() {
    let project = Project::with_schema("create table films (id int primary key)").await;
    project
        .call(
            Method::GET,
            "/api/database/records/films?select=id",
            ANON_KEY,
            None,
            &[("user-agent", "a-test-of-logs"), ("x-forwarded-for", "192.0.2.7, 10.0.0.1")],
        )
        .await;
    project.sql("select 1 / 0 as findable_division").await;
    let sources = project.get("/api/logs/sources").await.expect(200);
    assert_eq!(
        sources,
        json!([{"id": "1", "name": "insforge.logs", "token": "insforge.logs.jsonl"}, {"id": "2", "name": "postgres.logs", "token": "postgres.logs.jsonl"},
            {"id": "3", "name": "postgREST.logs", "token": "postgrest.logs.jsonl"}, {"id": "4", "name": "function.logs", "token": "function.logs.jsonl"}])
    );
    let entry = eventually("the request is in the log", async || {
        let read = project.get("/api/logs/insforge.logs?limit=50").await.expect(200);
        read["logs"]
            .as_array()?
            .iter()
            .find(|entry| entry["body"]["metadata"]["userAgent"] == "a-test-of-logs")
            .cloned()
    })
    .await;
    let message = entry["eventMessage"].as_str().expect("text");
    assert!(
        message.starts_with("GET /api/database/records/films 200 ") && message.ends_with(" - a-test-of-logs"),
        "{message}"
    );
    assert!(!message.contains("select"), "a query string is in the log: {message}");
    // The data API's requests are a source of their own, and Postgres says what went wrong in it.
    let data_api = project.get("/api/logs/postgREST.logs").await.expect(200);
    assert!(
        data_api["logs"].as_array().is_some_and(|logs| logs
            .iter()
            .all(|entry| entry["body"]["metadata"]["path"] == "/api/database/records/films")
            && !logs.is_empty()),
        "{data_api}"
    );
    let postgres = eventually("Postgres logged the error", async || {
        let read = project.get("/api/logs/postgres.logs").await.expect(200);
        read["logs"].as_array()?.iter().find(|entry| entry["eventMessage"] == "error - division by zero").cloned()
    })
    .await;
    assert_eq!(postgres["body"]["level"], "error");
    let before = postgres["timestamp"].as_str().expect("a time").replace('+', "%2B");
    let earlier = project.get(&format!("/api/logs/postgres.logs?before_timestamp={before}")).await.expect(200);
    assert!(
        earlier["logs"]
            .as_array()
            .is_some_and(|logs| logs.iter().all(|entry| entry["timestamp"].as_str() < postgres["timestamp"].as_str()))
    );
    assert_eq!(project.get("/api/logs/function.logs").await.expect(200), json!({"logs": [], "total": 0}));
    assert_eq!(project.get("/api/logs/nowhere.logs").await.expect(200)["total"], 0);
    assert_eq!(project.get("/api/logs/..%2Fstate").await.expect(200)["total"], 0);

    let found = project.get("/api/logs/search?q=FINDABLE_division&source=postgres.logs").await;
    assert!([200, 206].contains(&found.status), "{}", found.text);
    assert_eq!(found.json()[0]["source"], "postgres.logs");
    let page = project.get("/api/logs/search?q=a-test-of-logs&limit=1").await;
    assert!(page.header("content-range").starts_with("0-0/"), "{:?}", page.headers);
    assert_eq!(project.get("/api/logs/search").await.expect(400)["message"], "Search query parameter (q) is required");
    // Requests are written down in batches.
    let stats = eventually("requests are counted", async || {
        let stats = project.get("/api/logs/stats").await.expect(200);
        (stats[0]["count"].as_i64() > Some(2)).then_some(stats)
    })
    .await;
    let names: Vec<&Value> = stats.as_array().expect("a list").iter().map(|row| &row["source"]).collect();
    assert_eq!(names, ["insforge.logs", "postgres.logs", "postgREST.logs"]);
    assert!((0..3).all(|row| stats[row]["lastActivity"].is_string()), "{stats}");
    assert_eq!(project.get("/api/logs/functions/build-logs").await.expect(404)["error"], "LOG_NOT_FOUND");
}

#[tokio::test]
async fn audits_can_be_listed_counted_and_cleared() {
    let project = Project::start().await;
    for number in 0..3 {
        project.sql(&format!("select {number} as n")).await.expect(200);
    }
    let listed = project.get("/api/logs/audits?action=EXECUTE_RAW_SQL&limit=2").await;
    assert_eq!(
        (listed.status, listed.header("content-range"), listed.header("preference-applied")),
        (206, "0-1/3", "count=exact")
    );
    let row = &listed.json()[0];
    assert_eq!(
        (&row["actor"], &row["module"], &row["ipAddress"]),
        (&json!("api-key"), &json!("DATABASE"), &json!("127.0.0.1"))
    );
    assert_eq!(
        row["details"],
        json!({"query": "select 2 as n", "paramCount": 0, "executionRole": "project_admin", "explain": false, "rowsAffected": 1})
    );
    assert_eq!(project.get("/api/logs/audits?actor=nobody").await.header("content-range"), "0--1/0");
    assert_eq!(project.get("/api/logs/audits?start_date=yesterday").await.status, 500);
    assert_eq!(project.get("/api/logs/audits?start_date=2100-01-01").await.expect(200), json!([]));
    let stats = project.get("/api/logs/audits/stats?days=1").await.expect(200);
    assert_eq!((&stats["uniqueActors"], &stats["actionsByModule"]["DATABASE"]), (&json!(1), &json!(3)));
    assert_eq!(project.admin(Method::DELETE, "/api/logs/audits?days_to_keep=1", None).await.expect(200)["deleted"], 0);
    project
        .superuser()
        .await
        .batch_execute("update system.audit_logs set created_at = now() - interval '10 days'")
        .await
        .expect("aged");
    let cleared = project.admin(Method::DELETE, "/api/logs/audits?days_to_keep=1", None).await.expect(200);
    assert_eq!(cleared, json!({"message": "Audit logs cleared successfully", "deleted": 3}));
}

#[tokio::test]
async fn usage_docs_and_health_answer_as_told() {
    let project = Project::start().await;
    let record = async |body: Value| project.admin(Method::POST, "/api/usage/mcp", Some(body)).await;
    record(json!({"tool_name": "one"})).await.expect(200);
    record(json!({"tool_name": "two", "success": false})).await.expect(200);
    assert_eq!(record(json!({})).await.expect(400)["message"], "tool_name is required");
    assert_eq!(project.get("/api/usage/mcp").await.expect(200)["records"][0]["tool_name"], "one");
    assert_eq!(project.get("/api/usage/mcp?success=false").await.expect(200)["records"][0]["tool_name"], "two");
    // The cloud alone asks for a project's size; a process without a project has no cloud.
    let asked = project.get("/api/usage/stats?start_date=2026-01-01&end_date=2027-01-01").await;
    assert_eq!(asked.expect(500)["message"], "PROJECT_ID is not configured. Cannot reach the InsForge Cloud API.");

    let docs = project.get("/api/docs").await.expect(200);
    let docs = docs.as_array().expect("a list");
    assert_eq!(docs.len(), 34);
    for entry in docs {
        let page =
            project.call(Method::GET, entry["endpoint"].as_str().expect("a path"), "", None, &[]).await.expect(200);
        assert_eq!(page["type"], entry["type"]);
        assert!(page["content"].as_str().is_some_and(|text| text.starts_with("# ")), "{entry}");
    }
    for path in ["/api/docs/nothing", "/api/docs/db/cobol"] {
        assert_eq!(project.get(path).await.expect(404)["error"], "DOCS_NOT_FOUND");
    }
    let health = project.get("/api/health").await.expect(200);
    assert_eq!((&health["status"], &health["service"]), (&json!("ok"), &json!("Insforge OSS Backend")));
}

#[tokio::test]
async fn dashboards_are_told_what_changes() {
    let project = Project::start().await;
    let response = reqwest::Client::new()
        .get(format!("{}/api/dashboard/events", project.base()))
        .bearer_auth(API_KEY)
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache, no-transform");
    let mut stream = response.bytes_stream();
    let mut text = String::new();
    let mut next = async || loop {
        if let Some((frame, rest)) = text.split_once("\n\n") {
            let (frame, rest) = (frame.to_owned(), rest.to_owned());
            text = rest;
            if let Some(data) = frame.strip_prefix("data: ") {
                return serde_json::from_str::<Value>(data).expect("JSON");
            }
            continue;
        }
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(10), stream.next())
            .await
            .expect("in time")
            .expect("more")
            .expect("bytes");
        text.push_str(&String::from_utf8_lossy(&chunk));
    };
    assert_eq!(next().await, json!({"type": "ready"}));
    project.sql("create table t (id int); insert into t values (1)").await.expect(200);
    assert_eq!(
        next().await,
        json!({"type": "data-update", "resource": "database", "data": {"changes": [{"type": "tables"}, {"type": "records", "name": "t"}]}})
    );
    let migration = json!({"version": "1", "name": "more", "sql": "create index on t (id); update t set id = 3"});
    project.admin(Method::POST, "/api/database/migrations", Some(migration)).await.expect(201);
    let changes = json!([{"type": "migration"}, {"type": "index"}, {"type": "records", "name": "t"}]);
    assert_eq!(next().await["data"], json!({ "changes": changes }));
    project.admin(Method::POST, "/api/database/records/t", Some(json!({"id": 2}))).await.expect(201);
    assert_eq!(next().await["data"], json!({"changes": [{"type": "records", "name": "public.t"}]}));
    project.admin(Method::POST, "/api/storage/buckets", Some(json!({"bucketName": "b"}))).await.expect(201);
    assert_eq!(next().await, json!({"type": "data-update", "resource": "buckets", "data": {"bucketName": "b"}}));
    project.admin(Method::POST, "/api/usage/mcp", Some(json!({"tool_name": "x"}))).await.expect(200);
    let connected = next().await;
    assert_eq!((&connected["type"], &connected["toolName"]), (&json!("mcp-connected"), &json!("x")));
    assert_eq!(project.call(Method::GET, "/api/dashboard/events", ANON_KEY, None, &[]).await.status, 401);
}
