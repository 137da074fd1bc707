//! The catalog query's JSON document, and how a cache is made of it.

use std::{collections::HashMap, sync::Arc};

use serde::Deserialize;

use super::{
    Argument, Column, Function, Relation, Returns, SchemaCache, Settings, relationships, settings::RoleSettingRow,
    view_columns,
};

/// The query that yields the document.
pub(super) const QUERY: &str = include_str!("catalog.sql");

#[derive(Deserialize)]
pub(super) struct Document {
    schemas: Vec<String>,
    pub(super) relations: Vec<RelationRow>,
    pub(super) foreign_keys: Vec<ForeignKeyRow>,
    pub(super) functions: Vec<FunctionRow>,
    types: Vec<TypeRow>,
    role_settings: Vec<RoleSettingRow>,
}

#[derive(Deserialize)]
pub(super) struct RelationRow {
    pub(super) oid: i64,
    pub(super) schema: String,
    pub(super) name: String,
    /// False for what is only known because an exposed view shows it.
    pub(super) exposed: bool,
    columns: Vec<ColumnRow>,
    pub(super) primary_key: Vec<String>,
    definition: Option<String>,
}

#[derive(Deserialize)]
struct ColumnRow {
    name: String,
    number: i16,
    #[serde(rename = "type")]
    type_name: String,
    base: String,
    nullable: bool,
    default: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ForeignKeyRow {
    pub(super) name: String,
    pub(super) relation: i64,
    pub(super) columns: Vec<i16>,
    pub(super) foreign_relation: i64,
    pub(super) foreign_columns: Vec<i16>,
    pub(super) one_to_one: bool,
}

#[derive(Deserialize)]
pub(super) struct FunctionRow {
    pub(super) schema: String,
    pub(super) name: String,
    volatility: String,
    pub(super) set: bool,
    pub(super) one_row: bool,
    void: bool,
    pub(super) arguments: Vec<ArgumentRow>,
    outputs: Vec<Option<String>>,
    composite: bool,
    pub(super) relation: Option<i64>,
    members: Vec<String>,
    settings: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct ArgumentRow {
    name: String,
    #[serde(rename = "type")]
    type_name: String,
    required: bool,
    variadic: bool,
    pub(super) relation: Option<i64>,
}

#[derive(Deserialize)]
struct TypeRow {
    schema: String,
    name: String,
}

impl RelationRow {
    /// The name of a column by its attribute number.
    pub(super) fn column_name(&self, number: i16) -> Option<&str> {
        self.columns.iter().find(|column| column.number == number).map(|column| column.name.as_str())
    }

    /// Whether it is a view.
    pub(super) fn view(&self) -> bool {
        self.definition.is_some()
    }

    /// The attribute number of a column.
    fn column_number(&self, name: &str) -> Option<i16> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.number)
    }

    /// Where the columns of a view come from; empty for tables.
    pub(super) fn origins(&self) -> Vec<view_columns::Origin> {
        self.definition.as_deref().map(view_columns::origins).unwrap_or_default()
    }
}

impl Document {
    /// Builds the cache.
    pub(super) fn into_cache(mut self) -> SchemaCache {
        let shown = relationships::shown_columns(&self);
        self.give_keys_to_views(&shown);
        let names: HashMap<i64, (String, String)> = self
            .relations
            .iter()
            .filter(|row| row.exposed)
            .map(|row| (row.oid, (row.schema.clone(), row.name.clone())))
            .collect();
        let relationships = relationships::build(&self, &shown);
        let role_settings = Settings::of_roles(&self.role_settings);
        let mut cache = SchemaCache { schemas: self.schemas, relationships, role_settings, ..SchemaCache::default() };
        for row in self.functions {
            let function = function(row, &names);
            let overloads =
                cache.functions.entry(function.schema.clone()).or_default().entry(function.name.clone()).or_default();
            overloads.push(Arc::new(function));
        }
        for row in self.relations.into_iter().filter(|row| row.exposed) {
            let relation = relation(row);
            cache
                .relations
                .entry(relation.schema.clone())
                .or_default()
                .insert(relation.name.clone(), Arc::new(relation));
        }
        for row in self.types {
            cache.types.entry(row.schema).or_default().push(row.name);
        }
        cache
    }
}

impl Document {
    /// A view that shows all key columns of a table has them as its own key.
    fn give_keys_to_views(&mut self, shown: &relationships::Shown) {
        let mut keys: HashMap<i64, Vec<String>> = HashMap::new();
        let by_oid: HashMap<i64, &RelationRow> = self.relations.iter().map(|row| (row.oid, row)).collect();
        for base in self.relations.iter().filter(|row| !row.primary_key.is_empty() && row.definition.is_none()) {
            let numbers: Option<Vec<i16>> = base.primary_key.iter().map(|name| base.column_number(name)).collect();
            for (view, pairs) in shown.get(&base.oid).into_iter().flatten() {
                let there = |number: &i16| pairs.iter().find(|(column, _)| column == number).map(|(_, there)| *there);
                let names: Option<Vec<String>> = numbers
                    .iter()
                    .flatten()
                    .map(|number| by_oid.get(view)?.column_name(there(number)?).map(str::to_owned))
                    .collect();
                keys.entry(*view).or_default().extend(names.into_iter().flatten());
            }
        }
        for row in &mut self.relations {
            if let Some(key) = keys.remove(&row.oid) {
                row.primary_key = key;
            }
        }
    }
}

fn relation(row: RelationRow) -> Relation {
    let columns = row.columns.into_iter().map(|column| {
        let ColumnRow { name, type_name, base, nullable, default, .. } = column;
        (name, Column { type_name, base_type: base, nullable, default })
    });
    let view = row.definition.is_some();
    Relation { schema: row.schema, name: row.name, columns: columns.collect(), primary_key: row.primary_key, view }
}

fn function(row: FunctionRow, names: &HashMap<i64, (String, String)>) -> Function {
    let returns = if row.void {
        Returns::Void
    } else if let Some((schema, name)) = row.relation.and_then(|oid| names.get(&oid)) {
        Returns::Relation(schema.clone(), name.clone())
    } else if row.composite {
        let outputs: Vec<String> = row.outputs.into_iter().flatten().collect();
        Returns::Rows(if outputs.is_empty() { row.members } else { outputs })
    } else {
        Returns::Scalar
    };
    let arguments = row.arguments.into_iter().map(|argument| Argument {
        name: argument.name,
        type_name: argument.type_name,
        required: argument.required,
        variadic: argument.variadic,
        relation: argument.relation.and_then(|oid| names.get(&oid).cloned()),
    });
    Function {
        schema: row.schema,
        name: row.name,
        arguments: arguments.collect(),
        returns,
        set: row.set,
        reads_only: row.volatility != "v",
        settings: Settings::of_function(&row.settings),
    }
}
