//! What single facts cannot show: whether the merged whole still holds together.

use std::collections::{BTreeMap, HashMap};

use super::facts::{Disagreement, Merged, differing};
use super::renames::Aligned;
use crate::catalog::{Fact, Identity, Kind};
use crate::report::Hazard;

/// A disagreement that is not about one field.
pub(super) fn simple(identity: &Identity, class: &'static str, hint: String) -> Disagreement {
    Disagreement { identity: identity.clone(), class, hint, fields: Vec::new() }
}

pub(super) fn check(aligned: &Aligned, merged: &mut Merged) {
    missing(aligned, merged);
    let mut found = Vec::new();
    found.extend(name_collisions(merged));
    found.extend(keys_and_values(merged));
    merged.disagreements.extend(found);
    hazards(aligned, merged);
}

/// Every fact needs its parent and what it depends on; what is only about access or a comment goes with its object.
fn missing(aligned: &Aligned, merged: &mut Merged) {
    loop {
        let mut satellites = Vec::new();
        let mut broken: Vec<(Identity, Identity)> = Vec::new();
        for fact in merged.catalog.iter() {
            let lost = fact.parent.iter().chain(&fact.depends_on).find(|needed| !merged.catalog.contains(needed));
            match lost {
                Some(_) if fact.kind.satellite() => satellites.push(fact.identity.clone()),
                Some(lost) => broken.push((fact.identity.clone(), lost.clone())),
                None => {}
            }
        }
        if satellites.is_empty() {
            for (identity, lost) in broken {
                let disagreement = broken_edge(aligned, &identity, &lost);
                if !merged
                    .disagreements
                    .iter()
                    .any(|known| known.identity == identity && known.class == disagreement.class)
                {
                    merged.disagreements.push(disagreement);
                }
            }
            return;
        }
        for identity in satellites {
            merged.catalog.remove(&identity);
        }
    }
}

fn broken_edge(aligned: &Aligned, identity: &Identity, lost: &Identity) -> Disagreement {
    let dropped_by_source = aligned.target.contains(lost) && !aligned.source.contains(lost);
    let (dropper, user) = if dropped_by_source { ("branch", "parent") } else { ("parent", "branch") };
    let class = match identity.as_str().split(':').next() {
        _ if dropped_by_source => "C4",
        Some("constraint") => "C1",
        _ => "C3",
    };
    let hint = format!("The {dropper} dropped {lost}, which {identity} on the {user} needs. Drop both, or keep both.");
    let sides = (aligned.base.get(identity), aligned.target.get(identity), aligned.source.get(identity));
    Disagreement { identity: identity.clone(), class, hint, fields: differing(identity, sides.0, sides.1, sides.2) }
}

/// Relations, indexes and types share their names within a schema.
fn name_collisions(merged: &Merged) -> Vec<Disagreement> {
    let mut names: BTreeMap<String, Vec<&Fact>> = BTreeMap::new();
    for fact in merged.catalog.iter() {
        if let Some(name) = crate::plan::relation_name(fact) {
            names.entry(name).or_default().push(fact);
        }
        if fact.kind == Kind::Unmodelled {
            names.entry(fact.text("name").to_owned()).or_default().push(fact);
        }
    }
    let mut found = Vec::new();
    for (name, facts) in names.into_iter().filter(|(_, facts)| facts.len() > 1) {
        // An unmodelled rule or statistics object may carry a relation's name; relations and types may not.
        let relations = facts
            .iter()
            .filter(|fact| {
                fact.kind != Kind::Unmodelled
                    || fact.text("kind").contains("table")
                    || fact.text("kind").contains("view")
            })
            .count();
        if relations > 1 {
            let hint = format!(
                "Both sides use the name {name} for different things: {}. Rename one.",
                facts.iter().map(|fact| fact.identity.to_string()).collect::<Vec<_>>().join(", ")
            );
            found.push(simple(&facts[0].identity, "C23", hint));
        }
    }
    found
}

/// One primary key per table, over columns that are not null; one source of values per column.
fn keys_and_values(merged: &Merged) -> Vec<Disagreement> {
    let mut found = Vec::new();
    let mut primary: HashMap<&Identity, &Identity> = HashMap::new();
    for fact in merged.catalog.iter() {
        if fact.kind == Kind::Constraint && fact.text("type") == "primary" {
            let Some(table) = &fact.parent else { continue };
            if let Some(other) = primary.insert(table, &fact.identity) {
                found.push(simple(
                    &fact.identity,
                    "S13",
                    format!("Both sides gave {table} a primary key: {other} and {}. Keep one.", fact.identity),
                ));
            }
            for column in fact
                .depends_on
                .iter()
                .filter_map(|needed| merged.catalog.get(needed))
                .filter(|needed| needed.kind == Kind::Column)
            {
                if column.parent.as_ref() == Some(table) && !column.flag("not_null") {
                    found.push(simple(
                        &column.identity,
                        "C21",
                        format!(
                            "{} is part of a primary key on one side and may be null on the other.",
                            column.identity
                        ),
                    ));
                }
            }
        }
        if fact.kind == Kind::Default
            && let Some(column) = fact
                .parent
                .as_ref()
                .and_then(|column| merged.catalog.get(column))
                .filter(|column| column.kind == Kind::Column)
        {
            let other = column.fields.get("identity").is_some_and(|identity| !identity.is_null())
                || column.optional("generated").is_some();
            if other {
                found.push(simple(
                    &column.identity,
                    "C21",
                    format!(
                        "{} got a default on one side and became identity or generated on the other.",
                        column.identity
                    ),
                ));
            }
        }
    }
    found
}

/// Access that becomes wider, and new dependents over a type that changes.
fn hazards(aligned: &Aligned, merged: &mut Merged) {
    let mut found = Vec::new();
    let mut add = |class: &str, object: &Identity, detail: &str| {
        found.push(Hazard { class: class.to_owned(), object: object.to_string(), detail: detail.to_owned() })
    };
    for new in merged.catalog.iter() {
        let old = aligned.target.get(&new.identity);
        if old.is_some_and(|old| old.says_the_same(new)) {
            continue;
        }
        match new.kind {
            Kind::RowSecurity
                if old.is_some_and(|old| {
                    old.flag("enabled") && !new.flag("enabled") || old.flag("forced") && !new.flag("forced")
                }) =>
            {
                add("access", &new.identity, "row security becomes weaker on this table");
            }
            Kind::Function if new.flag("security_definer") && !old.is_some_and(|old| old.flag("security_definer")) => {
                add("access", &new.identity, "this function runs with its owner's rights");
            }
            Kind::Policy if new.flag("permissive") => {
                add("access", &new.identity, "a permissive policy is added or changed")
            }
            Kind::Grant
                if old.is_none()
                    && matches!(new.text("grantee"), "anon" | "public")
                    && new.parent.as_ref().is_some_and(|parent| aligned.target.contains(parent)) =>
            {
                add("access", &new.identity, "anonymous users get this privilege on an object that exists");
            }
            Kind::View
                if old.is_some_and(|old| {
                    old.list("options").contains(&"security_invoker=true")
                        && !new.list("options").contains(&"security_invoker=true")
                }) =>
            {
                add("access", &new.identity, "this view stops using its reader's rights");
            }
            Kind::Column if old.is_some_and(|old| old.text("type") != new.text("type")) => {
                let added = merged.catalog.iter().any(|fact| {
                    fact.depends_on.contains(&new.identity)
                        && !aligned.base.contains(&fact.identity)
                        && aligned.target.contains(&fact.identity)
                });
                if added {
                    add(
                        "untested",
                        &new.identity,
                        "its type changes under something that the parent added; only the rehearsal can tell whether both fit",
                    );
                }
            }
            _ => {}
        }
    }
    for old in aligned
        .target
        .iter()
        .filter(|old| old.kind == Kind::Policy && !old.flag("permissive") && !merged.catalog.contains(&old.identity))
    {
        add("access", &old.identity, "a restrictive policy is dropped");
    }
    merged.hazards.extend(found);
}
