//! Statements for enums.

use hashbrown::HashSet;

use super::literal;
use crate::catalog::{Fact, Identity};

/// `create type … as enum` with all labels.
pub(crate) fn create_enum(fact: &Fact) -> String {
    let labels: Vec<_> = fact.list("labels").into_iter().map(literal).collect();
    format!("create type {} as enum ({})", fact.identity.path(), labels.join(", "))
}

/// Labels that carry another name, told by their oids, in an order in which each new name is free.
///
/// Two databases that grew apart may give one oid to different labels, so only oids up to `horizon`, the highest that both are known
/// to share, say anything.
pub(crate) fn label_renames(from: &Fact, to: &Fact, horizon: u64) -> Vec<(String, String)> {
    let (old, new) = (from.list("labels"), to.list("labels"));
    let told = from.lineage.object.is_some() && from.lineage.object == to.lineage.object;
    if !told || from.lineage.labels.len() != old.len() || to.lineage.labels.len() != new.len() {
        return Vec::new();
    }
    let mut pending: Vec<(&str, &str)> = Vec::new();
    for (label, oid) in old.iter().zip(&from.lineage.labels) {
        let known = oid.parse::<u64>().is_ok_and(|number| number <= horizon);
        let now = to.lineage.labels.iter().position(|other| other == oid).map(|at| new[at]);
        if let Some(now) = now.filter(|now| known && now != label) {
            pending.push((label, now));
        }
    }
    let mut taken: HashSet<&str> = old.into_iter().collect();
    let mut renames = Vec::new();
    while let Some(at) = pending.iter().position(|(_, now)| !taken.contains(now)) {
        let (before, after) = pending.remove(at);
        taken.remove(before);
        taken.insert(after);
        renames.push((before.to_owned(), after.to_owned()));
    }
    renames
}

/// The statements for renamed labels.
pub(crate) fn rename_labels(identity: &Identity, renames: &[(String, String)]) -> Vec<String> {
    let rename = |(before, after): &(String, String)| {
        format!("alter type {} rename value {} to {}", identity.path(), literal(before), literal(after))
    };
    renames.iter().map(rename).collect()
}

/// The labels of an enum once they carry their new names.
pub(crate) fn relabelled<'a>(fact: &'a Fact, renames: &'a [(String, String)]) -> Vec<&'a str> {
    let now =
        |label: &'a str| renames.iter().find(|(before, _)| before == label).map_or(label, |(_, after)| after.as_str());
    fact.list("labels").into_iter().map(now).collect()
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

    #[test]
    fn labels_are_renamed_by_oid_where_both_sides_share_it() {
        let of = |labels: &[(&str, u64)]| {
            let fields = serde_json::json!({ "labels": labels.iter().map(|(label, _)| *label).collect::<Vec<_>>() });
            let lineage = crate::catalog::Lineage {
                object: Some("1247:5:0".to_owned()),
                labels: labels.iter().map(|(_, oid)| oid.to_string()).collect(),
                ..Default::default()
            };
            Fact {
                identity: Identity::new(Kind::Enum, "public.e"),
                kind: Kind::Enum,
                parent: None,
                fields: fields.into(),
                depends_on: Vec::new(),
                lineage,
            }
        };
        let (old, new) = (of(&[("a", 6), ("b", 7), ("x", 90)]), of(&[("b", 6), ("c", 7), ("y", 90)]));
        let renames = label_renames(&old, &new, 10);
        assert_eq!(renames, [("b".to_owned(), "c".to_owned()), ("a".to_owned(), "b".to_owned())]);
        assert_eq!(relabelled(&old, &renames), ["b", "c", "x"]);
        assert!(label_renames(&old, &new, 5).is_empty());
    }
}
