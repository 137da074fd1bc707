//! The statements that rename and move things on the target, in an order in which every name is free when it is taken.

use hashbrown::{HashMap, HashSet};

use super::naming::{Renamed, Wanted};
use super::renames::{follows, whole};
use super::rewriting::{aside, name_spaces};
use crate::catalog::{Catalog, Fact, Identity, Kind, function_name, split_path, unquote_identifier};
use crate::ddl::{literal, not_of_type, of_type};
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
    let (mut steps, tied) = untied(target, &parts, renamed);
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
    steps.extend(tied);
    steps
}

/// Postgres renames neither columns of a table that is of a type nor that type's attributes: the tie is undone first and made again
/// at the end, under the final names.
fn untied(target: &Catalog, parts: &[Rename<'_>], renamed: &Renamed) -> (Vec<Step>, Vec<Step>) {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for tie in target.iter().filter(|fact| fact.kind == Kind::TypedTable) {
        let touched = parts.iter().any(|rename| match rename.fact.kind {
            Kind::Column => rename.fact.identity.prefix() == tie.identity.path(),
            Kind::Attribute => rename.fact.identity.prefix() == tie.text("of"),
            _ => false,
        });
        let now = renamed.names.get(&tie.identity).unwrap_or(&tie.identity);
        let Some(now) = renamed.catalog.get(now).filter(|_| touched) else { continue };
        let step = |sql: String| Step {
            sql,
            role: tie.lineage.role.clone(),
            subject: now.identity.clone(),
            destructive: false,
            data: false,
        };
        before.push(step(not_of_type(tie)));
        after.push(step(of_type(now)));
    }
    (before, after)
}

/// The last part of a thing's name after its rename, with a function's arguments as they were.
fn moved_last(rename: &Rename<'_>) -> String {
    let old = rename.fact.identity.last();
    format!("{}{}", function_name(rename.now.last()), &old[function_name(old).len()..])
}

/// Renames among siblings: a name that another one still has waits for it, and a circle is opened by a name in between.
fn in_order(renames: &[Rename<'_>]) -> Vec<Step> {
    let mut waiting: Vec<Waiting<'_>> = renames
        .iter()
        .filter(|rename| function_name(rename.fact.identity.last()) != function_name(rename.now.last()))
        .map(|rename| Waiting { rename, last: rename.fact.identity.last().to_owned(), aside: false })
        .collect();
    let mut steps = Vec::new();
    while !waiting.is_empty() {
        let taken: HashSet<String> = waiting.iter().flat_map(Waiting::places).collect();
        let wanted: HashSet<String> = waiting.iter().flat_map(Waiting::wanted).collect();
        let free = |one: &Waiting<'_>| one.wanted() == one.places() || one.wanted().is_disjoint(&taken);
        let in_the_way = |one: &Waiting<'_>| !one.aside && !wanted.is_disjoint(&one.places());
        if let Some(index) = waiting.iter().position(free) {
            steps.push(waiting.remove(index).done());
        } else if let Some(index) = waiting.iter().position(in_the_way) {
            steps.push(waiting[index].step_aside());
        } else {
            // Two of them want one name, which only a forged catalog can hold.
            steps.push(waiting.remove(0).done());
        }
    }
    steps
}

/// A rename that is not done yet.
struct Waiting<'a> {
    rename: &'a Rename<'a>,
    /// The last part of its name at the moment.
    last: String,
    aside: bool,
}

impl Waiting<'_> {
    fn places(&self) -> HashSet<String> {
        self.at(&self.last)
    }

    fn wanted(&self) -> HashSet<String> {
        self.at(&moved_last(self.rename))
    }

    /// A name among those it must differ from: a column may be called like a policy, an index like an enum.
    fn at(&self, last: &str) -> HashSet<String> {
        let fact = self.rename.fact;
        let own = [fact.kind.word()];
        let spaces = match fact.kind.word() {
            "function" | "aggregate" => &["routine"],
            _ if fact.identity.names().len() > 2 || name_spaces(fact.kind).is_empty() => &own[..],
            _ => name_spaces(fact.kind),
        };
        spaces.iter().map(|space| format!("{space}:{}.{last}", fact.identity.prefix())).collect()
    }

    fn done(&self) -> Step {
        step(self.rename, statement(self.rename.fact, &self.last, function_name(self.rename.now.last())))
    }

    fn step_aside(&mut self) -> Step {
        let between = aside(&self.rename.fact.identity);
        let done = step(self.rename, statement(self.rename.fact, &self.last, &between));
        self.last = format!("{between}{}", &self.last[function_name(&self.last).len()..]);
        self.aside = true;
        done
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::Lineage;

    fn renamed(pairs: &[(Kind, &str, &str)]) -> Vec<String> {
        let fact = |kind: Kind, path: &str| Fact {
            identity: Identity::new(kind, path),
            kind,
            parent: None,
            fields: [("owner".to_owned(), json!("ann"))].into_iter().collect(),
            depends_on: Vec::new(),
            lineage: Lineage::default(),
        };
        let facts: Vec<Fact> = pairs.iter().map(|(kind, old, _)| fact(*kind, old)).collect();
        let renames: Vec<Rename<'_>> = facts
            .iter()
            .zip(pairs)
            .map(|(fact, (kind, _, new))| Rename { fact, now: Identity::new(*kind, new) })
            .collect();
        in_order(&renames).into_iter().map(|step| step.sql).collect()
    }

    #[test]
    fn a_circle_is_opened_by_a_name_in_between() {
        let swapped = renamed(&[(Kind::Column, "s.t.a", "s.t.b"), (Kind::Column, "s.t.b", "s.t.a")]);
        let expected = [
            "alter table s.t rename column a to a__aside",
            "alter table s.t rename column b to a",
            "alter table s.t rename column a__aside to b",
        ];
        assert_eq!(swapped, expected);
    }

    #[test]
    fn it_ends_where_two_want_one_name() {
        let steps = renamed(&[
            (Kind::Column, "s.t.a", "s.t.b"),
            (Kind::Column, "s.t.b", "s.t.c"),
            (Kind::Column, "s.t.c", "s.t.d"),
            (Kind::Column, "s.t.d", "s.t.c"),
        ]);
        assert!(steps.len() <= 8, "{steps:?}");
    }

    #[test]
    fn what_shares_no_names_does_not_wait() {
        let steps = renamed(&[
            (Kind::Column, "public.t.a", "public.t.b"),
            (Kind::Policy, "public.t.b", "public.t.c"),
            (Kind::Column, "public.t.c", "public.t.b2"),
            (Kind::Column, "public.t.b", "public.t.c"),
        ]);
        assert_eq!(steps.len(), 4, "nothing steps aside: {steps:?}");
    }
}
