//! Calls of one side that a function of the other side makes ambiguous.

use hashbrown::HashMap;

use super::collisions::tried;
use super::facts::Disagreement;
use super::renames::Aligned;
use crate::catalog::{Catalog, Fact, Kind, answer_alike, calls_by_name, function_name};

/// What calls a function by its name, where another one of that name would do for the call too: Postgres refuses to choose.
pub(super) fn ambiguous(aligned: &Aligned, merged: &Catalog) -> Vec<Disagreement> {
    let mut named: HashMap<&str, Vec<&Fact>> = HashMap::new();
    for function in merged.iter().filter(|fact| fact.kind == Kind::Function) {
        named.entry(function_name(function.identity.path())).or_default().push(function);
    }
    named.retain(|_, functions| functions.len() > 1);
    let mut found = Vec::new();
    for user in merged.iter().filter(|fact| !named.is_empty() && calls_by_name(fact)) {
        let called = user.depends_on.iter().filter_map(|needed| merged.get(needed));
        for called in called.filter(|fact| fact.kind == Kind::Function) {
            let others = named.get(function_name(called.identity.path())).into_iter().flatten();
            let mut others = others.filter(|other| other.identity != called.identity);
            let other = others.find(|other| answer_alike(called, other) && !tried(aligned, &[user, called, other]));
            let Some(other) = other else { continue };
            let hint = format!(
                "{} calls {}, and {} of the other side would do for that call too. Rename one, or say which arguments it must have.",
                user.identity, called.identity, other.identity
            );
            found.push(Disagreement::of_user(aligned, user, &other.identity, "C15", hint));
            break;
        }
    }
    found
}
