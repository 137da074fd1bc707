//! Edge functions by slug; the code is one field. A merge never deletes one and never deploys.

use serde_json::{Map, Value, json};

use super::{RowsMerged, Sides, hash, statement};
use crate::ddl::literal;
use crate::report::{Action, Change, Conflict, FieldConflict, Hazard, Object, ObjectType};
use crate::snapshot::EdgeFunction;

/// What a side says of one function, if it has it.
type Row = Option<Map<String, Value>>;

const FIELDS: [&str; 4] = ["name", "description", "code", "status"];

pub(super) fn merge(merged: &mut RowsMerged, sides: &Sides<'_, EdgeFunction>) {
    let find = |rows: &[EdgeFunction], slug: &str| rows.iter().find(|row| row.slug == slug).map(fields);
    for row in sides.source {
        let before = (find(sides.base_of_target, &row.slug), find(sides.base_of_source, &row.slug));
        one(merged, &row.slug, &before, find(sides.target, &row.slug), fields(row));
    }
    for row in sides.base_of_source {
        if find(sides.target, &row.slug).is_some() && find(sides.source, &row.slug).is_none() {
            if merged.undo && find(sides.target, &row.slug) == Some(fields(row)) {
                let sql = format!("delete from functions.definitions where slug = {}", literal(&row.slug));
                merged.take_away(sql, object(&row.slug));
                continue;
            }
            let detail = "the branch deleted this function; a merge never deletes functions, so it stays";
            merged.hazards.push(Hazard::new("row_kept", format!("functions.{}", row.slug), detail));
        }
    }
}

fn fields(row: &EdgeFunction) -> Map<String, Value> {
    let value = json!({ "name": row.name, "description": row.description, "code": row.code, "status": row.status });
    value.as_object().cloned().unwrap_or_default()
}

fn one(
    merged: &mut RowsMerged,
    slug: &str,
    (their_base, our_base): &(Row, Row),
    target: Row,
    source: Map<String, Value>,
) {
    let mut changed = Vec::new();
    let mut clashes = Vec::new();
    let value = |side: &Row, field: &str| side.as_ref().and_then(|side| side.get(field)).cloned();
    for field in FIELDS {
        let (theirs, ours) = (value(&target, field), source.get(field).cloned());
        let (was_theirs, was_ours) = (value(their_base, field), value(our_base, field));
        if theirs == ours || our_base.is_some() && ours == was_ours {
            continue;
        }
        if their_base.is_none() && target.is_none() || their_base.is_some() && theirs == was_theirs {
            changed.push((field, ours.unwrap_or_default()));
        } else {
            clashes.push(FieldConflict {
                fact: format!("edge_function:{slug}"),
                field: field.to_owned(),
                base: was_theirs.or(was_ours).unwrap_or_default(),
                target: theirs.unwrap_or_default(),
                source: ours.unwrap_or_default(),
            });
        }
    }
    let object = object(slug);
    if !clashes.is_empty() {
        let hashed = |side: &Row| side.clone().map(|side| hash(&Value::Object(side)));
        let names: Vec<String> = clashes.iter().map(|entry| entry.field.clone()).collect();
        let conflict = Conflict {
            parent_t0_hash: hashed(if their_base.is_some() { their_base } else { our_base }),
            parent_now_hash: hashed(&target),
            branch_now_hash: Some(hash(&Value::Object(source.clone()))),
            hint: format!(
                "Both sides changed the edge function {slug}. Deploy the version you want to both, or reset the branch."
            ),
            class: "S20".to_owned(),
            fields: clashes,
            ..Conflict::of(object.clone())
        };
        if !merged.decide(conflict) {
            return;
        }
        changed.extend(
            FIELDS
                .into_iter()
                .filter(|field| names.iter().any(|name| name == field))
                .map(|field| (field, source.get(field).cloned().unwrap_or_default())),
        );
    }
    if changed.is_empty() {
        return;
    }
    let (action, sql) =
        if target.is_some() { (Action::Modify, update(slug, &changed)) } else { (Action::Add, insert(slug, &source)) };
    merged.changes.push(Change { object: object.clone(), action, sql: sql.clone(), destructive: false });
    merged.statements.push(statement(sql, object));
}

fn object(slug: &str) -> Object {
    Object {
        schema: "functions".to_owned(),
        object: slug.to_owned(),
        object_type: ObjectType::EdgeFunction,
        kind: "edge_function".to_owned(),
    }
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
