//! Statements for enums and domains.

use serde_json::Value;

use super::{Change, Piece, literal, owner};
use crate::catalog::{Fact, Identity};

/// `create type … as enum` with all labels.
pub(crate) fn create_enum(fact: &Fact) -> String {
    let labels: Vec<_> = fact.list("labels").into_iter().map(literal).collect();
    format!("create type {} as enum ({})", fact.identity.path(), labels.join(", "))
}

/// The `add value` statements that turn one list of labels into another, or `None` when labels went away or moved.
pub(crate) fn enum_additions(identity: &Identity, from: &[&str], to: &[&str]) -> Option<Vec<String>> {
    let kept: Vec<_> = to.iter().filter(|label| from.contains(label)).collect();
    if kept.len() != from.len() || kept.iter().zip(from).any(|(kept, old)| *kept != old) {
        return None;
    }
    let path = identity.path();
    let mut statements = Vec::new();
    // Labels before the first old one are added from the right, so that each has a neighbour that exists.
    let first_old = to.iter().position(|label| from.contains(label)).unwrap_or(to.len());
    for index in (0..first_old).rev() {
        let place = to.get(index + 1).map(|next| format!(" before {}", literal(next))).unwrap_or_default();
        statements.push(format!("alter type {path} add value {}{place}", literal(to[index])));
    }
    for index in first_old + 1..to.len() {
        if !from.contains(&to[index]) {
            statements.push(format!(
                "alter type {path} add value {} after {}",
                literal(to[index]),
                literal(to[index - 1])
            ));
        }
    }
    Some(statements)
}

/// `create domain` with all its checks by name.
pub(crate) fn create_domain(fact: &Fact) -> String {
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
    for (name, check) in checks(fact) {
        text += &format!(" constraint {name} {check}");
    }
    text
}

fn checks(fact: &Fact) -> Vec<(String, String)> {
    let map = fact.fields.get("checks").and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .map(|(name, check)| (name.clone(), check.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// Default, not null, checks and owner change in place; another base type needs columns rewritten and is refused.
pub(crate) fn alter_domain(from: &Fact, to: &Fact) -> Change {
    if from.text("base") != to.text("base") || from.fields.get("collation") != to.fields.get("collation") {
        return Change::Impossible("the base type of a domain changed");
    }
    let path = to.identity.path();
    let mut pieces = Vec::new();
    if from.optional("default") != to.optional("default") {
        let clause = to
            .optional("default")
            .map_or_else(|| "drop default".to_owned(), |default| format!("set default {default}"));
        pieces.push(Piece::new(format!("alter domain {path} {clause}")));
    }
    if from.flag("not_null") != to.flag("not_null") {
        pieces.push(Piece::new(format!(
            "alter domain {path} {} not null",
            if to.flag("not_null") { "set" } else { "drop" }
        )));
    }
    let (old, new) = (checks(from), checks(to));
    pieces.extend(
        old.iter()
            .filter(|check| !new.contains(check))
            .map(|(name, _)| Piece::new(format!("alter domain {path} drop constraint {name}"))),
    );
    pieces.extend(
        new.iter()
            .filter(|check| !old.contains(check))
            .map(|(name, check)| Piece::new(format!("alter domain {path} add constraint {name} {check}"))),
    );
    pieces.extend(owner(from, to, "domain"));
    Change::InPlace(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Kind;

    fn additions(from: &[&str], to: &[&str]) -> Option<Vec<String>> {
        enum_additions(&Identity::new(Kind::Enum, "public.e"), from, to)
    }

    #[test]
    fn labels_are_added_in_place() {
        assert_eq!(
            additions(&["b"], &["a0", "a", "b", "c"]).expect("only additions"),
            [
                "alter type public.e add value 'a' before 'b'",
                "alter type public.e add value 'a0' before 'a'",
                "alter type public.e add value 'c' after 'b'",
            ]
        );
    }

    #[test]
    fn removed_and_moved_labels_need_a_new_type() {
        assert!(additions(&["a", "b"], &["a"]).is_none());
        assert!(additions(&["a", "b"], &["b", "a"]).is_none());
    }
}
