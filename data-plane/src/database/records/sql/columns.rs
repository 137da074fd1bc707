//! Columns, JSON paths and casts.

use super::super::{
    plan::Node,
    query::{Field, JsonKey, SelectItem},
};
use super::Statement;
use crate::database::{
    quoting::{identifier, qualified},
    schema_cache::{Column, Relation, SchemaCache},
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
    pub(super) fn field(&self, statement: &mut Statement, node: &Node, field: &Field) -> String {
        path_into(statement, &node.relation, self.column(node, &field.name), field)
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
    pub(super) fn item(&self, statement: &mut Statement, node: &Node, item: &SelectItem) -> String {
        match item {
            SelectItem::Column { alias, field, cast } => {
                let sql = self.value(statement, node, field, cast.as_deref());
                named(&sql, alias.as_deref(), field)
            }
            _ => format!("{}.*", identifier(&node.alias)),
        }
    }

    /// A column or a path into it, as the type asked for.
    pub(super) fn value(&self, statement: &mut Statement, node: &Node, field: &Field, cast: Option<&str>) -> String {
        let sql = self.field(statement, node, field);
        match cast {
            Some(cast) => format!("({sql})::{}", self.type_name(&node.relation.schema, cast)),
            None => sql,
        }
    }

    /// A type name: in SQL's own words, one the schema has, or else what Postgres finds by the name.
    fn type_name(&self, schema: &str, written: &str) -> String {
        let (name, array) = match written.strip_suffix("[]") {
            Some(name) => (name.trim(), "[]"),
            None => (written, ""),
        };
        let (base, modifier) = match name.find('(') {
            Some(at) => name.split_at(at),
            None => (name, ""),
        };
        let base = base.trim();
        let folded = base.to_ascii_lowercase();
        let modifiers = if modifier.is_empty() { 0 } else { modifier.split(',').count() };
        if IN_WORDS.iter().any(|(word, most)| *word == folded && modifiers <= *most) {
            return format!("{folded}{modifier}{array}");
        }
        let exact = base.trim_matches('"');
        let known = [schema, "public"].into_iter().find(|schema| self.cache.has_type(schema, exact));
        let name = match known {
            Some(schema) => qualified(schema, exact),
            None if base.starts_with('"') => identifier(exact),
            None => identifier(&folded),
        };
        format!("{name}{modifier}{array}")
    }
}

/// An expression under the name it has in the result.
pub(super) fn named(sql: &str, alias: Option<&str>, field: &Field) -> String {
    format!("{sql} as {}", identifier(alias.unwrap_or_else(|| field.output_name())))
}

/// A step by step path into a column of this relation, which is rendered already.
pub(super) fn path_into(statement: &mut Statement, relation: &Relation, column: String, field: &Field) -> String {
    if field.path.is_empty() {
        return column;
    }
    let json = relation.columns.get(&field.name).is_some_and(Column::json);
    let mut sql = if json { column } else { format!("to_jsonb({column})") };
    for step in &field.path {
        let arrow = if step.as_text { "->>" } else { "->" };
        let key = match &step.key {
            JsonKey::Name(name) => format!("{}::text", statement.bind(name)),
            JsonKey::Index(index) => format!("{}::integer", statement.bind(index.to_string())),
        };
        sql = format!("({sql} {arrow} {key})");
    }
    sql
}

/// Type names that are words of SQL's grammar, with how many modifiers may follow them; every other one is an identifier.
const IN_WORDS: [(&str, usize); 24] = [
    ("bigint", 0),
    ("bit", 1),
    ("bit varying", 1),
    ("boolean", 0),
    ("char", 1),
    ("character", 1),
    ("character varying", 1),
    ("dec", 2),
    ("decimal", 2),
    ("double precision", 0),
    ("float", 1),
    ("int", 0),
    ("integer", 0),
    ("interval", 1),
    ("numeric", 2),
    ("real", 0),
    ("smallint", 0),
    ("time", 1),
    ("time with time zone", 0),
    ("time without time zone", 0),
    ("timestamp", 1),
    ("timestamp with time zone", 0),
    ("timestamp without time zone", 0),
    ("varchar", 1),
];
