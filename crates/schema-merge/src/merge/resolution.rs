//! Things that Postgres takes as they come and that mean something else once both sides are together: names in bodies, checks on one column.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::facts::Merged;
use super::renames::Aligned;
use super::rewriting::mentions;
use crate::catalog::{Catalog, Fact, Identity, Kind, function_name};
use crate::report::Hazard;

pub(super) fn check(aligned: &Aligned, merged: &mut Merged) {
    let mut found = Vec::new();
    names(aligned, &merged.catalog, &mut found);
    checks(aligned, &merged.catalog, &mut found);
    merged.hazards.extend(found);
}

/// The schemas in which each unqualified name of a relation or function is found.
fn schemas_by_name(catalog: &Catalog) -> HashMap<&str, BTreeSet<&str>> {
    let mut found: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for fact in catalog.iter().filter(|fact| named(fact)) {
        if let [schema, name] = fact.identity.names()[..] {
            found.entry(function_name(name)).or_default().insert(schema);
        }
    }
    found
}

fn named(fact: &Fact) -> bool {
    matches!(
        fact.kind,
        Kind::Table | Kind::View | Kind::MaterializedView | Kind::ForeignTable | Kind::Sequence | Kind::Function
    )
}

/// A body without a `search_path` of its own finds unqualified names where the session looks first: a name that the other side gave to
/// something in one more schema may be found there.
fn names(aligned: &Aligned, merged: &Catalog, found: &mut Vec<Hazard>) {
    let (theirs, ours, now) =
        (schemas_by_name(&aligned.target), schemas_by_name(&aligned.source), schemas_by_name(merged));
    let grown = |side: &HashMap<&str, BTreeSet<&str>>| -> BTreeSet<String> {
        let more = now.iter().filter(|(name, schemas)| side.get(*name).is_some_and(|known| !schemas.is_subset(known)));
        more.map(|(name, _)| (*name).to_owned()).collect()
    };
    let (new_to_target, new_to_source) = (grown(&theirs), grown(&ours));
    if new_to_target.is_empty() && new_to_source.is_empty() {
        return;
    }
    let open = |fact: &&Fact| {
        fact.kind == Kind::Function
            && !fact.flag("standard_body")
            && !matches!(fact.text("language"), "c" | "internal")
            && !fact.list("config").iter().any(|setting| setting.starts_with("search_path="))
    };
    for function in merged.iter().filter(open) {
        let tried = |side: &Catalog| {
            side.get(&function.identity).is_some_and(|there| there.text("body") == function.text("body"))
        };
        // A name is no news to a side that has the body and had the name there.
        let news: BTreeSet<&String> = match (tried(&aligned.target), tried(&aligned.source)) {
            (true, true) => new_to_target.intersection(&new_to_source).collect(),
            (true, false) => new_to_target.iter().collect(),
            (false, _) => new_to_source.iter().collect(),
        };
        let used: Vec<&str> =
            news.into_iter().filter(|name| mentions(function.text("body"), name)).map(String::as_str).collect();
        if !used.is_empty() {
            let detail = format!(
                "its body names {} without a schema, which the other side now has in another schema too; it has no search_path of its own",
                used.join(", ")
            );
            found.push(Hazard::new("untrackable_body", function.identity.to_string(), detail).rule("C26"));
        }
    }
}

/// Checks that both sides added on one column: rows must satisfy both, and whether any row can, nobody tried.
fn checks(aligned: &Aligned, merged: &Catalog, found: &mut Vec<Hazard>) {
    let new = |side: &Catalog, base: &Catalog, other: &Catalog| {
        let mut by_column: BTreeMap<Identity, Vec<Identity>> = BTreeMap::new();
        for fact in side.iter().filter(|fact| fact.kind == Kind::Constraint && fact.text("type") == "check") {
            if base.contains(&fact.identity) || other.contains(&fact.identity) || !merged.contains(&fact.identity) {
                continue;
            }
            for column in fact.depends_on.iter().filter(|needed| needed.kind_word() == "column") {
                by_column.entry(column.clone()).or_default().push(fact.identity.clone());
            }
        }
        by_column
    };
    let theirs = new(&aligned.target, &aligned.base_of_target, &aligned.source);
    let ours = new(&aligned.source, &aligned.base_of_source, &aligned.target);
    for (column, own) in &ours {
        let Some(others) = theirs.get(column) else { continue };
        let listed = |checks: &[Identity]| checks.iter().map(Identity::last).collect::<Vec<_>>().join(", ");
        let detail =
            format!("both sides added checks: {} and {}; rows must satisfy all of them", listed(others), listed(own));
        found.push(Hazard::new("untested", column.to_string(), detail).rule("S14"));
    }
}
