//! Columns of a child or partition that do not fit its parent's once both sides are together.

use hashbrown::HashSet;

use super::collisions::says_all;
use super::facts::{Disagreement, Merged};
use super::renames::Aligned;
use crate::catalog::{Fact, Identity, Kind};
use crate::plan::spelled_out;

/// Fields in which a column is its parent's.
const SHARED: [&str; 2] = ["type", "collation"];

/// What a child has of a column by itself and its parent otherwise, and what a partition has that its parent lacks.
pub(super) fn misfits(aligned: &Aligned, merged: &Merged) -> Vec<Disagreement> {
    let catalog = &merged.catalog;
    let links: Vec<(&Fact, &Identity, Identity)> = catalog
        .iter()
        .filter(|fact| matches!(fact.kind, Kind::Partition | Kind::Inheritance))
        .filter_map(|link| Some((link, link.parent.as_ref()?, Identity::new(Kind::Table, link.text("of")))))
        .collect();
    let children: HashSet<&Identity> = links.iter().map(|(_, child, _)| *child).collect();
    let own: Vec<&Fact> = catalog
        .iter()
        .filter(|fact| fact.kind == Kind::Column && fact.parent.as_ref().is_some_and(|table| children.contains(table)))
        .collect();
    if own.is_empty() {
        return Vec::new();
    }
    let full = spelled_out(catalog);
    // As each side has it in full: what one of them has alike was tried there.
    let sides = [&aligned.target, &aligned.source].map(spelled_out);
    let mut found: Vec<Disagreement> = Vec::new();
    for (link, child, parent) in links.iter().filter(|(_, _, parent)| catalog.contains(parent)) {
        for column in own.iter().filter(|column| column.parent.as_ref() == Some(child)) {
            let above = full.get(&Identity::new(Kind::Column, format!("{}.{}", parent.path(), column.identity.last())));
            let Some(reason) = misfit(link, column, above) else { continue };
            let parts: Vec<&Fact> = [*link, *column].into_iter().chain(above).collect();
            if sides.iter().any(|side| says_all(side, &parts))
                || found.iter().any(|known| known.identity == column.identity)
            {
                continue;
            }
            let hint = format!("{} {reason} of its parent {parent}. Make them agree, or rename one.", column.identity);
            let parts = parts.into_iter().map(|part| part.identity.clone()).filter(|part| catalog.contains(part));
            let parts = parts.chain([(*child).clone()]).collect();
            found.push(Disagreement::of_both(&column.identity, "C18", hint, parts));
        }
    }
    found
}

fn misfit(link: &Fact, column: &Fact, above: Option<&Fact>) -> Option<&'static str> {
    match above {
        Some(above) if SHARED.iter().any(|field| above.fields.get(*field) != column.fields.get(*field)) => {
            Some("has another type than the column")
        }
        Some(_) => None,
        None => (link.kind == Kind::Partition).then_some("is no column"),
    }
}

/// Whether a column of a partition only repeats its parent's.
pub(super) fn repeats(column: &Fact, above: &Fact) -> bool {
    column.kind != Kind::Column || misfit(column, column, Some(above)).is_none()
}
