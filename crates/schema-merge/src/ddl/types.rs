//! Statements for enums.

use super::literal;
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
