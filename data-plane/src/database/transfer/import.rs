//! `POST /advance/import`: runs an uploaded SQL file, all of it or nothing.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json,
    extract::{Multipart, State, multipart::MultipartRejection},
};
use pg_query::NodeEnum;
use serde_json::{Value, json};

use super::{
    form::{File, Form},
    refusal,
};
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    database::{
        Database,
        quoting::identifier,
        raw_sql::{Parsed, Session, SessionRole, check, split},
    },
    events::Resource,
    http::{Error, Result},
    state::App,
};

const PUBLIC_TABLES: &str = "select c.relname::text as name from pg_catalog.pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1";

/// `POST /advance/import`
pub(in crate::database) async fn import(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Json<Value>> {
    let multipart = multipart.map_err(|_| Error::invalid_input("SQL file is required"))?;
    let form = Form::read(multipart, app.config.max_file_bytes).await?;
    let truncate = form.field("truncate") == Some("true");
    let file = form.file.ok_or_else(|| Error::invalid_input("SQL file is required"))?;
    if ![".sql", ".txt"].contains(&file.ending().as_str()) {
        return Err(Error::invalid_input("Only .sql/.txt files are allowed"));
    }
    let sql = file.text()?;
    let parsed = check(sql).map_err(|message| Error::forbidden("FORBIDDEN", message))?;
    let session = Session::open(&app, SessionRole::ProjectAdmin).await?;
    let rows = run(&session, sql, &parsed, truncate).await?;
    drop(session);
    app.pools.internal().await?.batch_execute("notify pgrst, 'reload schema'").await?;
    Database::schema_changed(&app).await?;
    let answer = answer(&file, &named_tables(&parsed), rows);
    let details = json!({
        "filename": file.name, "truncate": truncate, "tables": answer["tables"], "rowsImported": rows,
        "fileSize": file.bytes.len(),
    });
    audit.record(&caller, "DATABASE", "IMPORT_DATABASE", details).await?;
    app.events.changed(Resource::Database, Some(json!({"changes": [{"type": "tables"}]})));
    Ok(Json(answer))
}

/// Runs the statements one by one in one transaction; the number of rows inserted.
async fn run(session: &Session, sql: &str, parsed: &Parsed, truncate: bool) -> Result<u64> {
    session.run_script("begin").await?;
    if truncate {
        empty_tables(session).await?;
    }
    let mut rows = 0;
    let statements = split(sql);
    for (statement, node) in statements.iter().zip(&parsed.statements) {
        let count = session.run_counted(statement).await.map_err(|error| refusal("Import failed: ", error))?;
        if matches!(node, NodeEnum::InsertStmt(_)) {
            rows += count;
        }
    }
    session.run_counted("commit").await.map_err(|error| refusal("Import failed: ", error))?;
    Ok(rows)
}

/// Empties every public table; one that cannot be emptied stays as it is.
async fn empty_tables(session: &Session) -> Result<()> {
    for row in session.run_statement(PUBLIC_TABLES, &[]).await?.rows {
        let name = row["name"].as_str().unwrap_or_default();
        session.run_script("savepoint emptying").await?;
        let emptied = session.run_script(&format!("truncate public.{} cascade", identifier(name))).await;
        let end = if emptied.is_ok() { "release savepoint emptying" } else { "rollback to savepoint emptying" };
        session.run_script(end).await?;
    }
    Ok(())
}

/// Tables that are filled or made.
fn named_tables(parsed: &Parsed) -> Vec<String> {
    let relations = parsed.statements.iter().filter_map(|statement| match statement {
        NodeEnum::InsertStmt(insert) => insert.relation.as_ref(),
        NodeEnum::CreateStmt(create) => create.relation.as_ref(),
        _ => None,
    });
    let names: BTreeSet<String> = relations.map(|relation| relation.relname.clone()).collect();
    names.into_iter().collect()
}

fn answer(file: &File, tables: &[String], rows: u64) -> Value {
    json!({
        "success": true,
        "message": "SQL file imported successfully",
        "filename": file.name,
        "tables": tables,
        "rowsImported": rows,
        "fileSize": file.bytes.len(),
    })
}
