//! Fields that are lists: enum labels keep their order, options and checks are keyed.

use serde_json::{Map, Value};

use crate::catalog::Kind;

/// Merges a list field that both sides changed; `None` when they disagree or the field is no such list.
pub(super) fn merge(kind: Kind, field: &str, base: Option<&Value>, target: &Value, source: &Value) -> Option<Value> {
    match (kind, field) {
        (Kind::Enum, "labels") => labels(base, target, source),
        // The options of an identity column's sequence, each by itself.
        (Kind::Column, "identity")
            if base.is_some_and(Value::is_object) && target.is_object() && source.is_object() =>
        {
            keyed(&object(base), &object(Some(target)), &object(Some(source))).map(Value::Object)
        }
        (Kind::TextSearchConfiguration, "mappings") => {
            keyed(&object(base), &object(Some(target)), &object(Some(source))).map(Value::Object)
        }
        (Kind::Table | Kind::View | Kind::Column, "options") | (Kind::Function, "config") => {
            let merged = keyed(&entries(base), &entries(Some(target)), &entries(Some(source)))?;
            let mut list: Vec<String> = merged
                .into_iter()
                .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
                .collect();
            list.sort();
            Some(list.into())
        }
        _ => None,
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .map(|items| items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default()
}

fn object(value: Option<&Value>) -> Map<String, Value> {
    value.and_then(Value::as_object).cloned().unwrap_or_default()
}

fn entries(value: Option<&Value>) -> Map<String, Value> {
    texts(value)
        .into_iter()
        .map(|entry| match entry.split_once('=') {
            Some((key, value)) => (key.to_owned(), Value::String(value.to_owned())),
            None => (entry, Value::String(String::new())),
        })
        .collect()
}

fn keyed(
    base: &Map<String, Value>,
    target: &Map<String, Value>,
    source: &Map<String, Value>,
) -> Option<Map<String, Value>> {
    let mut merged = target.clone();
    for key in base.keys().chain(source.keys()) {
        let (old, theirs, ours) = (base.get(key), target.get(key), source.get(key));
        if theirs == ours || ours == old {
            continue;
        }
        if theirs != old {
            return None;
        }
        match ours {
            Some(value) => merged.insert(key.clone(), value.clone()),
            None => merged.shift_remove(key),
        };
    }
    Some(merged)
}

/// The target's labels with the source's new ones put after the nearest label before them that both have.
///
/// Labels that the source removed go, unless the target moved things around too. Sides that both changed the order of the base's
/// labels, or that put a common new label in different places, disagree.
fn labels(base: Option<&Value>, target: &Value, source: &Value) -> Option<Value> {
    let (old, theirs, ours) = (texts(base), texts(Some(target)), texts(Some(source)));
    base?;
    let kept: Vec<&String> = old.iter().filter(|label| theirs.contains(label) && ours.contains(label)).collect();
    let order = |side: &[String]| side.iter().filter(|label| kept.contains(label)).cloned().collect::<Vec<_>>();
    if order(&theirs).iter().collect::<Vec<_>>() != kept || order(&ours).iter().collect::<Vec<_>>() != kept {
        return None;
    }
    let common = |side: &[String], other: &[String]| {
        side.iter().filter(|label| other.contains(label)).cloned().collect::<Vec<_>>()
    };
    if common(&theirs, &ours) != common(&ours, &theirs) {
        return None;
    }
    let mut merged: Vec<String> =
        theirs.iter().filter(|label| !old.contains(label) || ours.contains(label)).cloned().collect();
    for (index, label) in ours.iter().enumerate() {
        if merged.contains(label) || old.contains(label) {
            continue;
        }
        // Behind everything the target added at the same place, so that the target's order stays.
        let anchor = ours[..index].iter().rev().find_map(|before| merged.iter().position(|known| known == before));
        let mut place = anchor.map_or(0, |position| position + 1);
        while place < merged.len() && !ours.contains(&merged[place]) {
            place += 1;
        }
        merged.insert(place, label.clone());
    }
    Some(merged.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(base: &[&str], target: &[&str], source: &[&str]) -> Option<Value> {
        merge(Kind::Enum, "labels", Some(&json!(base)), &json!(target), &json!(source))
    }

    #[test]
    fn both_sides_may_add_labels() {
        assert_eq!(
            merged(&["a", "b"], &["a", "x", "b"], &["a", "y", "b", "z"]),
            Some(json!(["a", "x", "y", "b", "z"]))
        );
        assert_eq!(merged(&["a"], &["a", "n"], &["n0", "a", "n"]), Some(json!(["n0", "a", "n"])));
    }

    #[test]
    fn a_common_label_in_different_places_is_a_conflict() {
        assert_eq!(merged(&["a", "b"], &["a", "n", "b"], &["a", "b", "n"]), None);
    }

    #[test]
    fn options_merge_by_key() {
        let base = json!(["fillfactor=90"]);
        let target = json!(["autovacuum_enabled=false", "fillfactor=90"]);
        assert_eq!(
            merge(Kind::Table, "options", Some(&base), &target, &json!(["fillfactor=70"])),
            Some(json!(["autovacuum_enabled=false", "fillfactor=70"]))
        );
        assert_eq!(
            merge(Kind::Table, "options", Some(&base), &json!(["fillfactor=80"]), &json!(["fillfactor=70"])),
            None
        );
    }
}
