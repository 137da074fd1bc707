//! Routines of one name, and what calls them by it.

use super::{Fact, Kind, function_name, split_outside};

/// Kinds that Postgres prints with calls in expressions or queries, which it reads again when they are made.
pub(crate) fn calls_by_name(fact: &Fact) -> bool {
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
pub(crate) fn answer_alike(one: &Fact, other: &Fact) -> bool {
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
