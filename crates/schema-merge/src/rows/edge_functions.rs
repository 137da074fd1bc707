//! Edge functions by slug; the code is one field. A merge never deletes one and never deploys.

use serde_json::{Map, Value, json};

use super::{RowsMerged, hash};
use crate::ddl::literal;
use crate::report::{Action, Change, Conflict, FieldConflict, Hazard, Object, ObjectType, Origin, Statement};
use crate::snapshot::EdgeFunction;

const FIELDS: [&str; 4] = ["name", "description", "code", "status"];

pub(super) fn merge(merged: &mut RowsMerged, base: &[EdgeFunction], target: &[EdgeFunction], source: &[EdgeFunction]) {
    let find = |rows: &[EdgeFunction], slug: &str| rows.iter().find(|row| row.slug == slug).map(fields);
    for row in source {
        one(merged, &row.slug, find(base, &row.slug), find(target, &row.slug), fields(row));
    }
    for row in base.iter().filter(|row| find(target, &row.slug).is_some() && find(source, &row.slug).is_none()) {
        let detail = "the branch deleted this function; a merge never deletes functions, so it stays".to_owned();
        merged.hazards.push(Hazard { class: "row_kept".to_owned(), object: format!("functions.{}", row.slug), detail });
    }
}

fn fields(row: &EdgeFunction) -> Map<String, Value> {
    let value = json!({ "name": row.name, "description": row.description, "code": row.code, "status": row.status });
    value.as_object().cloned().unwrap_or_default()
}

fn one(
    merged: &mut RowsMerged,
    slug: &str,
    base: Option<Map<String, Value>>,
    target: Option<Map<String, Value>>,
    source: Map<String, Value>,
) {
    let mut changed = Vec::new();
    let mut clashes = Vec::new();
    let value =
        |side: &Option<Map<String, Value>>, field: &str| side.as_ref().and_then(|side| side.get(field)).cloned();
    for field in FIELDS {
        let (old, theirs, ours) = (value(&base, field), value(&target, field), source.get(field).cloned());
        if theirs == ours || base.is_some() && ours == old {
            continue;
        }
        if base.is_none() && target.is_none() || base.is_some() && theirs == old {
            changed.push((field, ours.unwrap_or_default()));
        } else {
            clashes.push(FieldConflict {
                fact: format!("edge_function:{slug}"),
                field: field.to_owned(),
                base: old.unwrap_or_default(),
                target: theirs.unwrap_or_default(),
                source: ours.unwrap_or_default(),
            });
        }
    }
    let object = Object {
        schema: "functions".to_owned(),
        object: slug.to_owned(),
        object_type: ObjectType::EdgeFunction,
        kind: "edge_function".to_owned(),
    };
    if !clashes.is_empty() {
        let hashed = |side: Option<Map<String, Value>>| side.map(|side| hash(&Value::Object(side)));
        merged.conflicts.push(Conflict {
            object,
            parent_t0_hash: hashed(base),
            parent_now_hash: hashed(target),
            branch_now_hash: hashed(Some(source)),
            hint: format!(
                "Both sides changed the edge function {slug}. Deploy the version you want to both, or reset the branch."
            ),
            class: "S20".to_owned(),
            fields: clashes,
        });
        return;
    }
    if changed.is_empty() {
        return;
    }
    let (action, sql) =
        if target.is_some() { (Action::Modify, update(slug, &changed)) } else { (Action::Add, insert(slug, &source)) };
    merged.changes.push(Change { object: object.clone(), action, sql: sql.clone(), destructive: false });
    merged.statements.push(Statement { sql, role_hint: None, origin: Origin::Rows, object: Some(object) });
}

fn sql_value(value: &Value) -> String {
    value.as_str().map_or_else(|| "null".to_owned(), literal)
}

fn update(slug: &str, changed: &[(&str, Value)]) -> String {
    let set: Vec<_> = changed.iter().map(|(field, value)| format!("{field} = {}", sql_value(value))).collect();
    format!("update functions.definitions set {} where slug = {}", set.join(", "), literal(slug))
}

fn insert(slug: &str, source: &Map<String, Value>) -> String {
    let values: Vec<_> = FIELDS.iter().map(|field| source.get(*field).map(sql_value).unwrap_or_default()).collect();
    format!(
        "insert into functions.definitions (slug, {})\nvalues ({}, {})\non conflict (slug) do update set {}",
        FIELDS.join(", "),
        literal(slug),
        values.join(", "),
        FIELDS.map(|field| format!("{field} = excluded.{field}")).join(", "),
    )
}
