//! Details of tables, raw SQL, migrations and rows for administrators that clients rely on.

use reqwest::Method;
use serde_json::{Value, json};

use crate::database_harness::{API_KEY, Project};

const RAW: &str = "/api/database/advance/rawsql";

#[tokio::test]
async fn raw_sql_encodes_every_type_as_the_clients_expect() {
    let project = Project::with_schema(
        "create type mood as enum ('ok'); create domain small as int; create type pair as (a int, b text)",
    )
    .await;
    let cases: &[(&str, Value)] = &[
        ("1::int2", json!(1)),
        ("1::int4", json!(1)),
        ("9007199254740993::int8", json!("9007199254740993")),
        ("26::oid", json!(26)),
        ("1.5::float4", json!(1.5)),
        ("2::float8", json!(2)),
        ("'NaN'::float8", Value::Null),
        ("1.10::numeric", json!("1.10")),
        ("true", json!(true)),
        ("'a'::text", json!("a")),
        ("'a'::varchar(3)", json!("a")),
        ("'a'::char(3)", json!("a  ")),
        ("'6e7ad2e6-0000-4000-8000-000000000000'::uuid", json!("6e7ad2e6-0000-4000-8000-000000000000")),
        ("'10.0.0.1'::inet", json!("10.0.0.1")),
        ("'01:02:03'::time", json!("01:02:03")),
        ("'01:02:03+00'::timetz", json!("01:02:03+00")),
        ("b'101'", json!("101")),
        ("'[1,5)'::int4range", json!("[1,5)")),
        ("'2026-01-02 03:04:05.678901+02'::timestamptz", json!("2026-01-02T01:04:05.678Z")),
        ("'2026-01-02 03:04:05'::timestamp", json!("2026-01-02T03:04:05.000Z")),
        ("'2026-01-02'::date", json!("2026-01-02T00:00:00.000Z")),
        ("'infinity'::timestamptz", Value::Null),
        ("'{\"a\": [1, null]}'::json", json!({"a": [1, null]})),
        ("'\"text\"'::jsonb", json!("text")),
        ("'\\x0aff'::bytea", json!({"type": "Buffer", "data": [10, 255]})),
        ("'1 day 02:00:00.5'::interval", json!({"days": 1, "hours": 2, "milliseconds": 500})),
        ("'0'::interval", json!({})),
        ("point(1, 2.5)", json!({"x": 1.0, "y": 2.5})),
        ("circle(point(1, 2), 3)", json!({"x": 1.0, "y": 2.0, "radius": 3.0})),
        ("array[1, null, 3]", json!([1, null, 3])),
        ("array[[1], [2]]", json!([[1], [2]])),
        ("array['a,b', 'c\"d', null]", json!(["a,b", "c\"d", null])),
        ("array[1, 2]::int8[]", json!(["1", "2"])),
        ("array[1.5]::numeric[]", json!([1.5])),
        ("array['a']::name[]", json!("{a}")),
        ("'ok'::mood", json!("ok")),
        ("3::small", json!(3)),
        ("row(1, 'x')::pair", json!("(1,x)")),
        ("array['ok']::mood[]", json!("{ok}")),
        ("null::int", Value::Null),
    ];
    let columns: Vec<String> = cases.iter().enumerate().map(|(index, (sql, _))| format!("{sql} as c{index}")).collect();
    let reply = project.sql(&format!("select {}", columns.join(", "))).await.expect(200);
    for (index, (sql, expected)) in cases.iter().enumerate() {
        assert_eq!(reply["rows"][0][format!("c{index}")], *expected, "{sql}");
    }
    assert_eq!(project.sql("select 1 as a, 2 as a").await.expect(200)["rows"], json!([{"a": 2}]));
    let made = project.sql("create table t (id int)").await.expect(200);
    assert_eq!((&made["rows"], &made["rowCount"], &made["fields"]), (&json!([]), &Value::Null, &json!([])));
    assert_eq!(project.sql("insert into t values (1), (2)").await.expect(200)["rowCount"], 2);
}

#[tokio::test]
async fn raw_sql_refuses_with_the_known_words() {
    let project = Project::with_schema("create table t (id int primary key, n int not null)").await;
    for (sql, status, error, message) in [
        (
            "insert into t values (1, 1), (1, 1)",
            409,
            "DATABASE_DUPLICATE",
            "duplicate key value violates unique constraint \"t_pkey\"",
        ),
        (
            "insert into t values (1, null)",
            400,
            "MISSING_FIELD",
            "null value in column \"n\" of relation \"t\" violates not-null constraint",
        ),
        ("select * from nowhere", 400, "DATABASE_VALIDATION_ERROR", "relation \"nowhere\" does not exist"),
        ("select nothing from t", 400, "DATABASE_VALIDATION_ERROR", "column \"nothing\" does not exist"),
        ("create table u (a int, a int)", 400, "DATABASE_VALIDATION_ERROR", "column \"a\" specified more than once"),
        (
            "create table u (a int references t (n))",
            400,
            "DATABASE_VALIDATION_ERROR",
            "there is no unique constraint matching given keys for referenced table \"t\"",
        ),
        ("select 1 / 0", 500, "INTERNAL_ERROR", "division by zero"),
        ("drop table auth.users", 403, "FORBIDDEN", "must be owner of table users"),
    ] {
        let refused = project.sql(sql).await.expect(status);
        assert_eq!((&refused["error"], &refused["message"]), (&json!(error), &json!(message)), "{sql}");
        assert!(status == 500 || refused["nextActions"].is_string(), "{refused}");
    }
    for (body, message) in [
        (json!({}), "query: Required"),
        (json!({"query": ""}), "query: Query is required"),
        (json!({"query": 5}), "query: Expected string, received number"),
        (json!({"query": "select 1", "params": "x"}), "params: Expected array, received string"),
        (json!([]), ": Expected object, received array"),
    ] {
        assert_eq!(project.admin(Method::POST, RAW, Some(body)).await.expect(400)["message"], message);
    }
    let many = project
        .admin(Method::POST, RAW, Some(json!({"query": "select 1; select $1", "params": [1]})))
        .await
        .expect(500);
    assert_eq!(many["message"], "cannot insert multiple commands into a prepared statement");
    for (query, message) in [
        ("delete from t", "Only SELECT statements are allowed in EXPLAIN mode."),
        ("-- nothing", "Query contains no executable statements."),
    ] {
        let refused =
            project.admin(Method::POST, RAW, Some(json!({"query": query, "explain": true}))).await.expect(400);
        assert_eq!(refused["message"], message);
    }
    let broken =
        project.send(Method::POST, RAW, API_KEY, "application/json", b"{\"query\": ".to_vec()).await.expect(400);
    assert_eq!(
        (&broken["error"], &broken["nextActions"]),
        (&json!("INVALID_INPUT"), &json!("Please ensure your request body contains valid JSON"))
    );
}

#[tokio::test]
async fn unrestricted_sql_leaves_what_it_made_to_the_administrator() {
    let project = Project::start().await;
    let body = json!({"query": "create table public.mine (id int); create function public.f() returns int language sql as 'select 1'; create type public.k as enum ('a')"});
    project.admin(Method::POST, "/api/database/advance/rawsql/unrestricted", Some(body)).await.expect(200);
    project
        .sql("alter table mine add column x int; alter function f() stable; alter type k add value 'b'")
        .await
        .expect(200);
    assert_eq!(project.rows("mine").await, json!([]));
}

#[tokio::test]
async fn migrations_compare_versions_as_numbers_of_any_length() {
    let project = Project::start().await;
    let post = async |version: &str, sql: &str| {
        project
            .admin(Method::POST, "/api/database/migrations", Some(json!({"version": version, "name": "m", "sql": sql})))
            .await
    };
    let huge = "1".repeat(63);
    post(&huge, "select 1").await.expect(201);
    let older = post(&"9".repeat(62), "select 1").await.expect(409);
    assert_eq!(older["message"], "Migration version must be newer than the latest applied migration.");
    post(&format!("{huge}0"), "select 1").await.expect(201);
    assert_eq!(post(&"9".repeat(65), "select 1").await.status, 400);
    for (body, message) in [
        (
            json!({"version": "a", "name": "m", "sql": "select 1"}),
            "Migration version must be a numeric string of at most 64 digits (e.g. 0001 or 20260418091500).",
        ),
        (json!({"version": "1", "name": " ", "sql": "select 1"}), "Migration name is required"),
        (
            json!({"version": "1", "name": "A b", "sql": "select 1"}),
            "Use lowercase letters, numbers, and hyphens only.",
        ),
        (json!({"version": "1", "name": "m", "sql": " "}), "Migration SQL is required"),
    ] {
        assert_eq!(
            project.admin(Method::POST, "/api/database/migrations", Some(body)).await.expect(400)["message"],
            message
        );
    }
    // Things that need a transaction of their own cannot be part of one.
    let next = "2".repeat(64);
    assert_eq!(post(&next, "create table a (id int); create index concurrently on a (id)").await.status, 500);
    assert_eq!(post(&next, "vacuum").await.status, 500);
    // A deferred constraint that fails at the end undoes all of it.
    let deferred = "create table p (id int primary key); create table c (p int references p (id) deferrable initially deferred); insert into c values (7)";
    assert_eq!(post(&next, deferred).await.expect(400)["error"], "DATABASE_CONSTRAINT_VIOLATION");
    assert_eq!(project.get("/api/database/records/p").await.status, 404);
    post(&next, "create table p (id int primary key)").await.expect(201);
    let listed = project.get("/api/database/migrations").await.expect(200);
    assert_eq!(listed["migrations"][0]["statements"], json!(["create table p (id int primary key)"]));
}

#[tokio::test]
async fn dry_runs_are_counted_and_limited() {
    let project = Project::with_schema("create table a (id int, name text)").await;
    let run = async |sql: &str| {
        project.admin(Method::POST, "/api/database/migrations/dry-run", Some(json!({"sql": sql}))).await
    };
    let risky = run("drop table a; truncate a; alter table a alter column id type bigint, drop constraint x; create index on a (id)").await;
    let factors = risky.expect(200);
    let codes: Vec<&str> = factors["riskFactors"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|factor| factor["code"].as_str())
        .collect();
    assert_eq!(
        codes,
        [
            "DESTRUCTIVE_DATA_LOSS",
            "DESTRUCTIVE_DATA_LOSS",
            "SCHEMA_BREAKING_CHANGE",
            "SCHEMA_BREAKING_CHANGE",
            "SYNTAX_OR_EXECUTION_ERROR"
        ]
    );
    assert_eq!(
        factors["riskFactors"][0]["description"],
        "Statement drops database object (OBJECT_TABLE) permanently resulting in potential data loss."
    );
    assert_eq!(
        factors["riskFactors"][2]["description"],
        "ALTER TABLE statement contains destructive command: AT_AlterColumnType."
    );
    assert_eq!(
        (&factors["valid"], &factors["riskLevel"], &factors["statementCount"]),
        (&json!(false), &json!("DANGER"), &json!(4))
    );
    assert_eq!(run("drop index if exists x; drop view if exists v").await.expect(200)["riskLevel"], "SAFE");
    assert_eq!(run("-- nothing").await.expect(200)["riskFactors"][0]["code"], "EMPTY_SQL");
    assert_eq!(run("commit").await.expect(200)["riskFactors"][0]["code"], "GUARD_VIOLATION");
    let counted = run("select 1").await;
    assert_eq!((counted.header("ratelimit-policy"), counted.header("ratelimit-remaining")), ("30;w=900", "25"));
    for _ in 0..25 {
        assert_eq!(run("select 1").await.status, 200);
    }
    let refused = run("select 1").await;
    assert_eq!(refused.expect(429)["message"], "Too many migration dry-run requests. Please try again later.");
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 800));
}

#[tokio::test]
async fn tables_of_other_schemas_are_made_with_foreign_keys_and_checked_names() {
    let project =
        Project::with_schema("create schema app; create table app.parents (a int, b int, primary key (a, b))").await;
    let column =
        |name: &str, kind: &str| json!({"columnName": name, "type": kind, "isNullable": true, "isUnique": false});
    let key = json!({"referenceTable": "app.parents", "referenceColumns": [{"sourceColumn": "x", "referenceColumn": "a"}, {"sourceColumn": "y", "referenceColumn": "b"}],
        "onDelete": "CASCADE", "onUpdate": "RESTRICT"});
    let body = json!({"tableName": "kids", "columns": [column("x", "integer"), column("y", "integer"), column("id", "uuid")], "foreignKeys": [key], "rlsEnabled": false});
    let made = project.admin(Method::POST, "/api/database/tables?schema=app", Some(body)).await.expect(201);
    assert_eq!((&made["schemaName"], made["columns"].as_array().map(Vec::len)), (&json!("app"), Some(2)));
    let shown = project.get("/api/database/tables/kids/schema?schema=app").await.expect(200);
    assert_eq!(shown["foreignKeys"][0]["constraintName"], "fk_x_y_app_parents_a_b");
    assert_eq!(shown["foreignKeys"][0]["onUpdate"], "RESTRICT");
    assert_eq!(
        shown["columns"][0],
        json!({"columnName": "id", "type": "uuid", "isNullable": false, "isPrimaryKey": true, "isUnique": true, "defaultValue": "gen_random_uuid()"})
    );
    assert_eq!(project.get("/api/database/tables?schema=app").await.expect(200), json!(["kids", "parents"]));
    assert_eq!(project.get("/api/database/tables").await.expect(200), json!([]));
    let refused = async |body: Value, message: &str| {
        let refused = project.admin(Method::POST, "/api/database/tables", Some(body)).await.expect(400);
        assert_eq!((&refused["error"], &refused["message"]), (&json!("DATABASE_VALIDATION_ERROR"), &json!(message)));
    };
    refused(
        json!({"tableName": "a\"b", "columns": [column("x", "string")]}),
        "Invalid table name: cannot contain quotes or control characters",
    )
    .await;
    refused(
        json!({"tableName": "t", "columns": [column("x", "string"), column("\"", "string")]}),
        "Invalid column name at index 1: Invalid column name: cannot contain quotes or control characters",
    )
    .await;
    refused(
        json!({"tableName": "t", "columns": [column("id", "string")]}),
        "Column 'id' is a reserved field that requires type 'uuid', but got 'string'",
    )
    .await;
    refused(
        json!({"tableName": "t", "columns": [column("id", "uuid")]}),
        "Table must have at least one user-defined column",
    )
    .await;
    let system = json!({"referenceTable": "app.parents", "referenceColumns": [{"sourceColumn": "id", "referenceColumn": "a"}], "onDelete": "CASCADE", "onUpdate": "CASCADE"});
    let on_system = json!({"tableName": "t", "columns": [column("x", "string")], "foreignKeys": [system]});
    let refused = project.admin(Method::POST, "/api/database/tables", Some(on_system)).await.expect(400);
    assert_eq!(
        (&refused["error"], &refused["message"]),
        (&json!("DATABASE_FORBIDDEN"), &json!("cannot add foreign key on system columns"))
    );
    let change = json!({"dropForeignKeys": ["fk_x_y_app_parents_a_b"], "updateColumns": [{"columnName": "x", "defaultValue": "7"}], "addColumns": [column("z", "boolean")]});
    let changed =
        project.admin(Method::PATCH, "/api/database/tables/kids/schema?schema=app", Some(change)).await.expect(200);
    assert_eq!(
        changed["operations"],
        json!(["Dropped foreign key constraint: fk_x_y_app_parents_a_b", "Updated column: x", "Added column: z"])
    );
    let unknown = json!({"dropForeignKeys": ["nope"]});
    let refused =
        project.admin(Method::PATCH, "/api/database/tables/kids/schema?schema=app", Some(unknown)).await.expect(404);
    assert_eq!(refused["message"], "Foreign key constraint 'nope' does not exist on this table.");
    assert_eq!(
        project.get("/api/database/tables?schema=pg_catalog").await.expect(400)["message"],
        "Schema \"pg_catalog\" is not available in the dashboard."
    );
    assert_eq!(
        project.admin(Method::DELETE, "/api/database/tables/never_was", None).await.expect(200)["message"],
        "table deleted successfully"
    );
}

#[tokio::test]
async fn rows_for_dashboards_are_refused_with_the_known_words() {
    let project = Project::with_schema("create table t (id int, part int, n int not null, note int, name text, primary key (id, part)); insert into t values (1, 1, 1, 1, 'a')").await;
    let path = "/api/database/admin/tables/t/records";
    for (query, message) in [
        ("?sort=nope", "Unknown column \"nope\"."),
        ("?sort=id:up", "Invalid sort direction \"up\"."),
        ("?sort=:desc", "Invalid sort clause \":desc\"."),
        ("?filterColumn=id", "filterColumn: filterColumn and filterValue must be provided together."),
        ("?limit=501", "limit: Number must be less than or equal to 500"),
        ("/lookup?column=id&column=part&value=1", "value: column and value must have the same number of entries"),
    ] {
        assert_eq!(project.get(&format!("{path}{query}")).await.expect(400)["message"], message, "{query}");
    }
    assert_eq!(project.get("/api/database/admin/tables/nope/records").await.expect(404)["message"], "Table not found.");
    let patch = async |key: Value, data: Value| {
        project.admin(Method::PATCH, path, Some(json!({"pkKeys": key, "data": data}))).await
    };
    let whole = json!({"id": 1, "part": 1});
    assert_eq!(
        patch(json!({"id": 1}), json!({"n": 2})).await.expect(400)["message"],
        "Primary key does not match the table primary key."
    );
    assert_eq!(patch(whole.clone(), json!({"n": ""})).await.expect(400)["message"], "Column \"n\" cannot be blank.");
    assert_eq!(patch(whole.clone(), json!({"x": 1})).await.expect(400)["message"], "Unknown column \"x\".");
    assert_eq!(patch(whole.clone(), json!({})).await.expect(400)["message"], "No valid fields to update.");
    assert_eq!(patch(json!({"id": 9, "part": 9}), json!({"n": 2})).await.expect(404)["message"], "Record not found.");
    assert_eq!(
        patch(whole, json!({"note": "", "name": ""})).await.expect(200),
        json!({"id": 1, "part": 1, "n": 1, "note": null, "name": ""})
    );
    assert_eq!(project.get(&format!("{path}/lookup?column=id&value=1&column=part&value=1")).await.expect(200)["n"], 1);
    assert_eq!(project.get(&format!("{path}/lookup?column=id&value=9")).await.expect(200), Value::Null);
    assert_eq!(
        project.get(&format!("{path}?filterColumn=name&filterValue=zzz")).await.header("content-range"),
        "0--1/0"
    );
}
