//! An export as SQL that makes the tables again and fills them.

use deadpool_postgres::ClientWrapper;
use serde_json::Value;

use super::{
    catalog::{self, TableStatements},
    export::{Exported, Wanted, count},
};
use crate::{
    database::{quoting::identifier, raw_sql::Session},
    http::Result,
};

pub(super) async fn write(client: &ClientWrapper, session: &Session, wanted: &Wanted) -> Result<Exported> {
    let mut text = format!(
        "-- Database Export\n-- Generated on: {}\n-- Format: SQL\n-- Include Data: {}\n",
        wanted.at, wanted.data
    );
    if wanted.data {
        text.push_str(&format!("-- Row Limit: {} rows per table\n", wanted.row_limit));
    }
    let mut truncated = Vec::new();
    for name in catalog::tables(client, wanted.tables.as_deref()).await? {
        let Some(table) = catalog::statements(client, &name).await? else { continue };
        text.push_str(&format!("\n-- Table: {}\n", one_line(&name)));
        definition(&mut text, &table);
        if wanted.data && rows(&mut text, session, &name, &table, wanted.row_limit).await? {
            truncated.push(name);
        }
    }
    if wanted.functions {
        each(&mut text, "Functions", &catalog::functions(client).await?, |function| {
            format!("{};", field(function, "functionDef").trim_end())
        });
    }
    if wanted.sequences {
        each(&mut text, "Sequences", &catalog::sequences(client).await?, sequence);
    }
    if wanted.views {
        each(&mut text, "Views", &catalog::views(client).await?, |view| {
            let definition = field(view, "definition").trim().trim_end_matches(';');
            format!("CREATE OR REPLACE VIEW {} AS\n{definition};", identifier(field(view, "viewName")))
        });
    }
    Ok(Exported { data: text.into(), truncated })
}

fn definition(text: &mut String, table: &TableStatements) {
    let name = &table.name;
    text.push_str(&format!("CREATE TABLE IF NOT EXISTS {name} (\n  {}\n);\n", table.definition.join(",\n  ")));
    for index in &table.indexes {
        text.push_str(&format!("{index};\n"));
    }
    for statement in &table.foreign_keys {
        text.push_str(&format!("{statement}\n"));
    }
    if table.row_security {
        text.push_str(&format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;\n"));
    }
    for statement in table.policies.iter().chain(&table.triggers) {
        text.push_str(&format!("{statement}\n"));
    }
}

/// Writes the rows; true when there are more than the limit.
async fn rows(text: &mut String, session: &Session, name: &str, table: &TableStatements, limit: i64) -> Result<bool> {
    let quoted = identifier(name);
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let values: Vec<String> = table
        .columns
        .iter()
        .map(|column| match column.plain {
            true => format!("coalesce({}::text, 'NULL')", column.name),
            false => format!("pg_catalog.quote_nullable({}::text)", column.name),
        })
        .collect();
    if values.is_empty() {
        return Ok(false);
    }
    let sql =
        format!("select pg_catalog.concat_ws(', ', {}) as row from public.{quoted} limit {limit}", values.join(", "));
    let identity = if table.identity { " OVERRIDING SYSTEM VALUE" } else { "" };
    for row in session.run_statement(&sql, &[]).await?.rows {
        let values = field(&row, "row");
        text.push_str(&format!("INSERT INTO {} ({}){identity} VALUES ({values});\n", table.name, names.join(", ")));
    }
    let total = count(session, &quoted).await?;
    if total > limit {
        text.push_str(&format!(
            "-- WARNING: {limit} of {total} rows were exported from this table, because of the row limit.\n"
        ));
    }
    Ok(total > limit)
}

fn sequence(sequence: &Value) -> String {
    let cycle = if sequence["cycle"] == "YES" { " CYCLE" } else { "" };
    format!(
        "CREATE SEQUENCE IF NOT EXISTS {} START WITH {} INCREMENT BY {} MINVALUE {} MAXVALUE {}{cycle};",
        identifier(field(sequence, "sequenceName")),
        field(sequence, "startValue"),
        field(sequence, "increment"),
        field(sequence, "minValue"),
        field(sequence, "maxValue"),
    )
}

fn each(text: &mut String, title: &str, items: &Value, write: impl Fn(&Value) -> String) {
    let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return;
    }
    text.push_str(&format!("\n-- {title}\n"));
    for item in items {
        text.push_str(&write(item));
        text.push('\n');
    }
}

fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// A name that ends no comment.
fn one_line(name: &str) -> String {
    name.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
