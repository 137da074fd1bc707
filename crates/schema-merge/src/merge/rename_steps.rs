//! The statements that rename and move things on the target, in an order in which every name is free when it is taken.

use std::collections::{HashMap, HashSet};

use super::naming::{Renamed, Wanted};
use super::renames::{follows, whole};
use super::rewriting::aside;
use crate::catalog::{Catalog, Fact, Identity, Kind, function_name, split_path, unquote_identifier};
use crate::ddl::literal;
use crate::plan::Step;

/// One rename, move or renamed label.
struct Rename<'a> {
    fact: &'a Fact,
    now: Identity,
}

pub(super) fn steps(target: &Catalog, renamed: &Renamed, wanted: &Wanted) -> Vec<Step> {
    let originals: HashMap<&Identity, &Fact> = target.iter().map(|fact| (&fact.identity, fact)).collect();
    let mut parts = Vec::new();
    let mut wholes = Vec::new();
    let mut schemas = Vec::new();
    for (now, old) in &renamed.own {
        let Some(fact) = originals.get(old) else { continue };
        let rename = Rename { fact, now: now.identity.clone() };
        match fact.identity.names().len() {
            _ if fact.kind == Kind::Schema => schemas.push(rename),
            0..=2 => wholes.push(rename),
            _ => parts.push(rename),
        }
    }
    let mut steps = Vec::new();
    for rename in &wholes {
        steps.extend(labels(rename, wanted));
    }
    let schema_before: HashMap<&str, &str> =
        schemas.iter().map(|rename| (rename.now.path(), rename.fact.identity.path())).collect();
    wholes.retain(|rename| rename.fact.identity != rename.now);
    // A function's arguments name types as they still are.
    wholes.sort_by_key(|rename| {
        (!matches!(rename.fact.kind.word(), "function" | "aggregate"), rename.fact.identity.clone())
    });
    steps.extend(in_order(&parts));
    steps.extend(in_order(&wholes));
    for rename in wholes.iter().filter(|rename| whole(rename.fact) && !follows(rename.fact)) {
        let (was, is) = (rename.fact.identity.names()[0], rename.now.names()[0]);
        let is = schema_before.get(is).copied().unwrap_or(is);
        // A sequence that belongs to a column moves with the column's table, and not without it.
        let owned = target.contains(&Identity::new(Kind::OwnedBy, rename.fact.identity.path()));
        if was != is && !owned {
            let path = format!("{was}.{}", moved_last(rename));
            steps.push(step(rename, format!("alter {} {path} set schema {is}", words(rename.fact.kind))));
        }
    }
    steps.extend(in_order(&schemas));
    steps
}

/// The last part of a thing's name after its rename, with a function's arguments as they were.
fn moved_last(rename: &Rename<'_>) -> String {
    let old = rename.fact.identity.last();
    format!("{}{}", function_name(rename.now.last()), &old[function_name(old).len()..])
}

/// Renames among siblings: a name that another one still has waits for it, and a circle is opened by a name in between.
fn in_order(renames: &[Rename<'_>]) -> Vec<Step> {
    let mut waiting: Vec<(&Rename<'_>, String)> = renames
        .iter()
        .filter(|rename| function_name(rename.fact.identity.last()) != function_name(rename.now.last()))
        .map(|rename| (rename, rename.fact.identity.last().to_owned()))
        .collect();
    let mut steps = Vec::new();
    let place = |rename: &Rename<'_>, last: &str| format!("{}.{last}", rename.fact.identity.prefix());
    while !waiting.is_empty() {
        let taken: HashSet<String> = waiting.iter().map(|(rename, last)| place(rename, last)).collect();
        let free = waiting.iter().position(|(rename, last)| {
            let wanted = place(rename, &moved_last(rename));
            !taken.contains(&wanted) || wanted == place(rename, last)
        });
        if let Some(index) = free {
            let (rename, last) = waiting.remove(index);
            steps.push(step(rename, statement(rename.fact, &last, function_name(rename.now.last()))));
        } else if let Some((rename, last)) = waiting.first_mut() {
            let between = aside(&rename.fact.identity);
            steps.push(step(rename, statement(rename.fact, last, &between)));
            *last = format!("{between}{}", &last[function_name(last).len()..]);
        }
    }
    steps
}

fn labels(rename: &Rename<'_>, wanted: &Wanted) -> Vec<Step> {
    let Some(name) = rename.fact.lineage.object.as_deref().and_then(|token| wanted.get(token)) else {
        return Vec::new();
    };
    let list = rename.fact.list("labels");
    let mut steps = Vec::new();
    for (oid, new) in &name.labels {
        let at = rename.fact.lineage.labels.iter().position(|known| known == oid);
        if let Some(old) = at.and_then(|at| list.get(at)).filter(|old| *old != new) {
            let sql =
                format!("alter type {} rename value {} to {}", rename.fact.identity.path(), literal(old), literal(new));
            steps.push(step(rename, sql));
        }
    }
    steps
}

fn step(rename: &Rename<'_>, sql: String) -> Step {
    let session = rename.fact.kind == Kind::Schema;
    Step {
        sql,
        role: rename.fact.lineage.role.clone().filter(|_| !session),
        subject: rename.now.clone(),
        destructive: false,
        data: false,
    }
}

fn words(kind: Kind) -> String {
    match kind.word() {
        "function" | "aggregate" => "routine".to_owned(),
        "enum" | "composite" | "range" => "type".to_owned(),
        "partitioned_table" => "table".to_owned(),
        "foreign_server" => "server".to_owned(),
        word => word.replace('_', " "),
    }
}

fn statement(fact: &Fact, last: &str, name: &str) -> String {
    let prefix = fact.identity.prefix();
    match fact.kind.word() {
        "column" => format!("alter table {prefix} rename column {last} to {name}"),
        "constraint" => format!("alter table {prefix} rename constraint {last} to {name}"),
        "trigger" => format!("alter trigger {last} on {prefix} rename to {name}"),
        "policy" => format!("alter policy {last} on {prefix} rename to {name}"),
        "rule" => format!("alter rule {last} on {prefix} rename to {name}"),
        "attribute" => format!("alter type {prefix} rename attribute {last} to {name}"),
        "domain_constraint" => format!("alter domain {prefix} rename constraint {last} to {name}"),
        _ => {
            let dot = if prefix.is_empty() { "" } else { "." };
            format!("alter {} {prefix}{dot}{last} rename to {name}", words(fact.kind))
        }
    }
}

/// Makes a schema that something moves into.
pub(super) fn create_schema(schema: &Fact) -> Step {
    Step {
        sql: format!("create schema {} authorization {}", schema.identity.path(), schema.text("owner")),
        role: None,
        subject: schema.identity.clone(),
        destructive: false,
        data: false,
    }
}

/// The plain name of a schema that must exist before something moves into it.
pub(super) fn destinations(steps: &[Step]) -> Vec<String> {
    steps
        .iter()
        .filter_map(|step| step.sql.rsplit_once(" set schema ").map(|(_, schema)| schema.to_owned()))
        .filter(|schema| split_path(schema).len() == 1 && !unquote_identifier(schema).is_empty())
        .collect()
}
