//! What follows from a merge for tables of a type: an attribute that one side gave to the type or took from it, and a table that the
//! other side made of it.

use hashbrown::HashMap;
use serde_json::{Value, json};

use crate::catalog::{Catalog, Fact, Identity, Kind, Lineage};

/// Makes the columns of each table of a type what the type's attributes are, as Postgres does when the type changes.
pub(super) fn complete(catalog: &mut Catalog, target: &Catalog) {
    let ties: Vec<Fact> = catalog.iter().filter(|fact| fact.kind == Kind::TypedTable).cloned().collect();
    if ties.is_empty() {
        return;
    }
    let mut parts: HashMap<Identity, Vec<Fact>> = HashMap::new();
    for part in catalog.iter().filter(|fact| matches!(fact.kind, Kind::Column | Kind::Attribute)) {
        if let Some(whole) = &part.parent {
            parts.entry(whole.clone()).or_default().push(part.clone());
        }
    }
    for tie in ties {
        let (Some(table), composite) = (tie.parent.clone(), Identity::new(Kind::Composite, tie.text("of"))) else {
            continue;
        };
        if !catalog.contains(&composite) || !catalog.contains(&table) {
            continue;
        }
        let none = Vec::new();
        let columns = parts.get(&table).unwrap_or(&none);
        let mut attributes: Vec<&Fact> = parts.get(&composite).unwrap_or(&none).iter().collect();
        // In the order that the type will have: what is new to the target comes last. The columns must be in the same.
        attributes.sort_by_key(|part| (!target.contains(&part.identity), part.lineage.position, &part.identity));
        for (attribute, position) in attributes.iter().zip(1..) {
            settle(catalog, &tie, &table, attribute, position);
        }
        for column in columns {
            if !attributes.iter().any(|attribute| attribute.identity.last() == column.identity.last()) {
                for part in super::patch::subtree(catalog, &column.identity) {
                    catalog.remove(&part);
                }
            }
        }
    }
}

/// Gives the table the column of an attribute, or its type.
fn settle(catalog: &mut Catalog, tie: &Fact, table: &Identity, attribute: &Fact, position: i64) {
    let identity = Identity::new(Kind::Column, format!("{}.{}", table.path(), attribute.identity.last()));
    let of = |field: &str| attribute.fields.get(field).cloned().unwrap_or(Value::Null);
    if let Some(mut column) = catalog.remove(&identity) {
        column.lineage.position = position;
        if column.text("type") != attribute.text("type")
            || column.optional("collation") != attribute.optional("collation")
        {
            column.fields.insert("type".to_owned(), of("type"));
            column.fields.insert("collation".to_owned(), of("collation"));
            column.depends_on.clone_from(&attribute.depends_on);
        }
        catalog.insert(column);
        return;
    }
    let fields = json!({
        "type": of("type"), "collation": of("collation"), "not_null": false, "identity": null, "generated": null, "virtual": false,
        "storage": null, "compression": null, "statistics": null, "options": [],
    });
    let Value::Object(fields) = fields else { return };
    catalog.insert(Fact {
        identity,
        kind: Kind::Column,
        parent: Some(table.clone()),
        fields: fields.into_iter().collect(),
        depends_on: attribute.depends_on.clone(),
        lineage: Lineage { position, role: tie.lineage.role.clone(), ..Lineage::default() },
    });
}
