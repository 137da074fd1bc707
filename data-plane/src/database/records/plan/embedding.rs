//! Finds the relationship an embed means.

use serde_json::{Value, json};

use super::super::{error::Error, fuzzy, query::EmbedRequest};
use crate::database::schema_cache::{Link, Relation, Relationship, SchemaCache};

/// The one relationship between `origin` and what the request names.
pub(super) fn resolve(cache: &SchemaCache, origin: &Relation, request: &EmbedRequest) -> Result<Relationship, Error> {
    let all =
        cache.relationships(&origin.schema, &origin.name).iter().filter(|found| found.foreign_schema == origin.schema);
    let mut found: Vec<&Relationship> = all.filter(|found| meant(found, origin, request)).collect();
    if found.iter().any(|found| matches!(found.link, Link::Computed { .. })) {
        // A function is written to settle an ambiguity, so it wins over what foreign keys offer.
        found.retain(|found| matches!(found.link, Link::Computed { .. }));
    }
    match found.as_slice() {
        [] => Err(none(cache, origin, request)),
        [only] => Ok((*only).clone()),
        several => Err(ambiguous(origin, request, several)),
    }
}

fn meant(found: &Relationship, origin: &Relation, request: &EmbedRequest) -> bool {
    let target = &request.relation;
    if let Link::Computed { function_name, .. } = &found.link {
        return function_name == target;
    }
    let itself = found.foreign_name == origin.name;
    let named = found.foreign_name == *target;
    match (&request.hint, itself) {
        // One key between a relation and itself makes two relationships: its column means the row referred to, the relation's
        // name those that refer.
        (None, true) => match &found.link {
            Link::ToOne { columns, .. } => single(columns, |pair| &pair.0, target),
            Link::FromMany { .. } => named,
            _ => false,
        },
        (Some(hint), true) => {
            named
                && match &found.link {
                    Link::FromMany { columns, .. } => single(columns, |pair| &pair.1, hint),
                    Link::Through { junction_name, .. } => junction_name == hint,
                    _ => false,
                }
        }
        (None, false) => {
            named
                || (!found.foreign_view
                    && key_of(found).is_some_and(|(constraint, columns)| {
                        constraint == target || single(columns, |pair| &pair.0, target)
                    }))
        }
        (Some(hint), false) => {
            named
                && match &found.link {
                    Link::Through { junction_name, .. } => junction_name == hint,
                    _ => key_of(found).is_some_and(|(constraint, columns)| {
                        constraint == hint
                            || single(columns, |pair| &pair.0, hint)
                            || single(columns, |pair| &pair.1, hint)
                    }),
                }
        }
    }
}

/// The foreign key between the two, if it is one.
fn key_of(found: &Relationship) -> Option<(&str, &[(String, String)])> {
    match &found.link {
        Link::ToOne { constraint, columns, .. } | Link::FromMany { constraint, columns, .. } => {
            Some((constraint, columns))
        }
        Link::Through { .. } | Link::Computed { .. } => None,
    }
}

fn single<'a>(columns: &'a [(String, String)], side: impl Fn(&'a (String, String)) -> &'a String, name: &str) -> bool {
    matches!(columns, [pair] if side(pair) == name)
}

fn none(cache: &SchemaCache, origin: &Relation, request: &EmbedRequest) -> Error {
    let (from, to, schema) = (&origin.name, &request.relation, &origin.schema);
    let hinted = request.hint.as_ref().map(|hint| format!(" using the hint '{hint}'")).unwrap_or_default();
    let error = Error::new(400, "PGRST200", format!("Could not find a relationship between '{from}' and '{to}' in the schema cache")).details(
        format!("Searched for a foreign key relationship between '{from}' and '{to}'{hinted} in the schema '{schema}', but no matches were found."),
    );
    let known = cache.relationships(schema, from);
    let (wrong, suggested) = if known.is_empty() {
        (from, fuzzy::closest(from, cache.related(schema)))
    } else {
        let there = known.iter().filter(|found| found.foreign_schema == *schema);
        (to, fuzzy::closest(to, there.map(|found| found.foreign_name.as_str())))
    };
    match suggested {
        Some(similar) => error.hint(format!("Perhaps you meant '{similar}' instead of '{wrong}'.")),
        None => error,
    }
}

fn ambiguous(origin: &Relation, request: &EmbedRequest, several: &[&Relationship]) -> Error {
    let (from, to) = (&origin.name, &request.relation);
    let mut several = several.to_vec();
    several.sort_by_key(|found| (choice(found), found.foreign_name.as_str()));
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
    let key = |constraint: &str, columns: &[(String, String)]| {
        format!("{constraint} using {from}({}) and {to}({})", side(columns, false), side(columns, true))
    };
    let (cardinality, relationship) = match &found.link {
        Link::ToOne { constraint, columns, unique } => {
            (if *unique { "one-to-one" } else { "many-to-one" }, key(constraint, columns))
        }
        Link::FromMany { constraint, columns, single } => {
            (if *single { "one-to-one" } else { "one-to-many" }, key(constraint, columns))
        }
        Link::Through { junction_name, constraints: [near_key, far_key], near, far, .. } => (
            "many-to-many",
            format!("{junction_name} using {near_key}({}) and {far_key}({})", side(near, true), side(far, false)),
        ),
        Link::Computed { function_name, .. } => ("computed", function_name.clone()),
    };
    json!({"cardinality": cardinality, "embedding": format!("{from} with {to}"), "relationship": relationship})
}
