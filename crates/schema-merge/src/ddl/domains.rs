//! Statements for domains and their checks.

use super::definitions::same_but;
use super::{Change, Piece, owner};
use crate::catalog::Fact;

/// `create domain` with those of its checks that need nothing that comes later.
pub(crate) fn create_domain(fact: &Fact, checks: &[&Fact]) -> Piece {
    let mut text = format!("create domain {} as {}", fact.identity.path(), fact.text("base"));
    if let Some(collation) = fact.optional("collation") {
        text += &format!(" collate {collation}");
    }
    if let Some(default) = fact.optional("default") {
        text += &format!(" default {default}");
    }
    if fact.flag("not_null") {
        text += " not null";
    }
    for check in checks {
        text += &format!(" constraint {} {}", check.identity.last(), check.text("definition"));
    }
    Piece::new(text)
}

/// Default, not null and owner change in place; another base type or collation needs a new domain.
pub(crate) fn alter_domain(from: &Fact, to: &Fact) -> Change {
    if !same_but(from, to, &["default", "not_null", "owner"]) {
        return Change::Replace;
    }
    let path = to.identity.path();
    let mut pieces = Vec::new();
    if from.optional("default") != to.optional("default") {
        let clause = to
            .optional("default")
            .map_or_else(|| "drop default".to_owned(), |default| format!("set default {default}"));
        pieces.push(Piece::new(format!("alter domain {path} {clause}")));
    }
    match (from.flag("not_null"), to.flag("not_null")) {
        (false, true) => pieces.push(Piece::after_data(format!("alter domain {path} set not null"))),
        (true, false) => pieces.push(Piece::new(format!("alter domain {path} drop not null"))),
        _ => {}
    }
    pieces.extend(owner(from, to, "domain"));
    Change::InPlace(pieces)
}

/// `add constraint` to a domain.
pub(crate) fn add_check(fact: &Fact) -> Piece {
    let (domain, name) = (fact.identity.prefix(), fact.identity.last());
    Piece::after_data(format!("alter domain {domain} add constraint {name} {}", fact.text("definition")))
}

/// `drop constraint` from a domain.
pub(crate) fn drop_check(fact: &Fact) -> Piece {
    Piece::new(format!("alter domain {} drop constraint {}", fact.identity.prefix(), fact.identity.last()))
}

/// A check that only becomes valid is validated in place.
pub(crate) fn alter_check(from: &Fact, to: &Fact) -> Change {
    if from.text("definition").strip_suffix(" NOT VALID") == Some(to.text("definition")) {
        let (domain, name) = (to.identity.prefix(), to.identity.last());
        return Change::InPlace(vec![Piece::after_data(format!("alter domain {domain} validate constraint {name}"))]);
    }
    Change::Replace
}
