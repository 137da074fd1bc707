//! Statements for composite types and their attributes, range types and collations.

use super::definitions::same_but;
use super::{Change, Piece, literal, owner};
use crate::catalog::{Fact, Identity, Kind};

/// `create type … as (…)` with its attributes in order.
pub(crate) fn create_composite(fact: &Fact, attributes: &[&Fact]) -> Vec<Piece> {
    let list: Vec<_> = attributes.iter().map(|attribute| definition(attribute)).collect();
    vec![Piece::new(format!("create type {} as ({})", fact.identity.path(), list.join(", ")))]
}

fn definition(attribute: &Fact) -> String {
    let collation = attribute.optional("collation").map(|name| format!(" collate {name}")).unwrap_or_default();
    format!("{} {}{collation}", attribute.identity.last(), attribute.text("type"))
}

/// `add attribute` to a composite type that is there.
pub(crate) fn add_attribute(fact: &Fact) -> Piece {
    Piece::new(format!("alter type {} add attribute {}", fact.identity.prefix(), definition(fact)))
}

/// `drop attribute`; what columns hold in it is lost.
pub(crate) fn drop_attribute(fact: &Fact) -> Piece {
    Piece::after_data(format!("alter type {} drop attribute {}", fact.identity.prefix(), fact.identity.last()))
}

/// Another type for an attribute; Postgres does this only while no column is of the composite type.
pub(crate) fn alter_attribute(to: &Fact) -> Change {
    let collation = to.optional("collation").map(|name| format!(" collate {name}")).unwrap_or_default();
    Change::InPlace(vec![Piece::new(format!(
        "alter type {} alter attribute {} type {}{collation}",
        to.identity.prefix(),
        to.identity.last(),
        to.text("type")
    ))])
}

/// `create type … as range` with the name of its multirange type.
pub(crate) fn create_range(fact: &Fact) -> String {
    let mut parts = vec![format!("subtype = {}", fact.text("subtype"))];
    for (field, word) in [
        ("operator_class", "subtype_opclass"),
        ("collation", "collation"),
        ("difference", "subtype_diff"),
        ("multirange", "multirange_type_name"),
    ] {
        if let Some(value) = fact.optional(field) {
            parts.push(format!("{word} = {value}"));
        }
    }
    format!("create type {} as range ({})", fact.identity.path(), parts.join(", "))
}

/// The owner and the name of the multirange type change in place.
pub(crate) fn alter_range(from: &Fact, to: &Fact) -> Change {
    let (old, new) =
        (Identity::new(Kind::Range, from.text("multirange")), Identity::new(Kind::Range, to.text("multirange")));
    if !same_but(from, to, &["multirange", "owner"]) || old.prefix() != new.prefix() {
        return Change::Replace;
    }
    let mut pieces = Vec::new();
    if old != new {
        pieces.push(Piece::new(format!("alter type {} rename to {}", old.path(), new.last())));
    }
    pieces.extend(owner(from, to, "type"));
    Change::InPlace(pieces)
}

/// `create collation` for its provider.
pub(crate) fn create_collation(fact: &Fact) -> String {
    let mut parts = vec![format!("provider = {}", fact.text("provider"))];
    for (field, word) in
        [("locale", "locale"), ("lc_collate", "lc_collate"), ("lc_ctype", "lc_ctype"), ("rules", "rules")]
    {
        if let Some(value) = fact.optional(field) {
            parts.push(format!("{word} = {}", literal(value)));
        }
    }
    if !fact.flag("deterministic") {
        parts.push("deterministic = false".to_owned());
    }
    format!("create collation {} ({})", fact.identity.path(), parts.join(", "))
}

/// Only the owner of a collation changes in place.
pub(crate) fn alter_collation(from: &Fact, to: &Fact) -> Change {
    if same_but(from, to, &["owner"]) { Change::InPlace(owner(from, to, "collation")) } else { Change::Replace }
}
