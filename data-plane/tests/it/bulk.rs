//! Export, import and bulk upsert.

use reqwest::Method;
use serde_json::{Value, json};

use crate::database_harness::{ANON_KEY, API_KEY, Project, form_body};

const EXPORT: &str = "/api/database/advance/export";
const IMPORT: &str = "/api/database/advance/import";
const BULK: &str = "/api/database/advance/bulk-upsert";

/// Fields of a form, with their values.
type Fields = &'static [(&'static str, &'static str)];

const SCHEMA: &str = "
    create type mood as enum ('fine', 'it''s');
    create table authors (id int primary key, name text not null default 'n''obody', born date);
    create table books (
        id uuid primary key default gen_random_uuid(), author int references authors (id) on delete cascade,
        title text, price numeric(8, 2), tags text[], data jsonb, mood mood, seen timestamptz, sold boolean not null default false,
        words tsvector generated always as (to_tsvector('simple', coalesce(title, ''))) stored);
    create index books_author on books (author);
    alter table books enable row level security;
    create policy readable on books for select to anon, authenticated using (not sold);
    create function two() returns int language sql as 'select 2';
    create sequence tickets start 10 increment 5 maxvalue 100 cycle;
    create view cheap as select id, title from books where price < 10;
    create trigger stamp before update on books for each row execute function system.update_updated_at();
    insert into authors (id, name, born) values (1, 'Ada; --', '1815-12-10'), (2, E'li\\nne', null);
    insert into books (author, title, price, tags, data, mood, seen, sold)
        values (1, 'A ''quoted'' title', 9.50, array['a', 'b,\"c'], '{\"k\": [1, null]}', 'it''s', '2026-01-02 03:04:05.678+00', true),
               (2, null, null, '{}', null, null, null, false);";

#[tokio::test]
async fn an_export_as_sql_can_be_imported_again() {
    let project = Project::with_schema(SCHEMA).await;
    let wanted = json!({"includeFunctions": true, "includeSequences": true, "includeViews": true});
    let exported = project.admin(Method::POST, EXPORT, Some(wanted)).await.expect(200);
    assert_eq!(exported["format"], "sql");
    assert!(exported.get("truncatedTables").is_none());
    let sql = exported["data"].as_str().expect("text").to_owned();
    for part in [
        "-- Database Export\n-- Generated on: ",
        "-- Format: SQL\n-- Include Data: true\n-- Row Limit: 1000 rows per table\n",
        "CREATE TABLE IF NOT EXISTS books (\n",
        "price numeric(8,2)",
        "CREATE INDEX books_author ON public.books USING btree (author);",
        "ALTER TABLE books ADD CONSTRAINT books_author_fkey FOREIGN KEY (author) REFERENCES authors(id) ON DELETE CASCADE;",
        "ALTER TABLE books ENABLE ROW LEVEL SECURITY;",
        "CREATE POLICY readable ON books AS PERMISSIVE FOR SELECT TO anon, authenticated USING ((NOT sold));",
        "CREATE TRIGGER stamp BEFORE UPDATE ON public.books",
        "CREATE SEQUENCE IF NOT EXISTS \"tickets\" START WITH 10 INCREMENT BY 5 MINVALUE 1 MAXVALUE 100 CYCLE;",
        "CREATE OR REPLACE VIEW \"cheap\" AS",
        "CREATE OR REPLACE FUNCTION public.two()",
    ] {
        assert!(sql.contains(part), "{part}\nis not in\n{sql}");
    }
    let read = "select a.name, a.born, b.title, b.price, b.tags, b.data, b.mood::text, b.seen, b.sold, b.words::text
        from authors a join books b on b.author = a.id order by a.id";
    let before = project.sql(read).await.expect(200)["rows"].clone();
    // The export has no keys, as the contract says, so what refers to them is made by the schema that stays.
    project.sql("truncate authors cascade").await.expect(200);
    let inserts: String = statements(&sql, "INSERT INTO authors") + &statements(&sql, "INSERT INTO books");
    let imported =
        project.form(IMPORT, API_KEY, ("all.sql", inserts.as_bytes()), &[("truncate", "false")]).await.expect(200);
    assert_eq!(
        (&imported["success"], &imported["rowsImported"], &imported["filename"]),
        (&json!(true), &json!(4), &json!("all.sql"))
    );
    assert_eq!(imported["tables"], json!(["authors", "books"]));
    assert_eq!(project.sql(read).await.expect(200)["rows"], before);
}

/// The statements that begin so, up to the next one at the beginning of a line.
fn statements(sql: &str, beginning: &str) -> String {
    let mut found = String::new();
    let mut within = false;
    for line in sql.lines() {
        if line.starts_with("INSERT INTO")
            || line.starts_with("CREATE")
            || line.starts_with("--")
            || line.starts_with("ALTER")
        {
            within = line.starts_with(beginning);
        }
        if within {
            found.push_str(line);
            found.push('\n');
        }
    }
    found
}

#[tokio::test]
async fn an_export_as_json_has_the_clients_values_and_says_what_is_left_out() {
    let project = Project::with_schema(SCHEMA).await;
    let wanted =
        json!({"format": "json", "tables": ["books"], "rowLimit": 1, "includeSequences": true, "includeViews": true});
    let exported = project.admin(Method::POST, EXPORT, Some(wanted)).await.expect(200);
    assert_eq!((&exported["truncatedTables"], &exported["rowLimit"]), (&json!(["books"]), &json!(1)));
    let data = &exported["data"];
    let books = &data["tables"]["books"];
    assert!(data["tables"].get("authors").is_none());
    assert_eq!(
        (&books["truncated"], &books["exportedRowCount"], &books["totalRowCount"]),
        (&json!(true), &json!(1), &json!(2))
    );
    assert_eq!(books["rows"][0]["price"], "9.50");
    assert_eq!(books["rows"][0]["seen"], "2026-01-02T03:04:05.678Z");
    assert_eq!(
        books["schema"][1],
        json!({"columnName": "author", "dataType": "integer", "characterMaximumLength": null, "isNullable": "YES", "columnDefault": null})
    );
    assert_eq!(
        books["foreignKeys"],
        json!([{"constraintName": "books_author_fkey", "referenceTable": "authors",
            "referenceColumns": [{"sourceColumn": "author", "referenceColumn": "id"}], "onDelete": "CASCADE", "onUpdate": "NO ACTION"}])
    );
    assert_eq!((&books["rlsEnabled"], &books["policies"][0]["roles"]), (&json!(true), &json!("{anon,authenticated}")));
    assert_eq!(data["functions"], json!([]));
    assert_eq!(
        data["sequences"],
        json!([{"sequenceName": "tickets", "startValue": "10", "increment": "5", "minValue": "1", "maxValue": "100", "cycle": "YES"}])
    );
    assert_eq!(data["views"][0]["viewName"], "cheap");
    assert_eq!(project.get("/api/metadata/books").await.expect(200)["books"]["indexes"], books["indexes"]);
    for (bad, message) in [
        (json!({"format": "xml"}), "format: Invalid enum value. Expected 'sql' | 'json', received 'xml'"),
        (json!({"rowLimit": 0}), "rowLimit: Number must be greater than or equal to 1"),
        (json!({"rowLimit": 10_001}), "rowLimit: Number must be less than or equal to 10000"),
        (json!({"tables": "books"}), "tables: Expected array, received string"),
    ] {
        assert_eq!(project.admin(Method::POST, EXPORT, Some(bad)).await.expect(400)["message"], message);
    }
    assert_eq!(project.call(Method::POST, EXPORT, ANON_KEY, Some(json!({})), &[]).await.status, 401);
}

#[tokio::test]
async fn an_import_is_all_or_nothing() {
    let project = Project::with_schema("create table a (id int primary key); insert into a values (1)").await;
    let import = async |name: &str, sql: &str, truncate: &str| {
        project.form(IMPORT, API_KEY, (name, sql.as_bytes()), &[("truncate", truncate)]).await
    };
    let good = "create table b (id int);\n-- a comment; with a semicolon\ninsert into b values (1), (2);\ninsert into a values (1);";
    assert_eq!(import("x.sql", good, "true").await.expect(200)["rowsImported"], 3);
    assert_eq!(project.rows("a").await, json!([{"id": 1}]));
    let failed = import("x.sql", "insert into b values (3); insert into a values (1)", "false").await.expect(400);
    assert_eq!(failed["message"], "Import failed: duplicate key value violates unique constraint \"a_pkey\"");
    assert_eq!(project.rows("b?select=id").await, json!([{"id": 1}, {"id": 2}]));
    for (name, sql, status, message) in [
        ("x.csv", "a", 400, "Only .sql/.txt files are allowed"),
        ("x.sql", "selec", 403, "Query could not be parsed and was rejected for security reasons."),
        ("x.sql", "set role postgres", 403, "Changing SQL execution role or session authorization is not allowed."),
        ("x.txt", "commit", 403, "Transaction control statements are not allowed."),
        (
            "x.txt",
            "copy a from stdin",
            403,
            "COPY from STDIN and to STDOUT is not available here. Use bulk upsert or export.",
        ),
        ("x.txt", "insert into nowhere values (1)", 400, "Import failed: relation \"nowhere\" does not exist"),
    ] {
        assert_eq!(import(name, sql, "false").await.expect(status)["message"], message, "{sql}");
    }
    let (content_type, body) = form_body(None, &[("truncate", "true")]);
    let none = project.send(Method::POST, IMPORT, API_KEY, &content_type, body).await;
    assert_eq!(none.expect(400)["message"], "SQL file is required");
    let plain = project.admin(Method::POST, IMPORT, Some(json!({}))).await;
    assert_eq!(plain.expect(400)["message"], "SQL file is required");
}

#[tokio::test]
async fn files_are_upserted_in_bulk() {
    let project = Project::with_schema(
        "create table t (id int primary key, name text, data jsonb, tags text[], at timestamptz);
         create schema other; create table other.t (id int primary key)",
    )
    .await;
    let bulk = async |file: (&str, &str), fields: &[(&str, &str)]| {
        project.form(BULK, API_KEY, (file.0, file.1.as_bytes()), fields).await
    };
    let csv = "\u{feff}id,name,data\n1,\"Ada, \"\"the\"\" first\",\"{\"\"a\"\": 1}\"\n2,,\n";
    let answer = bulk(("rows.csv", csv), &[("table", "t")]).await.expect(200);
    assert_eq!(
        answer,
        json!({"success": true, "message": "Successfully inserted 2 rows into t", "table": "t", "rowsAffected": 2,
            "totalRecords": 2, "filename": "rows.csv"})
    );
    let json_rows = r#"[{"id": 2, "name": "Bob", "tags": ["x", "y"]}, {"id": 3, "data": [1, {"b": 2}], "at": "2026-01-01T00:00:00Z"}, {"id": 2, "data": {}}]"#;
    let failed = bulk(("rows.json", json_rows), &[("table", "t")]).await.expect(400);
    assert_eq!(failed["error"], "INVALID_INPUT");
    assert_eq!(failed["message"], "duplicate key value violates unique constraint \"t_pkey\"");
    assert_eq!(
        bulk(("rows.json", json_rows), &[("table", "t"), ("upsertKey", "id")]).await.expect(200)["rowsAffected"],
        3
    );
    assert_eq!(
        project.rows("t?select=id,name,data,tags&order=id").await,
        json!([
            {"id": 1, "name": "Ada, \"the\" first", "data": {"a": 1}, "tags": null},
            {"id": 2, "name": "Bob", "data": {}, "tags": ["x", "y"]},
            {"id": 3, "name": null, "data": [1, {"b": 2}], "tags": null}])
    );
    assert_eq!(
        bulk(("o.json", "{\"id\": 7}"), &[("table", "t"), ("schema", "other")]).await.expect(200)["rowsAffected"],
        1
    );
    let cases: [(&str, &str, Fields, &str); 8] = [
        ("rows.csv", csv, &[], "table: Required"),
        ("rows.xls", "x", &[("table", "t")], "Unsupported file type. Use .csv or .json"),
        ("rows.csv", "id\n", &[("table", "t")], "No records found in file"),
        ("rows.json", "[]", &[("table", "t")], "No records found in file"),
        ("rows.csv", csv, &[("table", "t"), ("upsertKey", "slug")], "Upsert key 'slug' not found in record columns"),
        ("rows.csv", "id\n1", &[("table", "nowhere")], "relation \"public.nowhere\" does not exist"),
        (
            "rows.csv",
            "id,\"x\"\"; drop table t; --\"\n1,2",
            &[("table", "t")],
            "column \"x\"; drop table t; --\" of relation \"t\" does not exist",
        ),
        ("rows.csv", "id\nx'y", &[("table", "t")], "invalid input syntax for type integer: \"x'y\""),
    ];
    for (name, content, fields, message) in cases {
        assert_eq!(bulk((name, content), fields).await.expect(400)["message"], message, "{content}");
    }
    let truncated = bulk(("rows.csv", "a,b\n1\n"), &[("table", "t")]).await.expect(400);
    assert!(
        truncated["message"].as_str().is_some_and(|text| text.starts_with("Failed to parse .csv file: ")),
        "{truncated}"
    );
    let (content_type, body) = form_body(None, &[("table", "t")]);
    assert_eq!(
        project.send(Method::POST, BULK, API_KEY, &content_type, body).await.expect(400)["message"],
        "File is required"
    );
    let audited: Value = project.get("/api/logs/audits?action=BULK_UPSERT&limit=1").await.json();
    assert_eq!(audited[0]["module"], "DATABASE");
}
