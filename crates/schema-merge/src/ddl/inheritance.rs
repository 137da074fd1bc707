//! Statements that put a table under another or make it one of a type, and take it out.

use super::Piece;
use crate::catalog::{Fact, Kind};

/// Attaches a partition, or makes a table inherit.
pub(crate) fn create(fact: &Fact) -> Piece {
    let (child, of) = (child(fact), fact.text("of"));
    Piece::new(match fact.kind {
        Kind::Partition => format!("alter table {of} attach partition {child} {}", fact.text("bound")),
        _ => format!("alter table {child} inherit {of}"),
    })
}

/// Detaches a partition, or makes a table no longer inherit.
pub(crate) fn drop(fact: &Fact) -> Piece {
    let (child, of) = (child(fact), fact.text("of"));
    Piece::new(match fact.kind {
        Kind::Partition => format!("alter table {of} detach partition {child}"),
        _ => format!("alter table {child} no inherit {of}"),
    })
}

/// `inherits (…)` of a new table.
pub(crate) fn clause(links: &[&Fact]) -> String {
    if links.is_empty() {
        return String::new();
    }
    format!(" inherits ({})", links.iter().map(|link| link.text("of")).collect::<Vec<_>>().join(", "))
}

/// Makes a table one of a composite type; its columns must be the type's attributes by then.
pub(crate) fn of_type(fact: &Fact) -> String {
    format!("alter table {} of {}", fact.identity.path(), fact.text("of"))
}

/// Makes it an ordinary table with the same columns.
pub(crate) fn not_of_type(fact: &Fact) -> String {
    format!("alter table {} not of", fact.identity.path())
}

fn child(fact: &Fact) -> &str {
    fact.parent.as_ref().map(crate::catalog::Identity::path).unwrap_or_default()
}
