//! Defaults that one side said of a column to which the other side gave another type.

use super::collisions::{says_all, tried};
use super::facts::{Disagreement, Merged};
use super::renames::Aligned;
use crate::catalog::{Fact, Kind};
use crate::ddl;

/// Defaults that Postgres refuses for the type that their column gets by the merge.
pub(super) fn mismatched(
    aligned: &Aligned,
    Merged { catalog: merged, disagreements, .. }: &Merged,
) -> Vec<Disagreement> {
    let mut found = Vec::new();
    let settled = |fact: &Fact| disagreements.iter().any(|known| known.identity == fact.identity);
    for default in merged.iter().filter(|fact| fact.kind == Kind::Default) {
        let Some(column) = default.parent.as_ref().and_then(|column| merged.get(column)) else { continue };
        if column.kind != Kind::Column || settled(column) || settled(default) || tried(aligned, &[default, column]) {
            continue;
        }
        let said_of = [&aligned.target, &aligned.source]
            .into_iter()
            .find(|side| says_all(side, &[default]))
            .and_then(|side| side.get(&column.identity))
            .map_or("", |column| column.text("type"));
        let wanted = column.text("type");
        if said_of.is_empty() || ddl::assignable(said_of, wanted, merged) {
            continue;
        }
        let hint = format!(
            "{} is a {wanted} on one side, and the other side gave it a default as a {said_of}. Take the type or the default.",
            column.identity
        );
        let parts = vec![column.identity.clone(), default.identity.clone()];
        found.push(Disagreement::of_both(&column.identity, "C3", hint, parts));
    }
    found
}
