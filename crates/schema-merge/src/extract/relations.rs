//! Tables, views, their columns, defaults, constraints and indexes, and sequences.

use std::collections::HashMap;

use serde_json::json;

use super::addresses::{CONSTRAINT, DEFAULT, RELATION};
use super::assemble::{Gathering, RelationSeen, fact, lineage};
use super::rows;
use crate::catalog::{Identity, Kind, Lineage};

pub(super) fn gather(
    gathering: &mut Gathering,
    relations: Vec<rows::Relation>,
    columns: Vec<rows::Column>,
    constraints: Vec<rows::Constraint>,
    indexes: Vec<rows::Index>,
) {
    let mut marks = Vec::new();
    for row in relations.into_iter().filter(|row| row.plain || row.open) {
        let name = format!("{}.{}", row.schema, row.name);
        if gathering.addresses.is_member(RELATION, row.oid) {
            continue;
        }
        let identity = relation(gathering, &row, &name);
        if row.relkind == "r" {
            row_security(gathering, &row, &name, identity.as_ref());
        }
        if row.relkind == "r" && identity.is_some() && (row.replica_identity != "d" || row.clustered_on.is_some()) {
            marks.push((
                name.clone(),
                row.owner.clone(),
                row.replica_identity.clone(),
                row.replica_index,
                row.clustered_on,
            ));
        }
        gathering.relations.insert(row.oid, RelationSeen { identity, name, owner: row.owner });
    }
    for row in columns {
        column(gathering, row);
    }
    for row in constraints {
        constraint(gathering, row);
    }
    let index_names = indexes_and_names(gathering, indexes);
    for (name, owner, replica, replica_index, clustered_on) in marks {
        mark(gathering, &name, &owner, &replica, replica_index, clustered_on, &index_names);
    }
}

fn relation(gathering: &mut Gathering, row: &rows::Relation, name: &str) -> Option<Identity> {
    if row.open {
        return None;
    }
    let mut lineage = lineage(RELATION, row.oid, 0, &row.owner);
    let options = row.options.clone().unwrap_or_default();
    if row.relkind == "v" {
        let identity = Identity::new(Kind::View, name);
        let columns = row.view_columns.as_deref().unwrap_or_default();
        lineage.view_columns = columns.iter().map(|column| format!("{} {}", column.name, column.column_type)).collect();
        let fields = json!({ "definition": row.view, "options": options, "owner": row.owner });
        gathering.add(RELATION, row.oid, fact(identity.clone(), Kind::View, None, fields, lineage));
        for column in columns {
            if let (Some(default), Some(oid)) = (&column.default, column.default_oid) {
                let at = Identity::new(Kind::Default, format!("{name}.{}", column.name));
                let lineage = Lineage { position: column.number, role: Some(row.owner.clone()), ..Lineage::default() };
                gathering.add(
                    DEFAULT,
                    oid,
                    fact(at, Kind::Default, Some(identity.clone()), json!({ "expression": default }), lineage),
                );
            }
        }
        return Some(identity);
    }
    let identity = Identity::new(Kind::Table, name);
    let fields = json!({ "unlogged": row.unlogged, "options": options, "owner": row.owner });
    gathering.add(RELATION, row.oid, fact(identity.clone(), Kind::Table, None, fields, lineage));
    Some(identity)
}

fn row_security(gathering: &mut Gathering, row: &rows::Relation, name: &str, parent: Option<&Identity>) {
    let identity = Identity::new(Kind::RowSecurity, name);
    let fields = json!({ "enabled": row.row_security, "forced": row.force_row_security });
    let lineage = Lineage { role: Some(row.owner.clone()), ..Lineage::default() };
    gathering.catalog.insert(fact(identity, Kind::RowSecurity, parent.cloned(), fields, lineage));
}

fn column(gathering: &mut Gathering, row: rows::Column) {
    let Some(table) = gathering.relations.get(&row.relation) else { return };
    let (Some(parent), owner, path) =
        (table.identity.clone(), table.owner.clone(), format!("{}.{}", table.name, row.name))
    else {
        return;
    };
    let identity = Identity::new(Kind::Column, &path);
    let generated = row.generated.as_ref().and(row.expression.clone());
    let fields = json!({
        "type": row.column_type, "collation": row.collation, "not_null": row.not_null, "identity": row.identity,
        "generated": generated, "virtual": row.generated.as_deref() == Some("v"), "storage": row.storage, "compression": row.compression, "statistics": row.statistics,
        "options": row.options.unwrap_or_default(),
    });
    let made =
        fact(identity.clone(), Kind::Column, Some(parent), fields, lineage(RELATION, row.relation, row.number, &owner));
    gathering.addresses.column(row.relation, row.number, &identity);
    gathering.catalog.insert(made);
    if let Some(sequence) = row.identity_oid {
        gathering.addresses.object(RELATION, sequence, &identity);
    }
    match (row.expression_oid, row.expression, row.generated) {
        (Some(oid), Some(expression), None) => {
            let at = Identity::new(Kind::Default, &path);
            let lineage = Lineage { position: row.number, role: Some(owner), ..Lineage::default() };
            gathering.add(
                DEFAULT,
                oid,
                fact(at, Kind::Default, Some(identity), json!({ "expression": expression }), lineage),
            );
        }
        (Some(oid), _, _) => gathering.addresses.object(DEFAULT, oid, &identity),
        _ => {}
    }
}

fn constraint(gathering: &mut Gathering, row: rows::Constraint) {
    let Some(table) = gathering.relations.get(&row.relation) else { return };
    let (Some(parent), owner) = (table.identity.clone(), table.owner.clone()) else { return };
    let identity = Identity::new(Kind::Constraint, format!("{}.{}", table.name, row.name));
    let kind = match row.contype.as_str() {
        "p" => "primary",
        "u" => "unique",
        "f" => "foreign",
        "c" => "check",
        _ => "exclusion",
    };
    let fields = json!({ "type": kind, "definition": row.definition });
    if let Some(index) = row.index {
        gathering.constraint_index(index, &identity);
    }
    let made = fact(identity, Kind::Constraint, Some(parent), fields, lineage(CONSTRAINT, row.oid, 0, &owner));
    gathering.constraint(row.oid, made);
}

fn indexes_and_names(gathering: &mut Gathering, indexes: Vec<rows::Index>) -> HashMap<i64, Identity> {
    let mut names = HashMap::new();
    for row in indexes.into_iter().filter(|row| row.valid) {
        let Some(table) = gathering.relations.get(&row.relation) else { continue };
        let (Some(parent), owner) = (table.identity.clone(), table.owner.clone()) else { continue };
        let identity = Identity::new(Kind::Index, format!("{}.{}", row.schema, row.name));
        names.insert(row.oid, identity.clone());
        let fields = json!({ "definition": row.definition, "unique": row.unique });
        gathering.add(
            RELATION,
            row.oid,
            fact(identity, Kind::Index, Some(parent), fields, lineage(RELATION, row.oid, 0, &owner)),
        );
    }
    names
}

fn mark(
    gathering: &mut Gathering,
    table: &str,
    owner: &str,
    replica: &str,
    replica_index: Option<i64>,
    clustered_on: Option<i64>,
    indexes: &HashMap<i64, Identity>,
) {
    let parent = Identity::new(Kind::Table, table);
    let schema = Identity::new(Kind::Table, table).names()[0].to_owned();
    let found = |gathering: &Gathering, oid: i64| {
        indexes.get(&oid).cloned().or_else(|| gathering.addresses.resolve(RELATION, oid, 0).cloned())
    };
    let lineage = Lineage { role: Some(owner.to_owned()), ..Lineage::default() };
    if replica != "d" {
        let index = replica_index.and_then(|oid| found(gathering, oid));
        let value = match (replica, &index) {
            ("f", _) => "full".to_owned(),
            ("i", Some(index)) => format!("using index {}", index.last()),
            _ => "nothing".to_owned(),
        };
        let mut made = fact(
            Identity::new(Kind::ReplicaIdentity, table),
            Kind::ReplicaIdentity,
            Some(parent.clone()),
            json!({ "value": value }),
            lineage.clone(),
        );
        made.depends_on.extend(index);
        gathering.catalog.insert(made);
    }
    if let Some(index) = clustered_on.and_then(|oid| found(gathering, oid)) {
        let value = format!("{schema}.{}", index.last());
        let mut made = fact(
            Identity::new(Kind::ClusteredOn, table),
            Kind::ClusteredOn,
            Some(parent),
            json!({ "index": value }),
            lineage,
        );
        made.depends_on.push(index);
        gathering.catalog.insert(made);
    }
}

/// Sequences that are not inside an identity column, and the columns that own them.
pub(super) fn sequences(gathering: &mut Gathering, sequences: Vec<rows::Sequence>) {
    for row in sequences {
        let path = format!("{}.{}", row.schema, row.name);
        let identity = Identity::new(Kind::Sequence, &path);
        let fields = json!({
            "type": row.value_type, "start": row.start, "increment": row.increment, "minimum": row.minimum, "maximum": row.maximum,
            "cache": row.cache, "cycle": row.cycle, "owner": row.owner,
        });
        gathering.add(
            RELATION,
            row.oid,
            fact(identity.clone(), Kind::Sequence, None, fields, lineage(RELATION, row.oid, 0, &row.owner)),
        );
        let owned = row
            .owned_by
            .and_then(|(relation, number)| gathering.addresses.resolve(RELATION, relation, number).cloned());
        if let Some(column) =
            owned.filter(|column| column.as_str().starts_with("column:") && gathering.catalog.contains(&identity))
        {
            let at = Identity::new(Kind::OwnedBy, &path);
            let lineage = Lineage { role: Some(row.owner.clone()), ..Lineage::default() };
            let mut made = fact(at, Kind::OwnedBy, Some(identity), json!({ "column": column.path() }), lineage);
            made.depends_on.push(column);
            gathering.catalog.insert(made);
        }
    }
}
