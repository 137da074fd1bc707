//! Raw SQL, migrations, tables, listings and rows for administrators, over HTTP on real Postgres.

use reqwest::Method;
use serde_json::{Value, json};

use crate::database_harness::{ANON_KEY, Project};

#[tokio::test]
async fn raw_sql_answers_in_the_clients_forms() {
    let project = Project::start().await;
    let reply = project.sql("select 1 as a, 12345678901::int8 as b, 1.10::numeric as c, '{1,2}'::int[] as d, '{\"k\": 1}'::jsonb as e, null as f").await.expect(200);
    assert_eq!(
        reply["rows"],
        json!([{"a": 1, "b": "12345678901", "c": "1.10", "d": [1, 2], "e": {"k": 1}, "f": null}])
    );
    assert_eq!(reply["rowCount"], 1);
    assert_eq!(reply["fields"][0], json!({"name": "a", "dataTypeID": 23}));
    assert_eq!(project.sql("select 1; select 2").await.expect(200), json!({"rows": []}));
    let body = json!({"query": "select $1::int + $2 as sum, $3 as text", "params": [1, 2, "it's \\"]});
    let reply = project.admin(Method::POST, "/api/database/advance/rawsql", Some(body)).await.expect(200);
    assert_eq!(reply["rows"], json!([{"sum": 3, "text": "it's \\"}]));
    let body = json!({"query": "select 1", "explain": true});
    let reply = project.admin(Method::POST, "/api/database/advance/rawsql", Some(body)).await.expect(200);
    assert!(reply["rows"][0]["QUERY PLAN"][0]["Plan"].is_object());
}

#[tokio::test]
async fn raw_sql_cannot_leave_its_role() {
    let project = Project::start().await;
    let who = project.sql("select current_user as who, session_user as session").await.expect(200);
    assert_eq!(who["rows"], json!([{"who": "project_admin", "session": "authenticator"}]));
    for guarded in [
        "set role postgres",
        "reset role",
        "begin",
        "select set_config('role', 'postgres', false)",
        "create role x",
        "set search_path = auth",
        "selec",
    ] {
        assert_eq!(project.sql(guarded).await.expect(403)["error"], "FORBIDDEN", "{guarded}");
    }
    for hidden in [
        "reset role; execute 'set role postgres'",
        "execute 'set role hearth_superuser'",
        "reset role; perform 1 from system.secrets",
    ] {
        let reply = project.sql(&format!("do $$ begin {hidden}; end $$")).await;
        assert_eq!(reply.status, 403, "{hidden}: {}", reply.text);
    }
    let reply = project
        .admin(
            Method::POST,
            "/api/database/advance/rawsql/unrestricted",
            Some(json!({"query": "select rolsuper from pg_roles where rolname = current_user"})),
        )
        .await;
    assert_eq!(reply.expect(200)["rows"], json!([{"rolsuper": false}]));
    let anonymous = project
        .call(Method::POST, "/api/database/advance/rawsql", ANON_KEY, Some(json!({"query": "select 1"})), &[])
        .await;
    assert_eq!(anonymous.status, 401);
    // What one request leaves in its session does not reach another.
    project.sql("set work_mem = '77MB'; create temp table leftover (id int)").await.expect(200);
    assert_ne!(project.sql("select current_setting('work_mem') as w").await.json()["rows"][0]["w"], "77MB");
    assert_eq!(project.sql("select * from leftover").await.status, 400);
}

#[tokio::test]
async fn migrations_are_all_or_nothing_and_in_order() {
    let project = Project::start().await;
    let post = async |version: &str, sql: &str| {
        project
            .admin(Method::POST, "/api/database/migrations", Some(json!({"version": version, "name": "m", "sql": sql})))
            .await
    };
    let created =
        post("9", "create table a (id int primary key); -- one; row\ninsert into a values (1);").await.expect(201);
    assert_eq!(created["statements"].as_array().map(Vec::len), Some(2));
    assert_eq!(project.rows("a").await, json!([{"id": 1}]));
    assert_eq!(post("9", "select 1").await.expect(409)["error"], "DATABASE_MIGRATION_ALREADY_EXISTS");
    assert_eq!(post("0008", "select 1").await.status, 409);
    assert_eq!(post("10", "create table b (id int); insert into nope values (1)").await.status, 400);
    assert_eq!(project.get("/api/database/records/b").await.status, 404);
    assert_eq!(post("10", "begin; commit").await.status, 403);
    assert_eq!(
        post("x", "select 1").await.expect(400)["message"],
        "Migration version must be a numeric string of at most 64 digits (e.g. 0001 or 20260418091500)."
    );
    assert_eq!(
        post("10", "-- nothing").await.expect(400)["message"],
        "Migration SQL must contain at least one statement."
    );
    post("10", "create table b (id int)").await.expect(201);
    let listed = project.get("/api/database/migrations").await.expect(200);
    let versions: Vec<&Value> =
        listed["migrations"].as_array().expect("a list").iter().map(|migration| &migration["version"]).collect();
    assert_eq!(versions, ["10", "9"]);
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_names_the_risks() {
    let project = Project::with_schema("create table a (id int, name text)").await;
    let cases = [
        ("create table z (id int)", true, "SAFE"),
        ("alter table a drop column name", true, "WARNING"),
        ("drop table a", true, "DANGER"),
        ("select nope", false, "DANGER"),
        ("reset role", false, "DANGER"),
    ];
    for (sql, valid, level) in cases {
        let reply = project
            .admin(Method::POST, "/api/database/migrations/dry-run", Some(json!({ "sql": sql })))
            .await
            .expect(200);
        assert_eq!((&reply["valid"], &reply["riskLevel"]), (&json!(valid), &json!(level)), "{sql}");
    }
    assert_eq!(project.get("/api/database/tables").await.expect(200), json!(["a"]));
}

#[tokio::test]
async fn tables_are_made_shown_changed_and_dropped() {
    let project = Project::with_schema("create table clients (id int primary key)").await;
    let columns = json!([
        {"columnName": "title", "type": "string", "isNullable": false, "isUnique": true},
        {"columnName": "done", "type": "boolean", "isNullable": false, "isUnique": false},
        {"columnName": "n", "type": "integer", "isNullable": true, "isUnique": false, "defaultValue": "5"}]);
    let key = json!([{"referenceTable": "clients", "referenceColumns": [{"sourceColumn": "n", "referenceColumn": "id"}], "onDelete": "SET NULL", "onUpdate": "NO ACTION"}]);
    let body = json!({"tableName": "todo", "columns": columns, "foreignKeys": key});
    let created = project.admin(Method::POST, "/api/database/tables", Some(body.clone())).await.expect(201);
    assert_eq!(created["columns"][0]["sqlType"], "TEXT");
    assert_eq!(
        project.admin(Method::POST, "/api/database/tables", Some(body)).await.expect(400)["error"],
        "DATABASE_DUPLICATE"
    );
    let shown = project.get("/api/database/tables/todo/schema").await.expect(200);
    assert_eq!(
        shown["columns"][3],
        json!({"columnName": "n", "type": "integer", "isNullable": true, "isPrimaryKey": false, "isUnique": false, "defaultValue": "5"})
    );
    assert_eq!(shown["foreignKeys"][0]["constraintName"], "fk_n_clients_id");
    let denied =
        project.call(Method::POST, "/api/database/records/todo", ANON_KEY, Some(json!({"title": "a"})), &[]).await;
    assert_eq!(denied.expect(401)["code"], "42501");
    let change = json!({"dropColumns": ["done"], "updateColumns": [{"columnName": "n", "newColumnName": "m"}], "renameTable": {"newTableName": "things"}});
    let changed = project.admin(Method::PATCH, "/api/database/tables/todo/schema", Some(change)).await.expect(200);
    assert_eq!(
        changed["operations"],
        json!(["Dropped column: done", "Updated column: n", "Renamed table from todo to things"])
    );
    let refused =
        project.admin(Method::PATCH, "/api/database/tables/things/schema", Some(json!({"dropColumns": ["id"]}))).await;
    assert_eq!(refused.expect(404)["message"], "cannot drop system columns");
    assert_eq!(project.rows("things?select=title,m").await, json!([]));
    project.admin(Method::DELETE, "/api/database/tables/things", None).await.expect(200);
    assert_eq!(project.get("/api/database/tables/things/schema").await.status, 404);
    for bad in [
        json!({"tableName": "x", "columns": []}),
        json!({"columns": "x"}),
        json!({"tableName": "a\"b", "columns": []}),
        json!([]),
    ] {
        assert_eq!(project.admin(Method::POST, "/api/database/tables", Some(bad.clone())).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn rows_are_administered_with_checked_names() {
    let project = Project::with_schema("create table p (id int primary key, name text, price numeric, data jsonb); insert into p values (1, 'a', 1.5, '{}'), (2, 'b_%', 2, null)").await;
    let path = "/api/database/admin/tables/p/records";
    let page = project.get(&format!("{path}?limit=1&sort=id:desc")).await;
    assert_eq!((page.status, page.header("content-range")), (206, "0-0/2"));
    assert_eq!(page.json()[0]["price"], "2");
    assert_eq!(project.get(&format!("{path}?search=_%25")).await.expect(200).as_array().map(Vec::len), Some(1));
    assert_eq!(project.get(&format!("{path}?sort=id;drop")).await.expect(400)["error"], "INVALID_INPUT");
    assert_eq!(project.get(&format!("{path}/lookup?column=id&value=1")).await.expect(200)["name"], "a");
    let created = project
        .admin(Method::POST, path, Some(json!([{"id": 3, "name": "c", "price": "", "data": [1]}])))
        .await
        .expect(201);
    assert_eq!((&created[0]["price"], &created[0]["data"]), (&Value::Null, &json!([1])));
    let patched =
        project.admin(Method::PATCH, path, Some(json!({"pkKeys": {"id": 3}, "data": {"name": "d"}}))).await.expect(200);
    assert_eq!(patched["name"], "d");
    assert_eq!(
        project.admin(Method::PATCH, path, Some(json!({"pkKeys": {"name": "d"}, "data": {"name": "e"}}))).await.status,
        400
    );
    assert_eq!(
        project.admin(Method::DELETE, path, Some(json!({"pkKeys": [{"id": 3}, {"id": 4}]}))).await.expect(200),
        json!({"deletedCount": 1})
    );
    for (method, body, message) in [
        (Method::DELETE, json!({"pkKeys": []}), "pkKeys: Array must contain at least 1 element(s)"),
        (Method::DELETE, json!({"pkKeys": [{"id": 3}, 4]}), "pkKeys.1: Expected object, received number"),
        (Method::DELETE, json!({"pkKeys": 4}), "pkKeys: Expected array, received number"),
        (Method::POST, json!([]), ": Array must contain at least 1 element(s)"),
        (Method::POST, json!(["c"]), "0: Expected object, received string"),
    ] {
        assert_eq!(project.admin(method, path, Some(body)).await.expect(400)["message"], message);
    }
}

#[tokio::test]
async fn listings_show_a_schemas_contents() {
    let project = Project::with_schema(
        "create table t (id int primary key); alter table t enable row level security; create policy p on t to anon, authenticated using (true);
         create function f() returns int language sql as 'select 1';
         create trigger tr before insert or update on t for each row execute function system.update_updated_at()",
    )
    .await;
    assert_eq!(
        project.get("/api/database/schemas").await.expect(200)["schemas"][0],
        json!({"name": "public", "isProtected": false})
    );
    assert_eq!(project.get("/api/database/functions").await.expect(200)["functions"][0]["functionName"], "f");
    assert_eq!(project.get("/api/database/indexes").await.expect(200)["indexes"][0]["isPrimary"], true);
    assert_eq!(project.get("/api/database/policies").await.expect(200)["policies"][0]["roles"], "{anon,authenticated}");
    let triggers = project.get("/api/database/triggers").await.expect(200);
    assert_eq!(triggers["triggers"].as_array().map(Vec::len), Some(2));
    assert_eq!(triggers["triggers"][0]["actionTiming"], "BEFORE");
    assert_eq!(project.get("/api/database/policies?schema=pg_catalog").await.status, 400);
}
