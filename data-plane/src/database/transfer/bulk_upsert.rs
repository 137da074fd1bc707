//! `POST /advance/bulk-upsert`: the rows of a file into a table, all of them or none.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Multipart, State, multipart::MultipartRejection},
};
use indexmap::IndexMap;
use serde_json::{Value, json};

use super::{
    form::Form,
    records_file::{self, Record},
    refusal,
};
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    database::{
        Database,
        quoting::{identifier, literal, qualified},
        raw_sql::{Session, SessionRole, parameter_literal},
        records::check_schema,
        schema_cache::Relation,
    },
    events::Resource,
    http::{Error, Result},
    state::App,
};

/// `POST /advance/bulk-upsert`
pub(in crate::database) async fn bulk_upsert(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Json<Value>> {
    let multipart = multipart.map_err(|_| Error::invalid_input("File is required"))?;
    let form = Form::read(multipart, app.config.max_file_bytes).await?;
    let file = form.file.as_ref().ok_or_else(|| Error::invalid_input("File is required"))?;
    let table = form
        .field("table")
        .filter(|table| !table.trim().is_empty())
        .ok_or_else(|| Error::invalid_input("table: Required"))?;
    let schema = form.field("schema").filter(|schema| !schema.is_empty()).unwrap_or("public");
    check_schema(schema)?;
    let key = form.field("upsertKey").filter(|key| !key.is_empty());
    let records = records_file::read(file)?;
    if let Some(key) = key
        && !records.iter().all(|record| record.contains_key(key))
    {
        return Err(Error::invalid_input(format!("Upsert key '{key}' not found in record columns")));
    }
    let cache = Database::cache(&app).await?;
    let relation = cache.relation(schema, table).cloned();
    let statements = statements(&records, &qualified(schema, table), key, relation.as_deref());
    let session = Session::open(&app, SessionRole::ProjectAdmin).await?;
    let affected = run(&session, &statements).await?;
    drop(session);
    let details = json!({
        "table": table, "schema": schema, "filename": file.name, "rowsAffected": affected,
        "totalRecords": records.len(), "upsertKey": key,
    });
    audit.record(&caller, "DATABASE", "BULK_UPSERT", details).await?;
    let name = format!("{schema}.{table}");
    app.events.changed(Resource::Database, Some(json!({"changes": [{"type": "records", "name": name}]})));
    Ok(Json(json!({
        "success": true,
        "message": format!("Successfully inserted {affected} rows into {table}"),
        "table": table,
        "rowsAffected": affected,
        "totalRecords": records.len(),
        "filename": file.name,
    })))
}

async fn run(session: &Session, statements: &[String]) -> Result<u64> {
    session.run_script("begin").await?;
    let mut affected = 0;
    for statement in statements {
        affected += session.run_counted(statement).await.map_err(|error| refusal("", error))?;
    }
    session.run_counted("commit").await.map_err(|error| refusal("", error))?;
    Ok(affected)
}

/// One statement for all records that name the same columns.
fn statements(records: &[Record], table: &str, key: Option<&str>, relation: Option<&Relation>) -> Vec<String> {
    let mut groups: IndexMap<Vec<&str>, Vec<&Record>> = IndexMap::new();
    for record in records {
        let mut names: Vec<&str> = record.keys().map(String::as_str).collect();
        names.sort_unstable();
        groups.entry(names).or_default().push(record);
    }
    let mut statements = Vec::with_capacity(groups.len());
    for (names, records) in &groups {
        if names.is_empty() {
            // An empty record is a row of defaults, and those cannot be written as a list.
            statements.extend(records.iter().map(|_| format!("insert into {table} default values")));
        } else {
            statements.push(statement(names, records, table, key, relation));
        }
    }
    statements
}

fn statement(
    names: &[&str],
    records: &[&Record],
    table: &str,
    key: Option<&str>,
    relation: Option<&Relation>,
) -> String {
    let columns: Vec<String> = names.iter().map(|name| identifier(name)).collect();
    let row = |record: &&Record| {
        let values: Vec<String> = names.iter().map(|name| value(&record[*name], name, relation)).collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<String> = records.iter().map(row).collect();
    let mut sql = format!("insert into {table} ({}) values {}", columns.join(", "), rows.join(", "));
    if let Some(key) = key {
        let others: Vec<String> = columns
            .iter()
            .filter(|column| **column != identifier(key))
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        let action =
            if others.is_empty() { "do nothing".to_owned() } else { format!("do update set {}", others.join(", ")) };
        sql.push_str(&format!(" on conflict ({}) {action}", identifier(key)));
    }
    sql
}

/// An empty text is null; JSON columns take lists and objects as JSON.
fn value(value: &Value, name: &str, relation: Option<&Relation>) -> String {
    let json = relation.and_then(|relation| relation.columns.get(name)).is_some_and(|column| column.json());
    match value {
        Value::String(text) if text.is_empty() => "null".to_owned(),
        Value::Array(_) | Value::Object(_) if json => literal(&value.to_string()),
        other => parameter_literal(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_equal_columns_share_a_statement() {
        let records: Vec<Record> =
            serde_json::from_value(json!([{"id": 1, "n": "it's"}, {"n": "", "id": 2}, {"id": 3}, {"\"x": [1, "a"]}]))
                .expect("records");
        assert_eq!(
            statements(&records, "\"t\"", None, None),
            [
                "insert into \"t\" (\"id\", \"n\") values ('1', 'it''s'), ('2', null)",
                "insert into \"t\" (\"id\") values ('3')",
                "insert into \"t\" (\"\"\"x\") values ('{\"1\",\"a\"}')",
            ]
        );
        let keyed = statements(&records[..3], "t", Some("id"), None);
        assert!(keyed[0].ends_with(" on conflict (\"id\") do update set \"n\" = excluded.\"n\""), "{}", keyed[0]);
        assert!(keyed[1].ends_with(" on conflict (\"id\") do nothing"), "{}", keyed[1]);
    }
}
