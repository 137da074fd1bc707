//! Finds the relationship an embed means.

use serde_json::{Value, json};

use super::super::{error::Error, query::EmbedRequest};
use crate::database::schema_cache::{Link, Relation, Relationship, SchemaCache};

/// The one relationship between `origin` and what the request names.
pub(super) fn resolve(cache: &SchemaCache, origin: &Relation, request: &EmbedRequest) -> Result<Relationship, Error> {
    let all =
        cache.relationships(&origin.schema, &origin.name).iter().filter(|found| found.foreign_schema == origin.schema);
    let mut found: Vec<&Relationship> = match &request.hint {
        Some(hint) => all.filter(|found| found.foreign_name == request.relation && hinted(found, hint)).collect(),
        None => all.filter(|found| named(found, &request.relation)).collect(),
    };
    if found.iter().any(|found| matches!(found.link, Link::Computed { .. })) {
        // A function is written to settle an ambiguity, so it wins over what foreign keys offer.
        found.retain(|found| matches!(found.link, Link::Computed { .. }));
    }
    match found.as_slice() {
        [] => Err(none(cache, origin, request)),
        [only] => Ok((*only).clone()),
        several => self_reference(origin, request, several).cloned().ok_or_else(|| ambiguous(origin, request, several)),
    }
}

/// Without a hint: the relation's name, the constraint's name, the key's column, or the function's name.
fn named(found: &Relationship, name: &str) -> bool {
    match &found.link {
        Link::Computed { function_name, .. } => function_name == name,
        Link::ToOne { constraint, columns } => {
            found.foreign_name == name || constraint == name || single(columns, |pair| &pair.0, name)
        }
        Link::FromMany { constraint, .. } => found.foreign_name == name || constraint == name,
        Link::Through { .. } => found.foreign_name == name,
    }
}

fn hinted(found: &Relationship, hint: &str) -> bool {
    match &found.link {
        Link::ToOne { constraint, columns } => {
            constraint == hint || single(columns, |pair| &pair.0, hint) || single(columns, |pair| &pair.1, hint)
        }
        Link::FromMany { constraint, columns, .. } => {
            constraint == hint || single(columns, |pair| &pair.1, hint) || single(columns, |pair| &pair.0, hint)
        }
        Link::Through { junction_name, constraints, .. } => {
            junction_name == hint || constraints.iter().any(|constraint| constraint == hint)
        }
        Link::Computed { .. } => false,
    }
}

fn single<'a>(columns: &'a [(String, String)], side: impl Fn(&'a (String, String)) -> &'a String, name: &str) -> bool {
    matches!(columns, [pair] if side(pair) == name)
}

/// A key from a relation to itself is found twice; its column means the one referred to, anything else those that refer.
fn self_reference<'a>(
    origin: &Relation,
    request: &EmbedRequest,
    several: &[&'a Relationship],
) -> Option<&'a Relationship> {
    let [left, right] = several else { return None };
    if left.foreign_name != origin.name || right.foreign_name != origin.name || constraint(left)? != constraint(right)?
    {
        return None;
    }
    let by_column = |found: &Relationship| match (&found.link, &request.hint) {
        (Link::ToOne { columns, .. }, Some(hint)) => single(columns, |pair| &pair.0, hint),
        _ => false,
    };
    let many = [left, right].into_iter().find(|found| matches!(found.link, Link::FromMany { .. }));
    [left, right].into_iter().find(|found| by_column(found)).or(many).copied()
}

fn constraint(found: &Relationship) -> Option<&str> {
    match &found.link {
        Link::ToOne { constraint, .. } | Link::FromMany { constraint, .. } => Some(constraint),
        _ => None,
    }
}

fn none(cache: &SchemaCache, origin: &Relation, request: &EmbedRequest) -> Error {
    let (from, to, schema) = (&origin.name, &request.relation, &origin.schema);
    let hinted = request.hint.as_ref().map(|hint| format!(" using the hint '{hint}'")).unwrap_or_default();
    let error = Error::new(400, "PGRST200", format!("Could not find a relationship between '{from}' and '{to}' in the schema cache")).details(
        format!("Searched for a foreign key relationship between '{from}' and '{to}'{hinted} in the schema '{schema}', but no matches were found."),
    );
    let known = cache.relationships(schema, from).iter().filter(|found| found.foreign_schema == *schema);
    match super::super::similar::closest(to, known.map(|found| found.foreign_name.as_str())) {
        Some(similar) if similar != to => error.hint(format!("Perhaps you meant '{similar}' instead of '{to}'.")),
        _ => error,
    }
}

fn ambiguous(origin: &Relation, request: &EmbedRequest, several: &[&Relationship]) -> Error {
    let (from, to) = (&origin.name, &request.relation);
    let choices: Vec<String> =
        several.iter().map(|found| format!("'{}!{}'", found.foreign_name, choice(found))).collect();
    let details: Vec<Value> = several.iter().map(|found| describe(origin, found)).collect();
    Error::new(
        300,
        "PGRST201",
        format!("Could not embed because more than one relationship was found for '{from}' and '{to}'"),
    )
    .details(details)
    .hint(format!(
        "Try changing '{to}' to one of the following: {}. Find the desired relationship in the 'details' key.",
        choices.join(", ")
    ))
}

fn choice(found: &Relationship) -> &str {
    match &found.link {
        Link::ToOne { constraint, .. } | Link::FromMany { constraint, .. } => constraint,
        Link::Through { junction_name, .. } => junction_name,
        Link::Computed { function_name, .. } => function_name,
    }
}

fn describe(origin: &Relation, found: &Relationship) -> Value {
    let (from, to) = (&origin.name, &found.foreign_name);
    let side = |columns: &[(String, String)], far: bool| {
        columns.iter().map(|pair| if far { pair.1.as_str() } else { pair.0.as_str() }).collect::<Vec<_>>().join(", ")
    };
    let (cardinality, relationship) = match &found.link {
        Link::ToOne { constraint, columns } => (
            "many-to-one",
            format!("{constraint} using {from}({}) and {to}({})", side(columns, false), side(columns, true)),
        ),
        Link::FromMany { constraint, columns, single } => (
            if *single { "one-to-one" } else { "one-to-many" },
            format!("{constraint} using {from}({}) and {to}({})", side(columns, false), side(columns, true)),
        ),
        Link::Through { junction_name, constraints: [near_key, far_key], near, far, .. } => (
            "many-to-many",
            format!("{junction_name} using {near_key}({}) and {far_key}({})", side(near, true), side(far, false)),
        ),
        Link::Computed { function_name, .. } => ("computed", function_name.clone()),
    };
    json!({"cardinality": cardinality, "embedding": format!("{from} with {to}"), "relationship": relationship})
}
