//! Statements for foreign-data wrappers, foreign servers, user mappings and foreign tables.

use super::relations::column_definition;
use super::{Change, Piece, literal, owner, relations};
use crate::catalog::{Fact, Kind};

/// Creates a wrapper, a server or a user mapping.
pub(crate) fn create(fact: &Fact) -> Piece {
    let path = fact.identity.path();
    let options = options_clause(fact, "options");
    Piece::session(match fact.kind {
        Kind::ForeignDataWrapper => {
            format!("create foreign data wrapper {path}{}{options}", wrapper_functions(None, fact))
        }
        Kind::ForeignServer => {
            let said = |word: &str, field: &str| {
                fact.optional(field).map(|value| format!(" {word} {}", literal(value))).unwrap_or_default()
            };
            let (kind, version) = (said("type", "type"), said("version", "version"));
            format!("create server {path}{kind}{version} foreign data wrapper {}{options}", fact.text("wrapper"))
        }
        _ => format!("create user mapping for {} server {}{options}", fact.text("role"), fact.text("server")),
    })
}

/// Drops one of them.
pub(crate) fn drop(fact: &Fact) -> Piece {
    let path = fact.identity.path();
    Piece::session(match fact.kind {
        Kind::ForeignDataWrapper => format!("drop foreign data wrapper {path}"),
        Kind::ForeignServer => format!("drop server {path}"),
        _ => format!("drop user mapping for {} server {}", fact.text("role"), fact.text("server")),
    })
}

/// Changes one of them; a server keeps its wrapper and type.
pub(crate) fn alter(from: &Fact, to: &Fact) -> Change {
    let path = to.identity.path();
    let options = option_changes(from, to, "options");
    let mut pieces = Vec::new();
    let mut put = |head: String, middle: String| {
        let options = options.clone().map(|options| format!(" {options}")).unwrap_or_default();
        if !middle.is_empty() || !options.is_empty() {
            pieces.push(Piece::session(format!("{head}{middle}{options}")));
        }
    };
    match to.kind {
        Kind::ForeignDataWrapper => {
            put(format!("alter foreign data wrapper {path}"), wrapper_functions(Some(from), to));
            pieces.extend(owner(from, to, "foreign data wrapper"));
        }
        Kind::ForeignServer => {
            if from.text("wrapper") != to.text("wrapper") || from.optional("type") != to.optional("type") {
                return Change::Replace;
            }
            let version = match (from.optional("version"), to.optional("version")) {
                (old, new) if old == new => String::new(),
                (_, new) => format!(" version {}", new.map_or_else(|| "null".to_owned(), literal)),
            };
            if version.ends_with("null") {
                return Change::Replace;
            }
            put(format!("alter server {path}"), version);
            pieces.extend(owner(from, to, "server"));
        }
        _ => put(format!("alter user mapping for {} server {}", to.text("role"), to.text("server")), String::new()),
    }
    Change::InPlace(pieces)
}

fn wrapper_functions(from: Option<&Fact>, to: &Fact) -> String {
    let mut text = String::new();
    for field in ["handler", "validator"] {
        let (old, new) = (from.and_then(|from| from.optional(field)), to.optional(field));
        match new {
            Some(name) if old != new => text += &format!(" {field} {name}"),
            None if old.is_some() => text += &format!(" no {field}"),
            _ => {}
        }
    }
    text
}

/// `create foreign table` with its columns.
pub(crate) fn create_table(table: &Fact, columns: &[(&Fact, Option<&Fact>)], inherits: &str) -> Vec<Piece> {
    let definitions: Vec<_> =
        columns.iter().map(|(column, default)| format!("  {}", column_definition(column, *default))).collect();
    let body = if definitions.is_empty() { String::new() } else { format!("\n{}\n", definitions.join(",\n")) };
    let options = options_clause(table, "options");
    let (path, server) = (table.identity.path(), table.text("server"));
    let mut pieces =
        vec![Piece::new(format!("create foreign table {path} ({body}){inherits} server {server}{options}"))];
    pieces.extend(columns.iter().flat_map(|(column, _)| relations::storage(None, column)));
    pieces
}

/// Options and owner of a foreign table change in place.
pub(crate) fn alter_table(from: &Fact, to: &Fact) -> Change {
    if from.text("server") != to.text("server") {
        return Change::Replace;
    }
    let mut pieces: Vec<_> = option_changes(from, to, "options")
        .map(|options| Piece::new(format!("alter foreign table {} {options}", to.identity.path())))
        .into_iter()
        .collect();
    pieces.extend(owner(from, to, "foreign table"));
    Change::InPlace(pieces)
}

/// The statement for the options of a foreign table's column.
pub(crate) fn column_options(from: Option<&Fact>, column: &Fact) -> Option<Piece> {
    let empty = Fact { fields: Default::default(), ..column.clone() };
    let options = option_changes(from.unwrap_or(&empty), column, "foreign_options")?;
    let (table, name) = (column.identity.prefix(), column.identity.last());
    Some(Piece::new(format!("alter foreign table {table} alter column {name} {options}")))
}

fn options_clause(fact: &Fact, field: &str) -> String {
    let options: Vec<_> = fact.list(field).iter().map(|entry| option(fact, entry)).collect();
    if options.is_empty() { String::new() } else { format!(" options ({})", options.join(", ")) }
}

fn option(fact: &Fact, entry: &str) -> String {
    let real = fact.lineage.secrets.reveal(entry);
    let (name, value) = real.split_once('=').unwrap_or((real, ""));
    format!("{} {}", crate::catalog::quote_identifier(name), literal(value))
}

fn option_changes(from: &Fact, to: &Fact, field: &str) -> Option<String> {
    let name = |entry: &str| entry.split_once('=').map_or(entry, |(name, _)| name).to_owned();
    let (old, new) = (from.list(field), to.list(field));
    let had = |wanted: &str, list: &[&str]| list.iter().any(|entry| name(entry) == wanted);
    let mut changes: Vec<String> = old
        .iter()
        .map(|entry| name(entry))
        .filter(|wanted| !had(wanted, &new))
        .map(|gone| format!("drop {}", crate::catalog::quote_identifier(&gone)))
        .collect();
    for entry in new.iter().filter(|entry| !old.contains(entry)) {
        let word = if had(&name(entry), &old) { "set" } else { "add" };
        changes.push(format!("{word} {}", option(to, entry)));
    }
    (!changes.is_empty()).then(|| format!("options ({})", changes.join(", ")))
}
