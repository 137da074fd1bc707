//! Partitions and children: their place under a parent, and columns that they only inherit.
//!
//! A column that a child only inherits is no fact, because it follows its parent. What the child says of it by itself — another default, a
//! stricter null rule, storage, a comment, privileges — is; see [`Kind::InheritedColumn`].

use hashbrown::HashMap;
use serde_json::{Value, json};

use super::addresses::DEFAULT;
use super::assemble::{Gathering, fact};
use super::{relations, rows};
use crate::catalog::{Identity, Kind, Lineage};

/// A column that a child only inherits.
pub(super) struct InheritedColumn {
    anchor: Identity,
    table: Identity,
    owner: String,
    number: i64,
    /// The column it comes from, declared by a parent.
    origin: Option<Identity>,
}

/// Links and columns of all tables.
pub(super) fn gather(gathering: &mut Gathering, links: Vec<rows::Inherits>, columns: Vec<rows::Column>) {
    let mut parents: HashMap<i64, Vec<i64>> = HashMap::new();
    for link in &links {
        parents.entry(link.child).or_default().push(link.parent);
    }
    for row in links.iter().filter(|row| !row.detaching) {
        place(gathering, row);
    }
    for row in columns.iter().filter(|row| !row.inherited_only) {
        relations::column(gathering, row);
    }
    if columns.iter().any(|row| row.inherited_only) {
        let by_name = columns.iter().map(|row| ((row.relation, row.name.as_str()), row)).collect();
        let family = Family { parents, by_name };
        for row in columns.iter().filter(|row| row.inherited_only) {
            inherited(gathering, row, &family);
        }
    }
}

fn place(gathering: &mut Gathering, row: &rows::Inherits) {
    let (Some(child), Some(parent)) = (gathering.relations.get(&row.child), gathering.relations.get(&row.parent))
    else {
        return;
    };
    let (Some(table), Some(of)) = (&child.identity, &parent.identity) else { return };
    let (kind, path, fields) = match &row.bound {
        Some(bound) => (Kind::Partition, child.name.clone(), json!({ "of": parent.name, "bound": bound })),
        None => (Kind::Inheritance, format!("{}.{}", child.name, parent.name), json!({ "of": parent.name })),
    };
    let lineage = Lineage { position: row.position, role: Some(child.owner.clone()), ..Lineage::default() };
    let mut made = fact(Identity::new(kind, path), kind, Some(table.clone()), fields, lineage);
    made.depends_on.push(of.clone());
    gathering.catalog.insert(made);
}

struct Family<'a> {
    parents: HashMap<i64, Vec<i64>>,
    by_name: HashMap<(i64, &'a str), &'a rows::Column>,
}

impl<'a> Family<'a> {
    fn above(&self, row: &'a rows::Column) -> impl Iterator<Item = &'a rows::Column> {
        self.parents
            .get(&row.relation)
            .into_iter()
            .flatten()
            .filter_map(|parent| self.by_name.get(&(*parent, row.name.as_str())).copied())
    }

    /// The nearest column above that a table declares.
    fn origin(&self, row: &'a rows::Column) -> Option<&'a rows::Column> {
        let mut current = row;
        while current.inherited_only {
            current = self.above(current).next()?;
        }
        Some(current)
    }
}

fn inherited(gathering: &mut Gathering, row: &rows::Column, family: &Family<'_>) {
    let Some(table) = gathering.relations.get(&row.relation) else { return };
    let (Some(identity), owner, path) =
        (table.identity.clone(), table.owner.clone(), format!("{}.{}", table.name, row.name))
    else {
        return;
    };
    let origin = family
        .origin(row)
        .and_then(|origin| gathering.addresses.resolve(super::addresses::RELATION, origin.relation, origin.number))
        .cloned();
    if let Some(origin) = &origin {
        gathering.addresses.inherited_column(row.relation, row.number, origin);
    }
    let column = InheritedColumn {
        anchor: Identity::new(Kind::InheritedColumn, &path),
        table: identity,
        owner: owner.clone(),
        number: row.number,
        origin: origin.clone(),
    };
    let said = own_words(row, family);
    if let (Some(oid), true) = (row.expression_oid, said.get("default").is_some()) {
        gathering.addresses.object(DEFAULT, oid, &column.anchor);
    }
    if let Some(sequence) = row.identity_oid {
        gathering.addresses.object(super::addresses::RELATION, sequence, &column.anchor);
    }
    if said.as_object().is_some_and(|fields| !fields.is_empty()) {
        anchor(gathering, &column, said);
    }
    gathering.inherited.insert((row.relation, row.number), column);
}

/// What differs from the parent, or is set for the child alone.
fn own_words(row: &rows::Column, family: &Family<'_>) -> Value {
    let mut said = json!({});
    let generated = |row: &rows::Column| row.generated.as_ref().and(row.expression.clone());
    let not_null = family.above(row).any(|above| above.not_null);
    if row.not_null != not_null {
        said["not_null"] = row.not_null.into();
    }
    if family.above(row).next().is_some_and(|above| generated(above) != generated(row)) {
        said["generated"] = generated(row).into();
    }
    let default = |row: &rows::Column| row.expression.clone().filter(|_| row.generated.is_none());
    if family.above(row).next().is_some_and(|above| default(above) != default(row)) {
        said["default"] = default(row).into();
    }
    if row.identity_oid.is_some() {
        said["identity"] = row.identity.clone().unwrap_or_default();
    }
    let settings = [
        ("storage", json!(row.storage)),
        ("compression", json!(row.compression)),
        ("statistics", json!(row.statistics)),
        ("options", json!(row.options.clone().filter(|options| !options.is_empty()))),
        ("foreign_options", json!(row.foreign_options.clone())),
    ];
    for (name, value) in settings {
        if !value.is_null() {
            said[name] = value;
        }
    }
    said
}

fn anchor(gathering: &mut Gathering, column: &InheritedColumn, fields: Value) {
    let lineage = Lineage { position: column.number, role: Some(column.owner.clone()), ..Lineage::default() };
    let mut made = fact(column.anchor.clone(), Kind::InheritedColumn, Some(column.table.clone()), fields, lineage);
    made.depends_on.extend(column.origin.clone());
    gathering.catalog.insert(made);
}

/// The fact that stands for a column of a child when a comment or privilege is on it.
pub(super) fn anchored(gathering: &mut Gathering, relation: i64, number: i64) -> Option<Identity> {
    let column = gathering.inherited.remove(&(relation, number))?;
    let identity = column.anchor.clone();
    if !gathering.catalog.contains(&identity) {
        anchor(gathering, &column, json!({}));
    }
    gathering.inherited.insert((relation, number), column);
    Some(identity)
}
