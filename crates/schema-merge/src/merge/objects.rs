//! The nearest thing the contract can name for a fact.

use crate::catalog::{Catalog, Fact, Identity, Kind, MAX_DEPTH, unquote_identifier};
use crate::plan::Unsupported;
use crate::report::{Object, ObjectType};

/// The contract's object a fact is shown under, found by walking up to its table, function or policy.
pub(crate) fn object_of(identity: &Identity, catalogs: &[&Catalog]) -> Object {
    let look = |identity: &Identity| catalogs.iter().find_map(|catalog| catalog.get(identity));
    let mut current = identity.clone();
    for _ in 0..MAX_DEPTH {
        match look(&current).filter(|fact| !stands_alone(fact)).and_then(|fact| fact.parent.clone()) {
            Some(parent) => current = parent,
            None => break,
        }
    }
    named(&current, look(&current))
}

fn named(identity: &Identity, fact: Option<&Fact>) -> Object {
    let names = identity.names();
    let plain = |parts: &[&str]| parts.iter().map(|part| unquote_identifier(part)).collect::<Vec<_>>().join(".");
    let kind = fact.map_or(Kind::Unmodelled, |fact| fact.kind);
    let (schema, object) = match (kind, names.as_slice()) {
        (Kind::Schema | Kind::Extension, _) => (String::new(), plain(&names)),
        (Kind::DefaultPrivilege, _) => (
            fact.map(|fact| unquote_identifier(fact.text("schema"))).unwrap_or_default(),
            format!("default privileges {}", identity.path()),
        ),
        (Kind::Function, [schema, rest @ ..]) => (unquote_identifier(schema), rest.join(".")),
        // What developers own on internal tables has no parent fact; its table is in its path.
        (Kind::Trigger, [schema, table, ..]) | (Kind::RowSecurity, [schema, table]) => {
            (unquote_identifier(schema), unquote_identifier(table))
        }
        (_, [schema, rest @ ..]) if !rest.is_empty() => (unquote_identifier(schema), plain(rest)),
        _ => (String::new(), plain(&names)),
    };
    if let Some(unmodelled) = fact.filter(|fact| fact.kind == Kind::Unmodelled) {
        let about = Unsupported::about(&unmodelled.identity, "");
        return Object { schema: about.schema, object: about.name, object_type: ObjectType::Table, kind: about.kind };
    }
    let (object_type, word) = match kind {
        Kind::Policy => (ObjectType::Policy, "policy"),
        Kind::Function => (ObjectType::Function, "function"),
        Kind::Trigger | Kind::RowSecurity => (ObjectType::Table, "table"),
        other => (ObjectType::Table, other.word()),
    };
    Object { schema, object, object_type, kind: word.to_owned() }
}

/// True when the fact is the object itself and not a part of it.
pub(super) fn is_whole(identity: &Identity, catalogs: &[&Catalog]) -> bool {
    catalogs
        .iter()
        .find_map(|catalog| catalog.get(identity))
        .is_some_and(|fact| fact.parent.is_none() && fact.kind != Kind::Comment || stands_alone(fact))
}

/// Shown as an object of its own although it hangs on another.
fn stands_alone(fact: &Fact) -> bool {
    matches!(fact.kind, Kind::Policy | Kind::Statistics)
}
