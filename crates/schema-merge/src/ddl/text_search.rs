//! Statements for text search dictionaries and configurations.

use serde_json::Value;

use super::definitions::same_but;
use super::{Change, Piece, owner};
use crate::catalog::Fact;

/// `create text search dictionary` with its template and options.
pub(crate) fn create_dictionary(fact: &Fact) -> String {
    let options = fact.optional("options").map(|options| format!(", {options}")).unwrap_or_default();
    format!("create text search dictionary {} (template = {}{options})", fact.identity.path(), fact.text("template"))
}

/// Options change in place one by one; the template is fixed.
pub(crate) fn alter_dictionary(from: &Fact, to: &Fact) -> Change {
    if !same_but(from, to, &["options", "owner"]) {
        return Change::Replace;
    }
    let (old, new) = (options(from.text("options")), options(to.text("options")));
    let mut clauses: Vec<String> = old
        .iter()
        .filter(|(name, _)| !new.iter().any(|(other, _)| other == name))
        .map(|(name, _)| (*name).to_owned())
        .collect();
    // The stored text keeps the order in which options were set, so all of them are set when any differs.
    if old != new {
        clauses.extend(new.iter().map(|(name, value)| format!("{name} = {value}")));
    }
    let mut pieces = Vec::new();
    if !clauses.is_empty() {
        pieces.push(Piece::new(format!(
            "alter text search dictionary {} ({})",
            to.identity.path(),
            clauses.join(", ")
        )));
    }
    pieces.extend(owner(from, to, "text search dictionary"));
    Change::InPlace(pieces)
}

/// Splits `a = 'x', b = 'y'` at commas outside quotes.
fn options(text: &str) -> Vec<(&str, &str)> {
    let (mut parts, mut start, mut single, mut double) = (Vec::new(), 0, false, false);
    for (index, character) in text.char_indices() {
        match character {
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            ',' if !single && !double => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().filter_map(|part| part.split_once('=')).map(|(name, value)| (name.trim(), value.trim())).collect()
}

/// `create text search configuration` with a mapping for each kind of token.
pub(crate) fn create_configuration(fact: &Fact) -> Vec<Piece> {
    let path = fact.identity.path();
    let mut pieces =
        vec![Piece::new(format!("create text search configuration {path} (parser = {})", fact.text("parser")))];
    pieces.extend(mapping_changes(path, &[], &mappings(fact)));
    pieces
}

/// Mappings change in place; the parser is fixed.
pub(crate) fn alter_configuration(from: &Fact, to: &Fact) -> Change {
    if !same_but(from, to, &["mappings", "owner"]) {
        return Change::Replace;
    }
    let mut pieces = mapping_changes(to.identity.path(), &mappings(from), &mappings(to));
    pieces.extend(owner(from, to, "text search configuration"));
    Change::InPlace(pieces)
}

fn mappings(fact: &Fact) -> Vec<(String, String)> {
    let map = fact.fields.get("mappings").and_then(Value::as_object);
    let list = |value: &Value| {
        let names: Vec<_> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        names.join(", ")
    };
    map.into_iter().flatten().map(|(token, dictionaries)| (token.clone(), list(dictionaries))).collect()
}

fn mapping_changes(path: &str, old: &[(String, String)], new: &[(String, String)]) -> Vec<Piece> {
    let known = |list: &[(String, String)], token: &str| list.iter().any(|(other, _)| other == token);
    let mut clauses = Vec::new();
    for (token, _) in old.iter().filter(|(token, _)| !known(new, token)) {
        clauses.push(format!("drop mapping for {token}"));
    }
    for entry in new.iter().filter(|entry| !old.contains(entry)) {
        let word = if known(old, &entry.0) { "alter" } else { "add" };
        clauses.push(format!("{word} mapping for {} with {}", entry.0, entry.1));
    }
    clauses.into_iter().map(|clause| Piece::new(format!("alter text search configuration {path} {clause}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_split_outside_quotes() {
        assert_eq!(
            options("language = 'english', stopwords = 'a, ''b'"),
            [("language", "'english'"), ("stopwords", "'a, ''b'")]
        );
        assert!(options("").is_empty());
    }
}
