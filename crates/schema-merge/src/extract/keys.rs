//! Constraints and indexes, and what a table uses an index for.

use hashbrown::{HashMap, HashSet};
use serde_json::{Value, json};

use super::addresses::{CONSTRAINT, RELATION};
use super::assemble::{Gathering, fact, lineage};
use super::rows;
use crate::catalog::{Fields, Identity, Kind, Lineage};

pub(super) fn gather(gathering: &mut Gathering, constraints: Vec<rows::Constraint>, indexes: Vec<rows::Index>) {
    let names: HashMap<i64, String> =
        indexes.iter().map(|row| (row.oid, format!("{}.{}", row.schema, row.name))).collect();
    let columns: HashMap<i64, Vec<String>> =
        indexes.iter().filter_map(|row| Some((row.oid, row.columns.clone()?))).collect();
    let options: HashMap<i64, Vec<String>> =
        indexes.iter().filter_map(|row| Some((row.oid, row.options.clone()?))).collect();
    let attached: HashMap<i64, i64> = indexes.iter().filter_map(|row| Some((row.oid, row.of?))).collect();
    let unfinished: HashSet<i64> = indexes.iter().filter(|row| incomplete(row)).map(|row| row.oid).collect();
    let mut pending: Vec<(Identity, i64)> = Vec::new();
    for row in constraints {
        let above = row.index.and_then(|index| attached.get(&index)).copied();
        // A clone of a foreign key, and a check that is only inherited, follow their parent and are no facts.
        if row.inherited_only || row.contype == "f" && row.parent.is_some() {
            let table = gathering.relations.get(&row.relation).filter(|table| table.identity.is_some());
            if let Some(name) = table.map(|table| format!("{}.{}", table.name, row.name)) {
                gathering.followers.insert(row.oid, name);
            }
            continue;
        }
        let incomplete = row.index.is_some_and(|index| unfinished.contains(&index));
        let parts = row.index.and_then(|index| columns.get(&index)).cloned().unwrap_or_default();
        let of = above.and_then(|above| names.get(&above));
        let settings = row.index.and_then(|index| options.get(&index)).cloned();
        if let Some(identity) = constraint(gathering, row, of, incomplete, parts, settings) {
            pending.extend(above.map(|above| (identity, above)));
        }
    }
    for row in indexes {
        let Some(table) = gathering.relations.get(&row.relation) else { continue };
        let (Some(parent), owner, name) = (table.identity.clone(), table.owner.clone(), table.name.clone()) else {
            continue;
        };
        let replica = table.replica_identity == "i" && row.replica;
        if row.constraint.is_none() && (row.valid || row.partitioned) {
            let above = row.of.and_then(|of| names.get(&of));
            if let Some(identity) = index(gathering, &row, parent.clone(), &owner, above) {
                pending.extend(row.of.map(|of| (identity, of)));
            }
        }
        let Some(index) = gathering.addresses.resolve(RELATION, row.oid, 0).cloned() else { continue };
        if replica {
            let value = format!("using index {}", row.name);
            mark(gathering, &name, &parent, &owner, Kind::ReplicaIdentity, json!({ "value": value }), Some(&index));
        }
        if row.clustered {
            let value = format!("{}.{}", row.schema, row.name);
            mark(gathering, &name, &parent, &owner, Kind::ClusteredOn, json!({ "index": value }), Some(&index));
        }
    }
    for (identity, above) in pending {
        let Some(above) = gathering.addresses.resolve(RELATION, above, 0).cloned() else { continue };
        gathering.catalog.change(&identity, |made| made.depends_on.push(above));
    }
    let whole: Vec<_> = gathering
        .relations
        .values()
        .filter(|seen| matches!(seen.replica_identity.as_str(), "f" | "n"))
        .filter_map(|seen| {
            Some((seen.name.clone(), seen.identity.clone()?, seen.owner.clone(), seen.replica_identity == "f"))
        })
        .collect();
    for (name, parent, owner, full) in whole.into_iter().filter(|(_, parent, ..)| parent.as_str().starts_with("table:"))
    {
        let value = if full { "full" } else { "nothing" };
        mark(gathering, &name, &parent, &owner, Kind::ReplicaIdentity, json!({ "value": value }), None);
    }
}

/// An index on a partitioned table that some partition has no part of.
fn incomplete(row: &rows::Index) -> bool {
    row.partitioned && !row.valid
}

fn constraint(
    gathering: &mut Gathering,
    row: rows::Constraint,
    of: Option<&String>,
    incomplete: bool,
    columns: Vec<String>,
    options: Option<Vec<String>>,
) -> Option<Identity> {
    let table = gathering.relations.get(&row.relation)?;
    let (parent, owner) = (table.identity.clone()?, table.owner.clone());
    let identity = Identity::new(Kind::Constraint, format!("{}.{}", table.name, row.name));
    let kind = match row.contype.as_str() {
        "p" => "primary",
        "u" => "unique",
        "f" => "foreign",
        "c" => "check",
        "n" => "not_null",
        _ => "exclusion",
    };
    let mut definition = row.definition.as_str();
    for suffix in [" NOT VALID", " INITIALLY DEFERRED", " DEFERRABLE", " NO INHERIT"] {
        definition = definition.strip_suffix(suffix).unwrap_or(definition);
    }
    let mut fields = Fields::from([
        ("type", kind.into()),
        ("definition", definition.into()),
        ("deferrable", row.deferrable.into()),
        ("deferred", row.deferred.into()),
        ("validated", row.validated.into()),
        ("no_inherit", row.no_inherit.into()),
    ]);
    if let Some(of) = of {
        fields.insert("of".to_owned(), of.clone().into());
    }
    if incomplete {
        fields.insert("incomplete".to_owned(), true.into());
    }
    if let Some(mut options) = options {
        options.sort();
        fields.insert("options".to_owned(), options.into());
    }
    if let Some(index) = row.index {
        gathering.constraint_index(index, &identity);
    }
    let mut lineage = lineage(CONSTRAINT, row.oid, 0, &owner);
    lineage.view_columns = columns;
    let made = fact(identity.clone(), Kind::Constraint, Some(parent), fields, lineage);
    gathering.constraint(row.oid, made);
    Some(identity)
}

fn index(
    gathering: &mut Gathering,
    row: &rows::Index,
    parent: Identity,
    owner: &str,
    of: Option<&String>,
) -> Option<Identity> {
    let identity = Identity::new(Kind::Index, format!("{}.{}", row.schema, row.name));
    let mut fields = Fields::from([("definition", row.definition.clone().into()), ("unique", row.unique.into())]);
    if let Some(of) = of {
        fields.insert("of".to_owned(), of.clone().into());
    }
    if incomplete(row) {
        fields.insert("incomplete".to_owned(), true.into());
    }
    if let Some(statistics) = row.statistics.clone().filter(|value| !value.is_null()) {
        fields.insert("statistics".to_owned(), statistics);
    }
    let mut lineage = lineage(RELATION, row.oid, 0, owner);
    lineage.view_columns = row.columns.clone().unwrap_or_default();
    let made = fact(identity.clone(), Kind::Index, Some(parent), fields, lineage);
    gathering.add(RELATION, row.oid, made);
    gathering.catalog.contains(&identity).then_some(identity)
}

fn mark(
    gathering: &mut Gathering,
    table: &str,
    parent: &Identity,
    owner: &str,
    kind: Kind,
    fields: Value,
    index: Option<&Identity>,
) {
    let lineage = Lineage { role: Some(owner.to_owned()), ..Lineage::default() };
    let mut made = fact(Identity::new(kind, table), kind, Some(parent.clone()), fields, lineage);
    made.depends_on.extend(index.cloned());
    gathering.catalog.insert(made);
}
