//! Tables that are a partition on one side and not on another.
//!
//! A partition's columns are no facts and a plain table's are, so that attaching a table would look like dropping its columns. For the
//! comparison a table that was attached since the base is spelled out on every side, and what the merge makes a partition is folded
//! again. A table that was detached keeps the columns it had then, whatever happens to its former parent.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use serde_json::{Value, json};

use super::under_parents;
use crate::catalog::{Catalog, Fact, Identity, Inherited, Kind, Lineage};
use crate::plan::spelled_out;

/// Spells out the tables that the first catalogs, the bases, have as plain tables and others as partitions.
pub(super) fn align(catalogs: &mut [&mut Catalog], bases: usize) {
    let mut differing: BTreeSet<Identity> = BTreeSet::new();
    for link in catalogs.iter().flat_map(|catalog| catalog.iter().filter(|fact| fact.kind == Kind::Partition)) {
        let Some(table) = &link.parent else { continue };
        if catalogs[..bases].iter().any(|base| base.contains(table) && !base.contains(&link.identity)) {
            differing.insert(table.clone());
        }
    }
    for catalog in catalogs.iter_mut() {
        let attached: Vec<&Identity> =
            differing.iter().filter(|table| catalog.contains(&Identity::new(Kind::Partition, table.path()))).collect();
        if !attached.is_empty() {
            let full = spelled_out(catalog).into_owned();
            for table in attached {
                unfold(catalog, &full, table);
            }
        }
    }
}

/// Makes facts of everything that a partition only inherits.
fn unfold(catalog: &mut Catalog, full: &Catalog, table: &Identity) {
    let parts: Vec<&Fact> = full
        .iter()
        .filter(|fact| fact.lineage.inherited == Inherited::Only)
        .filter(|fact| {
            fact.parent.as_ref() == Some(table)
                || fact.kind == Kind::Default
                    && fact.parent.as_ref().is_some_and(|column| column.prefix() == table.path())
        })
        .collect();
    // What the table needs of its parent's columns it needs of its own.
    let own: HashMap<Identity, Identity> = parts
        .iter()
        .filter(|part| part.kind == Kind::Column)
        .filter_map(|part| Some((origin(catalog, full, part)?, part.identity.clone())))
        .collect();
    for part in &parts {
        let mut made = (*part).clone();
        made.lineage.inherited = Inherited::No;
        made.lineage.has_children = false;
        let above =
            part.depends_on.iter().find(|needed| needed.as_str().starts_with("column:") || part.kind != Kind::Column);
        made.depends_on = match above.and_then(|above| full.get(above)) {
            Some(above) if part.kind != Kind::Default => {
                above.depends_on.iter().map(|needed| mapped(&own, needed)).collect()
            }
            _ => part.depends_on.iter().filter(|needed| !needed.as_str().starts_with("column:")).cloned().collect(),
        };
        made.depends_on.retain(|needed| {
            Some(needed) != made.parent.as_ref() && catalog.contains(needed) || needed.prefix() == table.path()
        });
        catalog.insert(made);
    }
    readdress(catalog, table, "inherited_column:", "column:");
    let hanging: Vec<Fact> = catalog
        .iter()
        .filter(|fact| {
            fact.parent.as_ref() == Some(table) && fact.depends_on.iter().any(|needed| own.contains_key(needed))
        })
        .cloned()
        .collect();
    for mut fact in hanging {
        fact.depends_on = fact.depends_on.iter().map(|needed| mapped(&own, needed)).collect();
        catalog.insert(fact);
    }
}

/// The column that a table above declares and that an inherited one comes from.
fn origin(catalog: &Catalog, full: &Catalog, part: &Fact) -> Option<Identity> {
    let mut current = part.depends_on.first()?;
    for _ in 0..64 {
        if catalog.contains(current) {
            return Some(current.clone());
        }
        current = full.get(current)?.depends_on.first()?;
    }
    None
}

fn mapped(own: &HashMap<Identity, Identity>, needed: &Identity) -> Identity {
    own.get(needed).unwrap_or(needed).clone()
}

/// Moves comments and privileges of a table's columns between the columns and what stands for them.
fn readdress(catalog: &mut Catalog, table: &Identity, old: &str, new: &str) {
    let prefix = format!("{old}{}.", table.path());
    let found: Vec<Fact> = catalog
        .iter()
        .filter(|fact| fact.parent.as_ref().is_some_and(|parent| parent.as_str().starts_with(&prefix)))
        .filter(|fact| matches!(fact.kind, Kind::Comment | Kind::Grant))
        .cloned()
        .collect();
    let moved = |identity: &Identity| Identity::from_text(identity.as_str().replacen(old, new, 1));
    for mut fact in found {
        catalog.remove(&fact.identity);
        fact.identity = moved(&fact.identity);
        fact.parent = fact.parent.as_ref().map(&moved);
        catalog.insert(fact);
    }
    if old == "inherited_column:" {
        let anchors: Vec<Identity> = catalog
            .iter()
            .map(|fact| fact.identity.clone())
            .filter(|identity| identity.as_str().starts_with(&prefix))
            .collect();
        for anchor in anchors {
            catalog.remove(&anchor);
        }
    }
}

/// Folds every table that is a partition in the merge and still has columns of its own, and lets go what was said of inherited columns.
pub(super) fn fold(catalog: &mut Catalog) {
    release(catalog);
    let attached: BTreeMap<Identity, Identity> = catalog
        .iter()
        .filter(|fact| fact.kind == Kind::Partition)
        .filter_map(|link| Some((link.parent.clone()?, Identity::new(Kind::Table, link.text("of")))))
        .collect();
    let unfolded: BTreeSet<&Identity> =
        catalog.iter().filter(|fact| fact.kind == Kind::Column).filter_map(|fact| fact.parent.as_ref()).collect();
    let tables: Vec<Identity> = attached.keys().filter(|table| unfolded.contains(table)).cloned().collect();
    for table in tables {
        fold_one(catalog, &table, &attached[&table]);
    }
}

/// What one side said of an inherited column holds of the column itself once its table has left all parents.
fn release(catalog: &mut Catalog) {
    let children: BTreeSet<&Identity> = catalog
        .iter()
        .filter(|fact| matches!(fact.kind, Kind::Partition | Kind::Inheritance))
        .filter_map(|link| link.parent.as_ref())
        .collect();
    let free: Vec<Fact> = catalog
        .iter()
        .filter(|fact| fact.kind == Kind::InheritedColumn)
        .filter(|fact| fact.parent.as_ref().is_some_and(|table| !children.contains(table)))
        .filter(|fact| catalog.contains(&Identity::new(Kind::Column, fact.identity.path())))
        .cloned()
        .collect();
    for anchor in free {
        if let Some(mut column) = catalog.remove(&Identity::new(Kind::Column, anchor.identity.path())) {
            let own = anchor.fields.iter().filter(|(name, _)| column.fields.contains_key(*name));
            let own: Vec<_> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
            column.fields.extend(own);
            release_default(catalog, &anchor, &column.identity);
            catalog.insert(column);
        }
        if let Some(table) = &anchor.parent {
            readdress(catalog, table, "inherited_column:", "column:");
        }
        catalog.remove(&anchor.identity);
    }
}

/// A column's default is a fact of its own, an inherited column's is part of what is said of it.
fn release_default(catalog: &mut Catalog, anchor: &Fact, column: &Identity) {
    let identity = Identity::new(Kind::Default, column.path());
    match anchor.fields.get("default") {
        None => {}
        Some(Value::String(expression)) => {
            let needs = anchor.depends_on.iter().filter(|needed| !needed.as_str().starts_with("column:"));
            catalog.insert(Fact {
                identity,
                kind: Kind::Default,
                parent: Some(column.clone()),
                fields: [("expression".to_owned(), json!(expression))].into_iter().collect(),
                depends_on: needs.cloned().collect(),
                lineage: Lineage {
                    role: anchor.lineage.role.clone(),
                    secrets: anchor.lineage.secrets.clone(),
                    ..Lineage::default()
                },
            });
        }
        Some(_) => {
            catalog.remove(&identity);
        }
    }
}

fn fold_one(catalog: &mut Catalog, table: &Identity, parent: &Identity) {
    let own: Vec<Fact> = catalog
        .iter()
        .filter(|fact| fact.parent.as_ref() == Some(table))
        .filter(|fact| {
            fact.kind == Kind::Column
                || fact.kind == Kind::Constraint && matches!(fact.text("type"), "check" | "not_null")
        })
        .cloned()
        .collect();
    let mut without = catalog.clone();
    for part in &own {
        without.remove(&part.identity);
        without.remove(&Identity::new(Kind::Default, part.identity.path()));
    }
    let full = spelled_out(&without).into_owned();
    let mut origins: HashMap<Identity, Identity> = HashMap::new();
    for part in own {
        let Some(follows) = full
            .get(&part.identity)
            .filter(|fact| fact.lineage.inherited == Inherited::Only && under_parents::repeats(&part, fact))
        else {
            continue;
        };
        catalog.remove(&part.identity);
        if part.kind != Kind::Column {
            continue;
        }
        let default = |catalog: &Catalog| {
            catalog
                .get(&Identity::new(Kind::Default, part.identity.path()))
                .map(|fact| fact.text("expression").to_owned())
        };
        let said = own_words(&part, follows, (default(catalog), default(&full)));
        let default = catalog.remove(&Identity::new(Kind::Default, part.identity.path()));
        let path = part.identity.path();
        let comes_from = origin(&without, &full, follows)
            .unwrap_or_else(|| Identity::new(Kind::Column, format!("{}.{}", parent.path(), part.identity.last())));
        let used = catalog.iter().any(|fact| {
            fact.parent.as_ref() == Some(&part.identity) && matches!(fact.kind, Kind::Comment | Kind::Grant)
        });
        if used || said.as_object().is_some_and(|fields| !fields.is_empty()) {
            let mut depends_on = vec![comes_from.clone()];
            if said.get("default").is_some() {
                depends_on.extend(default.into_iter().flat_map(|default| default.depends_on));
            }
            catalog.insert(Fact {
                identity: Identity::new(Kind::InheritedColumn, path),
                kind: Kind::InheritedColumn,
                parent: Some(table.clone()),
                fields: said.into(),
                depends_on,
                lineage: Lineage {
                    role: part.lineage.role.clone(),
                    position: part.lineage.position,
                    secrets: part.lineage.secrets.clone(),
                    ..Lineage::default()
                },
            });
        }
        origins.insert(part.identity.clone(), comes_from);
    }
    readdress(catalog, table, "column:", "inherited_column:");
    let hanging: Vec<Fact> = catalog
        .iter()
        .filter(|fact| fact.depends_on.iter().any(|needed| origins.contains_key(needed)))
        .cloned()
        .collect();
    for mut fact in hanging {
        fact.depends_on = fact.depends_on.iter().map(|needed| mapped(&origins, needed)).collect();
        fact.depends_on.sort();
        fact.depends_on.dedup();
        catalog.insert(fact);
    }
}

/// What a column says that does not follow from its parent's, in the form in which it is read.
fn own_words(column: &Fact, follows: &Fact, (default, theirs): (Option<String>, Option<String>)) -> Value {
    let mut said = json!({});
    for field in ["not_null", "generated"] {
        if column.fields.get(field) != follows.fields.get(field) {
            said[field] = column.fields.get(field).cloned().unwrap_or_default();
        }
    }
    if default != theirs {
        said["default"] = json!(default);
    }
    for field in ["identity", "storage", "compression", "statistics", "options", "foreign_options"] {
        let value = column.fields.get(field).cloned().unwrap_or_default();
        if !value.is_null() && value != json!([]) {
            said[field] = value;
        }
    }
    said
}
