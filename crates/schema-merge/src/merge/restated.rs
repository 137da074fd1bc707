//! Texts that no side has printed as they will be after the merge.
//!
//! Postgres prints a view, a condition or an expression with the casts that the types of its columns ask for. Where one side made it and
//! the other gave such a column another type, only Postgres can tell what it will print.

use std::collections::BTreeSet;

use hashbrown::HashSet;

use super::renames::Aligned;
use crate::catalog::{Catalog, Fact, Identity, Kind};

/// Facts of the merged whole whose printed text is not foreseen.
pub(super) fn restated(aligned: &Aligned, merged: &Catalog) -> BTreeSet<Identity> {
    let sides = [&aligned.target, &aligned.source].map(|side| (side, retyped(side, merged)));
    if sides.iter().all(|(_, retyped)| retyped.is_empty()) {
        return BTreeSet::new();
    }
    merged
        .iter()
        .filter(|fact| fact.printed().next().is_some())
        .filter(|fact| {
            let mut printed = sides
                .iter()
                .filter(|(side, _)| side.get(&fact.identity).is_some_and(|there| there.printed().eq(fact.printed())))
                .map(|(_, retyped)| reads(fact, retyped))
                .peekable();
            printed.peek().is_some() && printed.all(|otherwise| otherwise)
        })
        .map(|fact| fact.identity.clone())
        .collect()
}

fn reads(fact: &Fact, retyped: &HashSet<&Identity>) -> bool {
    [&fact.identity].into_iter().chain(&fact.parent).chain(&fact.depends_on).any(|needed| retyped.contains(needed))
}

/// What has other types in the merged whole than on one side: columns, attributes, results of functions, and views over them.
fn retyped<'a>(side: &Catalog, merged: &'a Catalog) -> HashSet<&'a Identity> {
    let mut found: HashSet<&Identity> = merged
        .iter()
        .filter(|fact| {
            let fields: &[&str] = match fact.kind {
                Kind::Column | Kind::Attribute => &["type", "collation"],
                Kind::Function => &["returns"],
                Kind::Domain => &["base"],
                _ => return false,
            };
            let there = side.get(&fact.identity);
            there.is_some_and(|there| fields.iter().any(|field| there.fields.get(*field) != fact.fields.get(*field)))
        })
        .map(|fact| &fact.identity)
        .collect();
    let mut known = 0;
    while found.len() > known {
        known = found.len();
        let views = merged.iter().filter(|fact| matches!(fact.kind, Kind::View | Kind::MaterializedView));
        let over: Vec<&Identity> = views.filter(|view| reads(view, &found)).map(|view| &view.identity).collect();
        found.extend(over);
    }
    found
}
