//! What is right by every rule and may still surprise: layouts, orders, bodies that nobody analyses, types under new dependents.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Merged;
use super::renames::Aligned;
use super::rewriting::mentions;
use crate::catalog::{Catalog, Fact, Identity, Kind, function_name};
use crate::report::Hazard;

pub(super) fn check(aligned: &Aligned, merged: &mut Merged) {
    let mut found = Vec::new();
    layouts(aligned, merged, &mut found);
    triggers(aligned, &mut found);
    retypes(aligned, merged, &mut found);
    bodies(aligned, merged, &mut found);
    merged.hazards.extend(found);
}

fn added<'a>(base: &Catalog, side: &'a Catalog, kind: Kind) -> BTreeMap<Identity, Vec<&'a Fact>> {
    let mut found: BTreeMap<Identity, Vec<&Fact>> = BTreeMap::new();
    for fact in side.iter().filter(|fact| fact.kind == kind && !base.contains(&fact.identity)) {
        if let Some(parent) = fact.parent.as_ref().filter(|parent| base.contains(parent)) {
            found.entry(parent.clone()).or_default().push(fact);
        }
    }
    found
}

/// Columns that both sides added stand in an order that the branch does not have, and its new views do not know the parent's.
fn layouts(aligned: &Aligned, merged: &Merged, found: &mut Vec<Hazard>) {
    let theirs = added(&aligned.base_of_target, &aligned.target, Kind::Column);
    let ours = added(&aligned.base_of_source, &aligned.source, Kind::Column);
    let changed_views: Vec<&Fact> = aligned
        .source
        .iter()
        .filter(|fact| fact.kind == Kind::View)
        .filter(|fact| !aligned.base_of_source.get(&fact.identity).is_some_and(|old| old.says_the_same(fact)))
        .collect();
    let of_table = |view: &Fact, table: &Identity| view.depends_on.iter().any(|needed| needed.prefix() == table.path());
    for (table, columns) in &theirs {
        let new: Vec<&str> = columns
            .iter()
            .filter(|column| !aligned.source.contains(&column.identity))
            .map(|column| column.identity.last())
            .collect();
        if new.is_empty() || !merged.catalog.contains(table) {
            continue;
        }
        if let Some(own) = ours.get(table) {
            let own: Vec<&str> = own
                .iter()
                .filter(|column| !aligned.target.contains(&column.identity))
                .map(|column| column.identity.last())
                .collect();
            if !own.is_empty() {
                let detail = format!(
                    "the parent's new columns ({}) come before the branch's ({}): code that counts columns sees another order than on the branch",
                    new.join(", "),
                    own.join(", ")
                );
                found.push(Hazard::new("layout", table.to_string(), detail).rule("C28"));
            }
        }
        let views: Vec<&Fact> = changed_views.iter().filter(|view| of_table(view, table)).copied().collect();
        if views.is_empty() {
            continue;
        }
        let base: BTreeSet<&Identity> = aligned
            .base_of_source
            .iter()
            .filter(|fact| fact.kind == Kind::Column && fact.parent.as_ref() == Some(table))
            .map(|fact| &fact.identity)
            .collect();
        let views = views
            .into_iter()
            .filter(|view| !base.is_empty() && base.iter().all(|column| view.depends_on.contains(column)));
        for view in views {
            let detail = format!(
                "it shows every column that {table} has on the branch; the parent's new ones ({}) are not in it",
                new.join(", ")
            );
            found.push(Hazard::new("layout", view.identity.to_string(), detail).rule("C27"));
        }
    }
}

/// Triggers of one table run in the order of their names.
fn triggers(aligned: &Aligned, found: &mut Vec<Hazard>) {
    let theirs = added(&aligned.base_of_target, &aligned.target, Kind::Trigger);
    let ours = added(&aligned.base_of_source, &aligned.source, Kind::Trigger);
    for (table, own) in &ours {
        let Some(others) = theirs.get(table) else { continue };
        let names = |facts: &[&Fact], other: &Catalog| {
            facts
                .iter()
                .filter(|fact| !other.contains(&fact.identity))
                .map(|fact| fact.identity.last().to_owned())
                .collect::<Vec<_>>()
        };
        let (own, others) = (names(own, &aligned.target), names(others, &aligned.source));
        if !own.is_empty() && !others.is_empty() {
            let detail = format!(
                "both sides added triggers, which run in the order of their names: {} and {}",
                others.join(", "),
                own.join(", ")
            );
            found.push(Hazard::new("order", table.to_string(), detail).rule("C17"));
        }
    }
}

/// A type that changes under something that the parent added was tried by nobody; the rehearsal tells whether both fit.
fn retypes(aligned: &Aligned, merged: &Merged, found: &mut Vec<Hazard>) {
    let retyped: BTreeSet<&Identity> = merged
        .catalog
        .iter()
        .filter(|new| {
            new.kind == Kind::Column
                && aligned.target.get(&new.identity).is_some_and(|old| old.text("type") != new.text("type"))
        })
        .map(|new| &new.identity)
        .collect();
    if retyped.is_empty() {
        return;
    }
    for fact in aligned.target.iter().filter(|fact| !aligned.base_of_target.contains(&fact.identity)) {
        if let Some(column) = fact.depends_on.iter().find(|needed| retyped.contains(needed)) {
            let detail = format!(
                "its type changes under {}, which the parent added; only the rehearsal can tell whether both fit",
                fact.identity
            );
            found.push(Hazard::new("untested", column.to_string(), detail).rule("C5"));
        }
    }
}

/// Functions whose bodies Postgres does not analyse may use what goes, is renamed, or gets another type.
fn bodies(aligned: &Aligned, merged: &Merged, found: &mut Vec<Hazard>) {
    let mut changed: Vec<(Identity, &str)> = Vec::new();
    for old in aligned.target.iter() {
        let tracked =
            matches!(old.kind, Kind::Table | Kind::View | Kind::Column | Kind::Function | Kind::Enum | Kind::Sequence);
        match merged.catalog.get(&old.identity) {
            None if tracked => changed.push((old.identity.clone(), "is dropped")),
            Some(new) if old.kind == Kind::Column && new.text("type") != old.text("type") => {
                changed.push((old.identity.clone(), "gets another type"));
            }
            _ => {}
        }
    }
    for (old, new) in &aligned.target_names {
        let own = function_name(old.last()) != function_name(new.last());
        if own && matches!(old.kind_word(), "table" | "view" | "column" | "function" | "enum" | "sequence") {
            changed.push((old.clone(), "is renamed"));
        }
    }
    if changed.is_empty() {
        return;
    }
    let functions = merged
        .catalog
        .iter()
        .filter(|fact| fact.kind == Kind::Function && !fact.flag("standard_body") && fact.text("language") != "c");
    for function in functions {
        // A body that the branch changed was written with the change in mind.
        if aligned.target.get(&function.identity).is_none_or(|old| old.text("body") != function.text("body")) {
            continue;
        }
        let body = function.text("body");
        let used: Vec<String> = changed
            .iter()
            .filter(|(identity, _)| {
                let column = identity.kind_word() == "column";
                mentions(body, function_name(identity.last()))
                    && (!column || identity.names().get(1).is_some_and(|table| mentions(body, table)))
            })
            .map(|(identity, what)| format!("{identity}, which {what}"))
            .collect();
        if !used.is_empty() {
            let detail = format!("its body is not analysed and mentions {}", used.join("; "));
            found.push(Hazard::new("untrackable_body", function.identity.to_string(), detail).rule("C3"));
        }
    }
}
