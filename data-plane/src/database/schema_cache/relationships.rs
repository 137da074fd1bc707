//! How relations are connected: foreign keys in both directions, through junctions, over views, and by functions.

use std::collections::HashMap;

use super::document::{Document, ForeignKeyRow, RelationRow};

/// A way from one relation to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relationship {
    /// Schema of the relation it leads to.
    pub(crate) foreign_schema: String,
    /// Name of the relation it leads to.
    pub(crate) foreign_name: String,
    /// Whether that is a view.
    pub(crate) foreign_view: bool,
    /// How it leads there.
    pub(crate) link: Link,
}

/// Pairs of a near and a far column.
pub(crate) type ColumnPairs = Vec<(String, String)>;

/// How a relationship leads to the other relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// This relation holds the foreign key; at most one row there.
    ToOne {
        /// Constraint name.
        constraint: String,
        /// (this column, that column)
        columns: ColumnPairs,
        /// True when the key is unique here, so that at most one row leads there.
        unique: bool,
    },
    /// The other relation holds the foreign key.
    FromMany {
        /// Constraint name.
        constraint: String,
        /// (this column, that column)
        columns: ColumnPairs,
        /// True when that key is unique there, so that at most one row comes back.
        single: bool,
    },
    /// A junction holds a foreign key to either side.
    Through {
        /// Schema of the junction.
        junction_schema: String,
        /// Name of the junction.
        junction_name: String,
        /// Its constraint to this relation and to the other one.
        constraints: [String; 2],
        /// (this column, junction column)
        near: ColumnPairs,
        /// (junction column, that column)
        far: ColumnPairs,
    },
    /// A function takes this relation's row and returns rows of the other.
    Computed {
        /// Schema of the function.
        function_schema: String,
        /// Name of the function.
        function_name: String,
        /// True when it returns one row.
        single: bool,
    },
}

impl Relationship {
    /// True when at most one row is embedded.
    pub(crate) fn to_one(&self) -> bool {
        match &self.link {
            Link::ToOne { .. } => true,
            Link::FromMany { single, .. } | Link::Computed { single, .. } => *single,
            Link::Through { .. } => false,
        }
    }
}

/// Most ways in which a view shows the columns of one key.
const MOST_WAYS: usize = 16;

type ByRelation = HashMap<(String, String), Vec<Relationship>>;

/// A relation's foreign key with its column names; the relation may be a view that shows the key's columns.
struct Key<'a> {
    name: &'a str,
    from: &'a RelationRow,
    to: &'a RelationRow,
    columns: ColumnPairs,
    one_to_one: bool,
}

/// Builds every relationship, keyed by the relation it starts from.
pub(super) fn build(document: &Document, shown: &Shown) -> ByRelation {
    let relations: HashMap<i64, &RelationRow> = document.relations.iter().map(|row| (row.oid, row)).collect();
    let variants = document.foreign_keys.iter().flat_map(|key| variants(key, &relations, shown));
    let keys: Vec<Key<'_>> = variants.filter(|key| key.from.exposed && key.to.exposed).collect();
    let mut found = ByRelation::new();
    for key in &keys {
        add(
            &mut found,
            key.from,
            key.to,
            Link::ToOne { constraint: key.name.to_owned(), columns: key.columns.clone(), unique: key.one_to_one },
        );
        let link =
            Link::FromMany { constraint: key.name.to_owned(), columns: flip(&key.columns), single: key.one_to_one };
        add(&mut found, key.to, key.from, link);
    }
    add_junctions(&mut found, &keys);
    add_computed(&mut found, document, &relations);
    found
}

fn add(found: &mut ByRelation, from: &RelationRow, to: &RelationRow, link: Link) {
    let relationship = Relationship {
        foreign_schema: to.schema.clone(),
        foreign_name: to.name.clone(),
        foreign_view: to.view(),
        link,
    };
    found.entry((from.schema.clone(), from.name.clone())).or_default().push(relationship);
}

/// For each relation, the views (by oid) that show some of its columns, with (that column, view column).
pub(super) type Shown = HashMap<i64, Vec<(i64, Vec<(i16, i16)>)>>;

pub(super) fn shown_columns(document: &Document) -> Shown {
    let origins: HashMap<i64, Vec<super::view_columns::Origin>> = document
        .relations
        .iter()
        .map(|row| (row.oid, row.origins()))
        .filter(|(_, origins)| !origins.is_empty())
        .collect();
    let mut shown = Shown::new();
    let mut views: Vec<&i64> = origins.keys().collect();
    views.sort_unstable();
    for view in views {
        let columns = &origins[view];
        let mut by_base: HashMap<i64, Vec<(i16, i16)>> = HashMap::new();
        for column in columns {
            let (mut relation, mut number) = (column.relation, column.column);
            // A view over views is traced down to the table; the number of steps is bounded by the number of views.
            for _ in 0..origins.len() {
                let Some(next) =
                    origins.get(&relation).and_then(|below| below.iter().find(|below| below.number == number))
                else {
                    break;
                };
                (relation, number) = (next.relation, next.column);
            }
            by_base.entry(relation).or_default().push((number, column.number));
        }
        for (relation, columns) in by_base {
            shown.entry(relation).or_default().push((*view, columns));
        }
    }
    shown
}

fn variants<'a>(key: &'a ForeignKeyRow, relations: &HashMap<i64, &'a RelationRow>, shown: &Shown) -> Vec<Key<'a>> {
    let from = ends(key.relation, &key.columns, relations, shown);
    let to = ends(key.foreign_relation, &key.foreign_columns, relations, shown);
    let mut keys = Vec::new();
    for (from_row, from_columns) in &from {
        for (to_row, to_columns) in &to {
            keys.push(Key {
                name: &key.name,
                from: from_row,
                to: to_row,
                columns: from_columns.iter().cloned().zip(to_columns.iter().cloned()).collect(),
                one_to_one: key.one_to_one,
            });
        }
    }
    keys
}

/// The relation itself and every view that shows all the columns, with the columns' names there.
fn ends<'a>(
    relation: i64,
    columns: &[i16],
    relations: &HashMap<i64, &'a RelationRow>,
    shown: &Shown,
) -> Vec<(&'a RelationRow, Vec<String>)> {
    let named = |row: &'a RelationRow, numbers: Vec<i16>| -> Option<(&'a RelationRow, Vec<String>)> {
        let names: Option<Vec<String>> =
            numbers.iter().map(|number| row.column_name(*number).map(str::to_owned)).collect();
        Some((row, names?))
    };
    let mut ends: Vec<_> = relations.get(&relation).and_then(|row| named(row, columns.to_vec())).into_iter().collect();
    for (view, pairs) in shown.get(&relation).into_iter().flatten() {
        let Some(view) = relations.get(view) else { continue };
        // A view may show a column several times, each of which leads there.
        let mut ways = vec![Vec::new()];
        for column in columns {
            let there: Vec<i16> = pairs.iter().filter(|(base, _)| base == column).map(|(_, number)| *number).collect();
            ways = ways
                .iter()
                .flat_map(|way| there.iter().map(move |number| [way.as_slice(), &[*number]].concat()))
                .take(MOST_WAYS)
                .collect();
        }
        ends.extend(ways.into_iter().filter_map(|numbers| named(view, numbers)));
    }
    ends
}

/// A table whose primary key contains two of its foreign keys connects the tables they point to; a foreign key that is unique by itself leads
/// to one row and connects nothing.
fn add_junctions(found: &mut ByRelation, keys: &[Key<'_>]) {
    let mut by_junction: HashMap<i64, Vec<&Key<'_>>> = HashMap::new();
    for key in keys.iter().filter(|key| !key.one_to_one && !key.from.primary_key.is_empty()) {
        if key.columns.iter().all(|(column, _)| key.from.primary_key.contains(column)) {
            by_junction.entry(key.from.oid).or_default().push(key);
        }
    }
    for candidates in by_junction.values() {
        for near in candidates {
            for far in candidates.iter().filter(|far| far.name != near.name) {
                let link = Link::Through {
                    junction_schema: near.from.schema.clone(),
                    junction_name: near.from.name.clone(),
                    constraints: [near.name.to_owned(), far.name.to_owned()],
                    near: flip(&near.columns),
                    far: far.columns.clone(),
                };
                add(found, near.to, far.to, link);
            }
        }
    }
}

fn add_computed(found: &mut ByRelation, document: &Document, relations: &HashMap<i64, &RelationRow>) {
    for function in &document.functions {
        let [argument] = function.arguments.as_slice() else { continue };
        let ends = (
            argument.relation.and_then(|oid| relations.get(&oid)),
            function.relation.and_then(|oid| relations.get(&oid)),
        );
        let (Some(from), Some(to)) = ends else { continue };
        if !from.exposed || !to.exposed {
            continue;
        }
        let link = Link::Computed {
            function_schema: function.schema.clone(),
            function_name: function.name.clone(),
            single: function.one_row,
        };
        add(found, from, to, link);
    }
}

fn flip(columns: &ColumnPairs) -> ColumnPairs {
    columns.iter().map(|(near, far)| (far.clone(), near.clone())).collect()
}
