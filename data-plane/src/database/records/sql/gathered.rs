//! Reads whose rows come one by one and become JSON outside Postgres (see [`crate::database::wire`]), which is much cheaper for Postgres than
//! an aggregate over them.

use std::sync::LazyLock;

use super::super::{error::Error, plan::Node, query::SelectItem};
use super::{
    RESPONSE_SETTINGS, Statement,
    columns::{Columns, Origin, named},
    read::embedded_columns,
};
use crate::database::{
    quoting::{identifier, qualified},
    schema_cache::{Column, SchemaCache},
};

/// What is asked after the rows: response headers and status that SQL wants.
pub(crate) static ASKED_BY_SQL: LazyLock<String> = LazyLock::new(|| format!("select {RESPONSE_SETTINGS}"));

/// Types whose text tells their JSON. Of others, Postgres makes it.
const PLAIN: [&str; 22] = [
    "bigint",
    "boolean",
    "bytea",
    "character",
    "character varying",
    "date",
    "double precision",
    "inet",
    "integer",
    "interval",
    "json",
    "jsonb",
    "name",
    "numeric",
    "real",
    "smallint",
    "text",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
    "uuid",
];

/// A read without a total. Absent where the list of columns is not known beforehand.
pub(crate) fn gathered(cache: &SchemaCache, node: &Node) -> Result<Option<Statement>, Error> {
    let columns = Columns { cache, origin: Origin::Relation };
    let mut statement = Statement { gathered: true, ..Statement::default() };
    let Some(list) = columns.values(&mut statement, node) else { return Ok(None) };
    let source = qualified(&node.relation.schema, &node.relation.name);
    let rows = columns.listed(&mut statement, node, &list, &source, None)?;
    statement.push(&rows);
    Ok(Some(statement))
}

impl Columns<'_> {
    fn values(&self, statement: &mut Statement, node: &Node) -> Option<Vec<String>> {
        let mut list = Vec::new();
        for item in &node.items {
            match item {
                SelectItem::Column { alias, field, cast } => {
                    let sql = self.value(statement, node, field, cast.as_deref());
                    let bare = cast.is_none() && field.path.is_empty();
                    let plain = bare && node.relation.columns.get(&field.name).is_some_and(plain);
                    let sql = if plain { sql } else { as_json(&sql) };
                    list.push(named(&sql, alias.as_deref(), field));
                }
                _ if node.relation.columns.values().all(plain) => list.push(self.item(statement, node, item)),
                _ => list.extend(node.relation.columns.iter().map(|(name, column)| {
                    let value = self.column(node, name);
                    if plain(column) { value } else { format!("{} as {}", as_json(&value), identifier(name)) }
                })),
            }
        }
        for embed in &node.embeds {
            if embed.spread {
                return None;
            }
            list.extend(embedded_columns(embed));
        }
        (!list.is_empty()).then_some(list)
    }
}

fn plain(column: &Column) -> bool {
    PLAIN.contains(&column.base_type.as_str())
}

fn as_json(sql: &str) -> String {
    format!("pg_catalog.to_json({sql})")
}
