//! What each side did about a conflict, as SQL, and the ways out of it.

use hashbrown::HashSet;

use super::facts::Disagreement;
use super::patch::Tree;
use super::renames::Aligned;
use crate::catalog::{Catalog, Identity};
use crate::plan::two_way;
use crate::report::Suggestion;

/// Statements shown for one side of a conflict at most.
const MOST_STATEMENTS: usize = 20;

/// What one side did since its base to the things a conflict is about.
pub(super) fn change(base: &Tree<'_>, side: &Tree<'_>, conflict: &Disagreement) -> Vec<String> {
    let mut wanted: HashSet<Identity> = HashSet::new();
    for root in std::iter::once(&conflict.identity).chain(&conflict.roots).chain(&conflict.source_roots) {
        for tree in [base, side] {
            let catalog = tree.catalog();
            wanted.extend(tree.under(root));
            let mut current = catalog.get(root).and_then(|fact| fact.parent.clone());
            while let Some(parent) = current {
                current = catalog.get(&parent).and_then(|fact| fact.parent.clone());
                wanted.insert(parent);
            }
        }
    }
    let part = |catalog: &Catalog| {
        let mut out = Catalog::new(catalog.server_version);
        for fact in wanted.iter().filter_map(|identity| catalog.get(identity)) {
            out.insert(fact.clone());
        }
        out
    };
    two_way(&part(base.catalog()), &part(side.catalog()))
        .steps
        .into_iter()
        .map(|step| crate::catalog::masked(&step.sql).into_owned())
        .take(MOST_STATEMENTS)
        .collect()
}

/// What stands on the things a conflict is about, on either side.
pub(super) fn dependents(aligned: &Aligned, conflict: &Disagreement) -> Vec<String> {
    let about: HashSet<&Identity> =
        std::iter::once(&conflict.identity).chain(&conflict.roots).chain(&conflict.source_roots).collect();
    let mut found: Vec<String> = conflict.dependents.iter().map(Identity::to_string).collect();
    for fact in aligned.target.iter().chain(aligned.source.iter()) {
        if fact.depends_on.iter().any(|needed| about.contains(needed)) && !about.contains(&fact.identity) {
            found.push(fact.identity.to_string());
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The ways out, with what they lead to.
pub(super) fn suggestions(conflict: &Disagreement) -> Vec<Suggestion> {
    let suggestion = |choice: &str, detail: String| Suggestion { choice: choice.to_owned(), detail };
    let list = |roots: &[Identity]| roots.iter().map(Identity::to_string).collect::<Vec<_>>().join(", ");
    let mut out = vec![suggestion("take_target", format!("{} as on the parent", list(&conflict.roots)))];
    if !conflict.only_target && !conflict.source_roots.is_empty() {
        out.push(suggestion("take_source", format!("{} as on the branch", list(&conflict.source_roots))));
    }
    let types: Vec<(&str, &str)> = conflict
        .fields
        .iter()
        .filter(|entry| entry.field == "type")
        .filter_map(|entry| Some((entry.target.as_str()?, entry.source.as_str()?)))
        .collect();
    for (target, source) in types {
        let wider = if crate::plan::widens(target, source) {
            Some(("take_source", source))
        } else if crate::plan::widens(source, target) {
            Some(("take_target", target))
        } else {
            None
        };
        if let Some((choice, name)) = wider.filter(|_| target != source) {
            let known = out.iter_mut().find(|known| known.choice == choice);
            if let Some(known) = known {
                known.detail += &format!("; {name} is the wider type, it holds every value of the other");
            }
        }
    }
    let union = match conflict.class {
        "S5" | "S6" | "S13" => "for example what both want together; all that does not clash is merged already",
        "S25" => "for example `alter type … add value … after …`",
        "S17" | "S19" => "for example another name for one of the two",
        _ => "written by hand, run in the developer's role after everything else",
    };
    out.push(suggestion("custom_sql", union.to_owned()));
    out
}
