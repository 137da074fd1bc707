//! Calls of one side that a function of the other side makes ambiguous.

use hashbrown::HashMap;

use super::collisions::says_all;
use super::facts::Disagreement;
use super::renames::Aligned;
use crate::catalog::{Catalog, Fact, Kind, function_name, split_outside};

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
            let other = others.filter(|other| other.identity != called.identity).find(|other| {
                let sides = [&aligned.target, &aligned.source];
                answer_alike(called, other) && !sides.iter().any(|side| says_all(side, &[user, called, other]))
            });
            let Some(other) = other else { continue };
            let hint = format!(
                "{} calls {}, and {} of the other side would do for that call too. Rename one, or say which arguments it must have.",
                user.identity, called.identity, other.identity
            );
            let mut disagreement = Disagreement::about(&user.identity, "C15", hint);
            let of_source = !aligned.target.contains(&user.identity);
            let (new, old) =
                if of_source { (&user.identity, &other.identity) } else { (&other.identity, &user.identity) };
            disagreement.roots = vec![new.clone()];
            disagreement.source_roots = vec![old.clone()];
            found.push(disagreement);
            break;
        }
    }
    found
}

/// Kinds that Postgres prints with calls in expressions or queries, which it reads again when they are made.
fn calls_by_name(fact: &Fact) -> bool {
    match fact.kind {
        Kind::View
        | Kind::MaterializedView
        | Kind::Policy
        | Kind::Default
        | Kind::Constraint
        | Kind::DomainConstraint
        | Kind::Domain
        | Kind::Index
        | Kind::Column
        | Kind::Rule
        | Kind::Statistics
        | Kind::PublicationTable => true,
        Kind::Function => fact.flag("standard_body"),
        _ => false,
    }
}

/// True when some number of arguments of the same types calls both, one of them with its defaults.
fn answer_alike(one: &Fact, other: &Fact) -> bool {
    let (left, right) = (Called::of(one), Called::of(other));
    let same = left.types.iter().zip(&right.types).take_while(|(left, right)| left == right).count();
    let fewest = left.required.max(right.required);
    let most = left.types.len().min(right.types.len()).min(same);
    // Postgres prefers the one that is not variadic.
    left.variadic == right.variadic && fewest <= most
}

struct Called<'a> {
    types: Vec<&'a str>,
    required: usize,
    variadic: bool,
}

impl<'a> Called<'a> {
    fn of(function: &'a Fact) -> Self {
        let path = function.identity.path();
        let inner = path[function_name(path).len()..].trim_start_matches('(').trim_end_matches(')');
        let types: Vec<&str> = if inner.is_empty() { Vec::new() } else { split_outside(inner, ", ") };
        let optional =
            function.fields.get("optional_arguments").and_then(serde_json::Value::as_u64).unwrap_or_default();
        let required = types.len().saturating_sub(usize::try_from(optional).unwrap_or_default());
        let variadic = split_outside(function.text("arguments"), ", ").iter().any(|part| part.starts_with("VARIADIC "));
        Self { types, required, variadic }
    }
}
