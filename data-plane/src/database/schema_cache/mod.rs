//! What the data API knows of the exposed schemas: relations, relationships, functions and types.
//!
//! A cache is built whole from one catalog query and never changed; a reload swaps in a new one. Every identifier that
//! reaches a records statement comes from here.

mod document;
mod holder;
mod relationships;
mod settings;
mod view_columns;

use std::{collections::HashMap, sync::Arc};

use indexmap::IndexMap;

pub(crate) use holder::{ReloadError, SchemaCaches};
pub(crate) use relationships::{Link, Relationship};
/// Never exposed to the data API.
pub(crate) use schema_merge::extract::INTERNAL_SCHEMAS;
pub(crate) use settings::{Isolation, Settings};

/// One picture of the exposed schemas.
#[derive(Debug, Default)]
pub(crate) struct SchemaCache {
    /// The schema-change counter it was read at.
    pub(crate) generation: u64,
    /// Exposed schemas, `public` first.
    pub(crate) schemas: Vec<String>,
    relations: HashMap<String, HashMap<String, Arc<Relation>>>,
    relationships: HashMap<(String, String), Vec<Relationship>>,
    functions: HashMap<String, HashMap<String, Vec<Arc<Function>>>>,
    types: HashMap<String, Vec<String>>,
    role_settings: HashMap<String, Arc<Settings>>,
}

/// A table, view, materialised view, partitioned or foreign table.
#[derive(Debug)]
pub(crate) struct Relation {
    /// Its schema.
    pub(crate) schema: String,
    /// Its name.
    pub(crate) name: String,
    /// Columns in their order.
    pub(crate) columns: IndexMap<String, Column>,
    /// Primary key columns in key order; empty without one.
    pub(crate) primary_key: Vec<String>,
    /// Whether it is a view, whose rows have no place of their own.
    pub(crate) view: bool,
}

/// A column.
#[derive(Debug)]
pub(crate) struct Column {
    /// Its type as Postgres writes it, with modifier, qualified outside `pg_catalog`.
    pub(crate) type_name: String,
    /// The type without modifier, a domain's underlying one.
    pub(crate) base_type: String,
    /// Whether it takes null.
    pub(crate) nullable: bool,
    /// Default expression as Postgres writes it.
    pub(crate) default: Option<String>,
}

impl Column {
    /// True for types in which the empty string is a value.
    pub(crate) fn textual(&self) -> bool {
        matches!(self.base_type.as_str(), "text" | "character varying" | "character")
            || self.base_type.rsplit('.').next() == Some("citext")
    }

    /// True for `json` and `jsonb`.
    pub(crate) fn json(&self) -> bool {
        matches!(self.base_type.as_str(), "json" | "jsonb")
    }
}

/// A function that can be called through rpc.
#[derive(Debug)]
pub(crate) struct Function {
    /// Its schema.
    pub(crate) schema: String,
    /// Its name.
    pub(crate) name: String,
    /// Input arguments in their order.
    pub(crate) arguments: Vec<Argument>,
    /// What it returns.
    pub(crate) returns: Returns,
    /// True when it returns a set.
    pub(crate) set: bool,
    /// True for `stable` and `immutable`.
    pub(crate) reads_only: bool,
    /// Settings of its own that its transaction begins with.
    pub(crate) settings: Option<Arc<Settings>>,
}

/// An input argument.
#[derive(Debug)]
pub(crate) struct Argument {
    /// Empty when it has no name.
    pub(crate) name: String,
    /// Its type.
    pub(crate) type_name: String,
    /// False when it has a default or is variadic.
    pub(crate) required: bool,
    /// True for the last argument of a variadic function.
    pub(crate) variadic: bool,
    /// The exposed relation whose row it takes.
    pub(crate) relation: Option<(String, String)>,
}

/// What a function returns.
#[derive(Debug)]
pub(crate) enum Returns {
    /// Nothing.
    Void,
    /// A plain value.
    Scalar,
    /// Rows of an exposed relation.
    Relation(String, String),
    /// Rows with these columns; none are known for a bare `record`.
    Rows(Vec<String>),
}

impl Returns {
    /// True for what is no row.
    pub(crate) fn valued(&self) -> bool {
        matches!(self, Self::Void | Self::Scalar)
    }
}

impl SchemaCache {
    /// The cache of a catalog written down for a test.
    #[cfg(test)]
    pub(crate) fn of_document(text: &str) -> Self {
        serde_json::from_str::<document::Document>(text).expect("a document like the catalog query's").into_cache()
    }

    /// The relation of this name.
    pub(crate) fn relation(&self, schema: &str, name: &str) -> Option<&Arc<Relation>> {
        self.relations.get(schema)?.get(name)
    }

    /// Relationships that start at this relation.
    pub(crate) fn relationships(&self, schema: &str, name: &str) -> &[Relationship] {
        self.relationships.get(&(schema.to_owned(), name.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Names of the relations of a schema from which relationships start, in no order.
    pub(crate) fn related(&self, schema: &str) -> impl Iterator<Item = &str> {
        self.relationships.keys().filter(move |(known, _)| known == schema).map(|(_, name)| name.as_str())
    }

    /// What `alter role … set` gives to transactions under a role.
    pub(crate) fn role_settings(&self, role: &str) -> Option<&Arc<Settings>> {
        self.role_settings.get(role)
    }

    /// All overloads of a function.
    pub(crate) fn functions(&self, schema: &str, name: &str) -> &[Arc<Function>] {
        self.functions.get(schema).and_then(|functions| functions.get(name)).map_or(&[], Vec::as_slice)
    }

    /// Names of the functions of a schema, in no order.
    pub(crate) fn function_names(&self, schema: &str) -> impl Iterator<Item = &str> {
        self.functions.get(schema).into_iter().flat_map(|functions| functions.keys().map(String::as_str))
    }

    /// The function that computes a column of this relation.
    pub(crate) fn computed_column(&self, relation: &Relation, name: &str) -> Option<&Arc<Function>> {
        self.functions(&relation.schema, name).iter().find(|function| {
            let takes = function.arguments.first().and_then(|argument| argument.relation.as_ref());
            function.arguments.len() == 1
                && !function.set
                && matches!(function.returns, Returns::Scalar)
                && takes.is_some_and(|(schema, table)| *schema == relation.schema && *table == relation.name)
        })
    }

    /// True when a schema has a type of this name.
    pub(crate) fn has_type(&self, schema: &str, name: &str) -> bool {
        self.types.get(schema).is_some_and(|names| names.iter().any(|known| known == name))
    }
}
