//! Foreign keys whose columns have types that Postgres does not compare: one side gave the key another type, the other points to it.

use super::facts::Disagreement;
use super::renames::Aligned;
use crate::catalog::{Catalog, Fact, Identity, Kind, find_outside, join_path, split_outside};
use crate::ddl::comparable;

/// Every foreign key of the merged whole that no side had with these types and that Postgres surely refuses.
pub(super) fn mismatched(aligned: &Aligned, merged: &Catalog) -> Vec<Disagreement> {
    let mut found = Vec::new();
    for reference in merged.iter().filter(|fact| fact.is_foreign_key()) {
        let Some(pair) = pairs(reference)
            .into_iter()
            .find_map(|[own, other]| Some([merged.get(&own)?, merged.get(&other)?]).filter(apart))
        else {
            continue;
        };
        let tried = [&aligned.target, &aligned.source].into_iter().any(|side| {
            side.contains(&reference.identity)
                && pair.iter().all(|column| {
                    side.get(&column.identity).is_some_and(|known| known.text("type") == column.text("type"))
                })
        });
        if tried {
            continue;
        }
        found.push(disagreement(aligned, reference, pair));
    }
    found
}

fn apart(pair: &[&Fact; 2]) -> bool {
    !comparable(pair[0].text("type"), pair[1].text("type"))
}

fn disagreement(aligned: &Aligned, reference: &Fact, [own, other]: [&Fact; 2]) -> Disagreement {
    let hint = format!(
        "{} points from {} ({}) to {} ({}), types that Postgres does not compare. Give both columns one type.",
        reference.identity,
        own.identity,
        own.text("type"),
        other.identity,
        other.text("type")
    );
    let mut found = Disagreement::about(&reference.identity, "C5", hint);
    let changed = |side: &Catalog, base: &Catalog, column: &Fact| {
        side.get(&column.identity).map(|now| now.text("type")) != base.get(&column.identity).map(|was| was.text("type"))
    };
    let by_target = !aligned.base_of_target.contains(&reference.identity);
    let by_source = !aligned.base_of_source.contains(&reference.identity);
    let retyped = |side: &Catalog, base: &Catalog| {
        [own, other]
            .into_iter()
            .filter(|column| changed(side, base, column))
            .map(|column| column.identity.clone())
            .collect::<Vec<_>>()
    };
    // What each side would have to take back: the reference where it is new there, and the types it changed.
    found.roots = retyped(&aligned.source, &aligned.base_of_source);
    found.source_roots = retyped(&aligned.target, &aligned.base_of_target);
    if by_source && aligned.source.contains(&reference.identity) {
        found.roots.push(reference.identity.clone());
    }
    if by_target && aligned.target.contains(&reference.identity) {
        found.source_roots.push(reference.identity.clone());
    }
    found
}

/// The columns of a foreign key, each with the one it points to.
fn pairs(reference: &Fact) -> Vec<[Identity; 2]> {
    let read = || {
        let (own, rest) = list(reference.text("definition").strip_prefix("FOREIGN KEY ")?)?;
        let rest = rest.strip_prefix(" REFERENCES ")?;
        let (table, other) = rest.split_at(find_outside(rest, "(")?);
        let (other, _) = list(other)?;
        let column = |table: &str, name: &str| Identity::new(Kind::Column, join_path(&[table, name]));
        Some(
            own.into_iter()
                .zip(other)
                .map(|(own, other)| [column(reference.identity.prefix(), own), column(table, other)])
                .collect(),
        )
    };
    read().unwrap_or_default()
}

/// The names of a list in parentheses, and what follows it.
fn list(text: &str) -> Option<(Vec<&str>, &str)> {
    let inner = text.strip_prefix('(')?;
    let end = find_outside(inner, ")")?;
    Some((split_outside(&inner[..end], ", "), &inner[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_in_pairs_whatever_they_are_called() {
        let mut fact = Fact {
            identity: Identity::new(Kind::Constraint, "public.c.k"),
            kind: Kind::Constraint,
            parent: None,
            fields: crate::catalog::Fields::default(),
            depends_on: Vec::new(),
            lineage: crate::catalog::Lineage::default(),
        };
        let definition = "FOREIGN KEY (a, \"b),\"\"\") REFERENCES public.\"P (x\"(id, \"i,d\") ON DELETE CASCADE";
        fact.fields.insert("definition".to_owned(), definition.into());
        let seen: Vec<String> = pairs(&fact).into_iter().flatten().map(|column| column.to_string()).collect();
        assert_eq!(
            seen,
            [
                "column:public.c.a",
                "column:public.\"P (x\".id",
                "column:public.c.\"b),\"\"\"",
                "column:public.\"P (x\".\"i,d\""
            ]
        );
    }
}
