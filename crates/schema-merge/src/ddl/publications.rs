//! Statements for publications and what they publish.

use super::{Change, Piece, owner, set_owner};
use crate::catalog::{Fact, Kind};

/// Creates a publication, or adds a table or schema to one.
pub(crate) fn create(fact: &Fact) -> Vec<Piece> {
    let path = fact.identity.path();
    match fact.kind {
        Kind::Publication => {
            let scope = match (fact.flag("all_tables"), fact.optional("all_sequences").is_some()) {
                (true, true) => " for all tables, all sequences",
                (true, false) => " for all tables",
                (false, true) => " for all sequences",
                (false, false) => "",
            };
            vec![
                Piece::session(format!("create publication {path}{scope} with ({})", options(fact))),
                set_owner(fact, "publication"),
            ]
        }
        _ => vec![Piece::session(format!("alter publication {} add {}", publication(fact), published(fact)))],
    }
}

/// Drops a publication, or takes a table or schema out of one.
pub(crate) fn drop(fact: &Fact) -> Piece {
    Piece::session(match fact.kind {
        Kind::Publication => format!("drop publication {}", fact.identity.path()),
        Kind::PublicationTable => {
            format!("alter publication {} drop table {}", publication(fact), fact.text("table"))
        }
        _ => format!("alter publication {} drop tables in schema {}", publication(fact), fact.text("schema")),
    })
}

/// Options and owner change in place, and what it publishes is made of other facts.
pub(crate) fn alter(from: &Fact, to: &Fact) -> Change {
    if to.kind != Kind::Publication
        || from.flag("all_tables") != to.flag("all_tables")
        || from.optional("all_sequences") != to.optional("all_sequences")
    {
        return Change::Replace;
    }
    let mut pieces = Vec::new();
    if options(from) != options(to) {
        pieces.push(Piece::session(format!("alter publication {} set ({})", to.identity.path(), options(to))));
    }
    pieces.extend(owner(from, to, "publication"));
    Change::InPlace(pieces)
}

fn options(fact: &Fact) -> String {
    let operations = fact.list("operations").join(", ");
    let generated = match fact.optional("generated_columns") {
        Some("s") => ", publish_generated_columns = stored",
        Some(_) => ", publish_generated_columns = none",
        None => "",
    };
    format!("publish = '{operations}', publish_via_partition_root = {}{generated}", fact.flag("via_root"))
}

fn publication(fact: &Fact) -> &str {
    fact.parent.as_ref().map(crate::catalog::Identity::path).unwrap_or_default()
}

fn published(fact: &Fact) -> String {
    if fact.kind == Kind::PublicationSchema {
        return format!("tables in schema {}", fact.text("schema"));
    }
    let columns = fact.optional("columns").map(|columns| format!(" ({columns})")).unwrap_or_default();
    let rows = fact.optional("where").map(|filter| format!(" where ({filter})")).unwrap_or_default();
    format!("table only {}{columns}{rows}", fact.text("table"))
}
