//! Who may do what: every endpoint that touches rows or objects, as every kind of caller, as a table in `tests/golden/who-may-what.txt`.
//!
//! `BLESS=1` writes the table anew. Whatever it says, no answer to a caller ever holds another user's rows.

use std::{fmt::Write as _, path::PathBuf};

use reqwest::Method;
use serde_json::{Value, json};

use crate::database_harness::{ANON_KEY, API_KEY, Options, Project, form_body, user_token};

const ADA: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const BOB: &str = "bbbbbbbb-0000-4000-8000-000000000002";

/// What only Ada and the administrators may read.
const ADAS: &str = "only-for-ada";

const SCHEMA: &str = "
    create table notes (id int primary key, user_id uuid, body text);
    alter table notes enable row level security;
    create policy own on notes for all to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
    insert into notes select n, 'aaaaaaaa-0000-4000-8000-000000000001', 'only-for-ada ' || n from generate_series(1, 9) n;
    insert into notes values (100, 'bbbbbbbb-0000-4000-8000-000000000002', 'for-bob');
    create table comments (id int primary key, note int references notes (id), user_id uuid, body text);
    alter table comments enable row level security;
    create policy own on comments for all to authenticated using ((select auth.uid()) = user_id);
    insert into comments values (1, 1, 'aaaaaaaa-0000-4000-8000-000000000001', 'only-for-ada c'), (2, 1, 'bbbbbbbb-0000-4000-8000-000000000002', 'for-bob c');
    create view notes_view with (security_invoker = true) as select * from notes;
    create table closed (id int primary key, body text);
    alter table closed enable row level security;
    insert into closed values (1, 'only-for-ada closed');
    create table public_posts (id int primary key, body text);
    alter table public_posts enable row level security;
    create policy readable on public_posts for select using (true);
    insert into public_posts values (1, 'for everybody');
    create function my_notes() returns setof notes stable language sql as 'select * from notes';
    create function note_count() returns bigint stable language sql as 'select count(*) from notes';
    create function find_note(wanted text) returns setof notes stable language sql as 'select * from notes where body like wanted';
    alter table storage.objects enable row level security;
    create policy own_files on storage.objects for all to authenticated
        using (uploaded_by = (select auth.jwt() ->> 'sub')) with check (uploaded_by = (select auth.jwt() ->> 'sub'))";

/// A request; `<n>` in its path or body is a number of each caller's own.
struct Request {
    method: Method,
    path: &'static str,
    body: Body,
    name: &'static str,
}

enum Body {
    None,
    Json(&'static str),
    File(&'static str),
}

fn requests() -> Vec<Request> {
    use Body::{File, Json, None};
    let read = |name, path| Request { method: Method::GET, path, body: None, name };
    let send = |name, method, path, body| Request { method, path, body, name };
    vec![
        read("read rows", "/api/database/records/notes"),
        read("read a row by key", "/api/database/records/notes?id=eq.1"),
        read("read by a filter on another's column", "/api/database/records/notes?body=like.*ada*&select=id"),
        read("order and count", "/api/database/records/notes?select=id&order=body&limit=1"),
        read("embed rows of another table", "/api/database/records/comments?select=id,notes(body)"),
        read("embed the other way", "/api/database/records/notes?select=id,comments(body)"),
        read("read through a view", "/api/database/records/notes_view"),
        read("read a table without policies", "/api/database/records/closed"),
        read("read what is public", "/api/database/records/public_posts"),
        read("read an internal schema", "/api/database/records/users?schema=auth"),
        read("read another internal schema", "/api/database/records/objects?schema=storage"),
        send("call a function that returns rows", Method::POST, "/api/database/rpc/my_notes", Json("{}")),
        read("call it by GET", "/api/database/rpc/my_notes?select=id,body"),
        send("call a function that counts", Method::POST, "/api/database/rpc/note_count", Json("{}")),
        send(
            "call a function that searches",
            Method::POST,
            "/api/database/rpc/find_note",
            Json(r#"{"wanted": "%ada%"}"#),
        ),
        send(
            "insert a row as Ada",
            Method::POST,
            "/api/database/records/notes",
            Json(r#"{"id": 10<n>, "user_id": "aaaaaaaa-0000-4000-8000-000000000001", "body": "forged"}"#),
        ),
        send(
            "upsert over a row of Ada",
            Method::POST,
            "/api/database/records/notes?on_conflict=id",
            Json(r#"{"id": 2, "user_id": "bbbbbbbb-0000-4000-8000-000000000002", "body": "taken <n>"}"#),
        ),
        send(
            "update a row of Ada",
            Method::PATCH,
            "/api/database/records/notes?id=eq.3&select=id",
            Json(r#"{"body": "changed <n>"}"#),
        ),
        send(
            "give a row of Ada away",
            Method::PATCH,
            "/api/database/records/notes?id=eq.4&select=id",
            Json(r#"{"user_id": "bbbbbbbb-0000-4000-8000-000000000002"}"#),
        ),
        send(
            "replace a row of Ada",
            Method::PUT,
            "/api/database/records/notes?id=eq.5&select=id",
            Json(r#"{"id": 5, "body": "replaced <n>", "user_id": "bbbbbbbb-0000-4000-8000-000000000002"}"#),
        ),
        send("delete a row of Ada", Method::DELETE, "/api/database/records/notes?id=eq.6&select=id", None),
        send(
            "insert into what is public",
            Method::POST,
            "/api/database/records/public_posts",
            Json(r#"{"id": 10<n>, "body": "x"}"#),
        ),
        read("list objects of a private bucket", "/api/storage/buckets/private/objects"),
        read("list objects by prefix", "/api/storage/buckets/private/objects?prefix=ada"),
        read("download an object of Ada", "/api/storage/buckets/private/objects/ada%2Fsecret.txt"),
        read("ask where to download it", "/api/storage/buckets/private/download-strategy/objects/ada%2Fsecret.txt"),
        read("download from a public bucket", "/api/storage/buckets/public/objects/all.txt"),
        read("list objects of a public bucket", "/api/storage/buckets/public/objects"),
        send(
            "overwrite an object of Ada",
            Method::PUT,
            "/api/storage/buckets/private/objects/ada%2Fsecret.txt",
            File("only-for-ada again"),
        ),
        send("upload an object", Method::PUT, "/api/storage/buckets/private/objects/new-<n>.txt", File("x")),
        send("upload under a generated key", Method::POST, "/api/storage/buckets/private/objects", File("x")),
        send(
            "ask where to upload",
            Method::POST,
            "/api/storage/buckets/private/upload-strategy",
            Json(r#"{"filename": "a.txt", "size": 1}"#),
        ),
        send(
            "delete objects of Ada",
            Method::DELETE,
            "/api/storage/buckets/private/objects",
            Json(r#"{"keys": ["ada/second.txt"]}"#),
        ),
        send("delete an object of Ada", Method::DELETE, "/api/storage/buckets/private/objects/ada%2Fthird.txt", None),
        read("list buckets", "/api/storage/buckets"),
        send("make a bucket", Method::POST, "/api/storage/buckets", Json(r#"{"bucketName": "made-<n>"}"#)),
        send("open a bucket to all", Method::PATCH, "/api/storage/buckets/public", Json(r#"{"isPublic": true}"#)),
        send("delete a bucket", Method::DELETE, "/api/storage/buckets/made-<n>", None),
        read("read a profile", "/api/auth/profiles/aaaaaaaa-0000-4000-8000-000000000001"),
        read("read the own session", "/api/auth/sessions/current"),
        send(
            "change the own profile",
            Method::PATCH,
            "/api/auth/profiles/current",
            Json(r#"{"profile": {"name": "N<n>"}}"#),
        ),
        read("list users", "/api/auth/users"),
        read("read a user", "/api/auth/users/aaaaaaaa-0000-4000-8000-000000000001"),
        send(
            "delete users",
            Method::DELETE,
            "/api/auth/users",
            Json(r#"{"userIds": ["cccccccc-0000-4000-8000-000000000003"]}"#),
        ),
        read("list rows as a dashboard does", "/api/database/admin/tables/notes/records"),
        read("look a row up", "/api/database/admin/tables/notes/records/lookup?column=id&value=1"),
        send(
            "insert as a dashboard does",
            Method::POST,
            "/api/database/admin/tables/notes/records",
            Json(r#"[{"id": 20<n>}]"#),
        ),
        send(
            "update as a dashboard does",
            Method::PATCH,
            "/api/database/admin/tables/notes/records",
            Json(r#"{"pkKeys": {"id": 7}, "data": {"body": "only-for-ada d"}}"#),
        ),
        send(
            "delete as a dashboard does",
            Method::DELETE,
            "/api/database/admin/tables/notes/records",
            Json(r#"{"pkKeys": [{"id": 999}]}"#),
        ),
        send(
            "run SQL",
            Method::POST,
            "/api/database/advance/rawsql",
            Json(r#"{"query": "select body from notes where id = 1"}"#),
        ),
        send(
            "run SQL unrestricted",
            Method::POST,
            "/api/database/advance/rawsql/unrestricted",
            Json(r#"{"query": "select body from notes where id = 1"}"#),
        ),
        send("export", Method::POST, "/api/database/advance/export", Json(r#"{"tables": ["notes"]}"#)),
        send("import", Method::POST, "/api/database/advance/import", File("select 1")),
        send("upsert in bulk", Method::POST, "/api/database/advance/bulk-upsert", File("[]")),
        send(
            "migrate",
            Method::POST,
            "/api/database/migrations",
            Json(r#"{"version": "7<n>", "name": "m", "sql": "select 1"}"#),
        ),
        send("try a migration", Method::POST, "/api/database/migrations/dry-run", Json(r#"{"sql": "select 1"}"#)),
        read("list migrations", "/api/database/migrations"),
        read("list tables", "/api/database/tables"),
        read("show a table", "/api/database/tables/notes/schema"),
        send(
            "make a table",
            Method::POST,
            "/api/database/tables",
            Json(
                r#"{"tableName": "made_<n>", "columns": [{"columnName": "a", "type": "string", "isNullable": true, "isUnique": false}]}"#,
            ),
        ),
        send("change a table", Method::PATCH, "/api/database/tables/made_<n>/schema", Json(r#"{"dropColumns": []}"#)),
        send("drop a table", Method::DELETE, "/api/database/tables/made_<n>", None),
        read("list policies", "/api/database/policies"),
        read("list functions", "/api/database/functions"),
        read("list indexes", "/api/database/indexes"),
        read("list triggers", "/api/database/triggers"),
        read("list schemas", "/api/database/schemas"),
        read("read metadata", "/api/metadata"),
        read("read a table's metadata", "/api/metadata/notes"),
        read("read the API key", "/api/metadata/api-key"),
        read("read the anon key", "/api/metadata/anon-key"),
        read("list secrets", "/api/secrets"),
        read("read a secret", "/api/secrets/JWT_SECRET"),
        send("write a secret", Method::POST, "/api/secrets", Json(r#"{"key": "S<n>", "value": "x"}"#)),
        send("delete a secret", Method::DELETE, "/api/secrets/S<n>", None),
        read("read audits", "/api/logs/audits?limit=1"),
        send("clear audits", Method::DELETE, "/api/logs/audits?days_to_keep=365", None),
        read("read logs", "/api/logs/insforge.logs?limit=1"),
        read("search logs", "/api/logs/search?q=zzz"),
        read("read MCP usage", "/api/usage/mcp"),
        send("record MCP usage", Method::POST, "/api/usage/mcp", Json(r#"{"tool_name": "t"}"#)),
        read("read usage", "/api/usage/stats"),
        read("read findings", "/api/advisor/issues"),
        send(
            "ignore a finding",
            Method::POST,
            "/api/advisor/suppressions",
            Json(r#"{"ruleId": "r<n>", "scope": "rule", "reason": "wont_fix"}"#),
        ),
        read("list functions to run", "/api/functions"),
        read("read the mail settings", "/api/auth/smtp-config"),
        read("read the auth settings", "/api/auth/config"),
        read("read docs", "/api/docs/instructions"),
        read("ask for health", "/api/health"),
    ]
}

struct Caller {
    name: &'static str,
    key: String,
    /// Whether it may read what is Ada's.
    trusted: bool,
}

async fn callers(project: &Project) -> Vec<Caller> {
    let body = json!({"username": "admin@example.org", "password": "a-long-password"});
    let session = project.call(Method::POST, "/api/auth/admin/sessions", "", Some(body), &[]).await.expect(200);
    let admin = session["accessToken"].as_str().expect("a token").to_owned();
    let caller = |name, key: String, trusted| Caller { name, key, trusted };
    vec![
        caller("nobody", "not-a-token".to_owned(), false),
        caller("anon", ANON_KEY.to_owned(), false),
        caller("bob", user_token(BOB), false),
        caller("ada", user_token(ADA), true),
        caller("admin", admin, true),
        caller("key", API_KEY.to_owned(), true),
    ]
}

async fn ask(project: &Project, caller: &Caller, request: &Request, number: usize) -> crate::database_harness::Reply {
    let path = request.path.replace("<n>", &number.to_string());
    let path = path.as_str();
    match &request.body {
        Body::None | Body::Json(_) => {
            let body = match &request.body {
                Body::Json(text) => Some(
                    serde_json::from_str::<Value>(&text.replace("<n>", &number.to_string()))
                        .unwrap_or_else(|error| panic!("{error}: {text}")),
                ),
                _ => None,
            };
            let prefer = [("prefer", "return=representation")];
            let upsert = [("prefer", "return=representation,resolution=merge-duplicates")];
            let headers: &[(&str, &str)] = match (request.name.starts_with("upsert"), request.path.contains("/records"))
            {
                (true, true) => &upsert,
                (_, true) => &prefer,
                _ => &[],
            };
            project.call(request.method.clone(), path, &caller.key, body, headers).await
        }
        Body::File(content) => {
            let name = if path.ends_with("bulk-upsert") { "a.json" } else { "a.sql" };
            let (content_type, body) = form_body(Some((name, content.as_bytes())), &[("table", "notes")]);
            project.send(request.method.clone(), path, &caller.key, &content_type, body).await
        }
    }
}

/// The status, and how many rows came with it.
fn outcome(reply: &crate::database_harness::Reply) -> String {
    match serde_json::from_str::<Value>(&reply.text) {
        Ok(Value::Array(rows)) if reply.status < 300 => format!("{}[{}]", reply.status, rows.len()),
        _ => reply.status.to_string(),
    }
}

#[tokio::test]
async fn every_endpoint_answers_each_caller_as_the_table_says() {
    let project_id = ("--project-id", "dddddddd-0000-4000-8000-000000000004".to_owned());
    let nowhere = ("--cloud-api-host", "http://127.0.0.1:9".to_owned());
    let project = Project::start_with(&Options { arguments: vec![project_id, nowhere], ..Options::default() }).await;
    project.migrate("1", SCHEMA).await;
    let superuser = project.superuser().await;
    superuser
        .batch_execute(&format!(
            "insert into auth.users (id, email, profile, metadata) values ('{ADA}', 'ada@example.org', '{{\"name\": \"Ada\"}}', '{{\"m\": \"{ADAS}\"}}'),
                ('{BOB}', 'bob@example.org', '{{}}', '{{}}')"
        ))
        .await
        .expect("users");
    for (bucket, public) in [("private", false), ("public", true)] {
        project
            .admin(Method::POST, "/api/storage/buckets", Some(json!({"bucketName": bucket, "isPublic": public})))
            .await
            .expect(201);
    }
    let ada = user_token(ADA);
    for (bucket, key, content) in [
        ("private", "ada%2Fsecret.txt", ADAS),
        ("private", "ada%2Fsecond.txt", ADAS),
        ("private", "ada%2Fthird.txt", ADAS),
        ("public", "all.txt", "for all"),
    ] {
        let (content_type, body) = form_body(Some(("f.txt", content.as_bytes())), &[]);
        let stored = project
            .send(Method::PUT, &format!("/api/storage/buckets/{bucket}/objects/{key}"), &ada, &content_type, body)
            .await;
        assert_eq!(stored.status, 200, "{}", stored.text);
    }

    let callers = callers(&project).await;
    let mut table = format!("{:38}", "");
    for caller in &callers {
        write!(table, " {:8}", caller.name).expect("text");
    }
    for request in requests() {
        write!(table, "\n{:38}", request.name).expect("text");
        for (number, caller) in callers.iter().enumerate() {
            let reply = ask(&project, caller, &request, number).await;
            // An administrator has no profile, and the contract calls asking for it a failure.
            let no_profile = caller.name == "admin" && request.name == "change the own profile";
            assert!(
                reply.status < 500 || no_profile,
                "{} as {}: {} {}",
                request.name,
                caller.name,
                reply.status,
                reply.text
            );
            assert!(
                caller.trusted || !reply.text.contains(ADAS),
                "{} shows {} what is Ada's: {}",
                request.name,
                caller.name,
                reply.text
            );
            write!(table, " {:8}", outcome(&reply)).expect("text");
        }
        table.truncate(table.trim_end().len());
    }
    table.push('\n');
    // Ada's rows are as she left them, whatever others tried before her turn came; only administrators came after.
    let forged = project
        .sql("select count(*)::int as n from notes where id between 100 and 103 and user_id::text like 'aaaa%'")
        .await
        .expect(200);
    assert!(forged["rows"][0]["n"].as_i64() <= Some(1), "somebody wrote a row as Ada");

    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/who-may-what.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&golden, &table).expect("written");
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(table, expected, "run with BLESS=1 when this is meant, and look at the difference");
}
