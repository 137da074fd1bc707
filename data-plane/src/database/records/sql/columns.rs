//! Columns, JSON paths and casts.

use super::super::{
    error::Error,
    plan::Node,
    query::{Field, JsonKey, SelectItem},
};
use super::Statement;
use crate::database::{
    quoting::{identifier, qualified},
    schema_cache::SchemaCache,
};

/// Where the columns of the root node come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The relation itself.
    Relation,
    /// The rows just written: everything is a plain column there, computed ones included.
    Written,
}

/// Renders names against the cache.
pub(super) struct Columns<'a> {
    pub(super) cache: &'a SchemaCache,
    pub(super) origin: Origin,
}

impl Columns<'_> {
    /// A column or a path into it.
    pub(super) fn field(&self, statement: &mut Statement, node: &Node, field: &Field) -> Result<String, Error> {
        let column = self.column(node, &field.name);
        if field.path.is_empty() {
            return Ok(column);
        }
        let json = node.relation.columns.get(&field.name).is_some_and(crate::database::schema_cache::Column::json);
        let mut sql = if json { column } else { format!("to_jsonb({column})") };
        for step in &field.path {
            let arrow = if step.as_text { "->>" } else { "->" };
            let key = match &step.key {
                JsonKey::Name(name) => format!("{}::text", statement.bind(name)),
                JsonKey::Index(index) => format!("{}::integer", statement.bind(index.to_string())),
            };
            sql = format!("({sql} {arrow} {key})");
        }
        Ok(sql)
    }

    /// A column of the node's relation, or the function that computes it. What is neither is left to Postgres to refuse in its words.
    pub(super) fn column(&self, node: &Node, name: &str) -> String {
        let relation = &node.relation;
        let alias = identifier(&node.alias);
        if self.origin == Origin::Relation
            && !relation.columns.contains_key(name)
            && let Some(function) = self.cache.computed_column(relation, name)
        {
            return format!("{}({alias}.*)", qualified(&function.schema, &function.name));
        }
        format!("{alias}.{}", identifier(name))
    }

    /// One item of a select list with its name; embeds are not handled here.
    pub(super) fn item(&self, statement: &mut Statement, node: &Node, item: &SelectItem) -> Result<String, Error> {
        match item {
            SelectItem::Column { alias, field, cast } => {
                let sql = self.value(statement, node, field, cast.as_deref())?;
                Ok(named(&sql, alias.as_deref(), field))
            }
            _ => Ok(format!("{}.*", identifier(&node.alias))),
        }
    }

    /// A column or a path into it, as the type asked for.
    pub(super) fn value(
        &self,
        statement: &mut Statement,
        node: &Node,
        field: &Field,
        cast: Option<&str>,
    ) -> Result<String, Error> {
        let sql = self.field(statement, node, field)?;
        match cast {
            Some(cast) => Ok(format!("({sql})::{}", self.type_name(&node.relation.schema, cast)?)),
            None => Ok(sql),
        }
    }

    /// A type name: one of Postgres' own, or one the schema has.
    fn type_name(&self, schema: &str, written: &str) -> Result<String, Error> {
        let (name, array) = match written.strip_suffix("[]") {
            Some(name) => (name.trim(), "[]"),
            None => (written, ""),
        };
        let (base, modifier) = match name.find('(') {
            Some(at) => name.split_at(at),
            None => (name, ""),
        };
        let base = base.trim().trim_matches('"');
        if BUILT_IN.contains(&base.to_ascii_lowercase().as_str()) {
            return Ok(format!("{}{modifier}{array}", base.to_ascii_lowercase()));
        }
        let known = [schema, "public"].into_iter().find(|schema| self.cache.has_type(schema, base));
        match known {
            Some(schema) => Ok(format!("{}{modifier}{array}", qualified(schema, base))),
            None => Err(Error::new(400, "42704", format!("type \"{base}\" does not exist"))),
        }
    }
}

/// An expression under the name it has in the result.
pub(super) fn named(sql: &str, alias: Option<&str>, field: &Field) -> String {
    format!("{sql} as {}", identifier(alias.unwrap_or_else(|| field.output_name())))
}

/// Type names that need no look-up.
const BUILT_IN: [&str; 51] = [
    "bigint",
    "bit",
    "bit varying",
    "bool",
    "boolean",
    "box",
    "bpchar",
    "bytea",
    "char",
    "character",
    "character varying",
    "cidr",
    "circle",
    "date",
    "daterange",
    "decimal",
    "double precision",
    "float",
    "float4",
    "float8",
    "inet",
    "int",
    "int2",
    "int4",
    "int4range",
    "int8",
    "int8range",
    "integer",
    "interval",
    "json",
    "jsonb",
    "macaddr",
    "money",
    "name",
    "numeric",
    "numrange",
    "oid",
    "point",
    "real",
    "regclass",
    "smallint",
    "text",
    "time",
    "timestamp",
    "timestamp with time zone",
    "timestamp without time zone",
    "timestamptz",
    "tsvector",
    "uuid",
    "varchar",
    "xml",
];
