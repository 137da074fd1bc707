//! Grants, default privileges and comments.

use serde_json::{Value, json};

use super::addresses::{CONSTRAINT, FUNCTION, NAMESPACE, RELATION};
use super::assemble::{Gathering, fact, lineage};
use super::{inheritance, rows};
use crate::access::{GrantOn, Held};
use crate::catalog::{Fact, Fields, Identity, Kind, Lineage};

pub(super) fn grants(gathering: &mut Gathering, lists: Vec<rows::Grants>) {
    for list in lists {
        let objects: Vec<_> = list.objects.into_iter().filter_map(|object| holder(gathering, object)).collect();
        for (grantee, grantor, plain, grantable) in &list.held {
            for (privileges, grantable) in [(plain, false), (grantable, true)] {
                for privilege in privileges.iter().flatten() {
                    let held = Held { grantee, privilege, grantable, grantor: grantor.as_deref() };
                    every(gathering, &objects, held);
                }
            }
        }
    }
}

/// The same privilege on every one of these objects.
fn every(gathering: &mut Gathering, objects: &[Holder], held: Held<'_>) {
    let mut said: Option<(&GrantOn, Fields)> = None;
    for Holder { subject, on, role } in objects {
        let fields = match &said {
            Some((before, fields)) if *before == on => fields.clone(),
            _ => held.fields(on),
        };
        said = Some((on, fields.clone()));
        gathering.catalog.insert(held.fact(subject, on, role.clone(), fields));
    }
}

/// What privileges are held on.
struct Holder {
    subject: Identity,
    on: GrantOn,
    role: Option<String>,
}

fn holder(gathering: &mut Gathering, (class, oid, sub): (i64, i64, i64)) -> Option<Holder> {
    if gathering.addresses.is_member(class, oid) {
        return None;
    }
    let subject = subject(gathering, class, oid, sub)?;
    let target = gathering.catalog.get(&subject)?;
    if class == FUNCTION && !matches!(target.kind, Kind::Function | Kind::Aggregate) {
        // Constructors of a range type are made with it.
        return None;
    }
    let on = match (target.kind, sub) {
        (Kind::Column | Kind::InheritedColumn, 0) => GrantOn::IdentitySequence,
        (Kind::Column | Kind::InheritedColumn, _) => GrantOn::Column,
        (Kind::View | Kind::MaterializedView, number) if number != 0 => {
            GrantOn::ViewColumn(view_column(&target.lineage, number))
        }
        (Kind::Unmodelled | Kind::Extension | Kind::Policy | Kind::Constraint, _) => return None,
        _ => GrantOn::Object,
    };
    let role = target.lineage.role.clone();
    Some(Holder { subject, on, role })
}

/// What an address means; for a column that a child only inherits, what the child says of it.
fn subject(gathering: &mut Gathering, class: i64, oid: i64, sub: i64) -> Option<Identity> {
    if class == RELATION
        && sub != 0
        && let Some(anchor) = inheritance::anchored(gathering, oid, sub)
    {
        return Some(anchor);
    }
    gathering.addresses.resolve(class, oid, sub).cloned()
}

/// Views keep no dropped columns, so a column's number is its place in the list.
fn view_column(lineage: &Lineage, number: i64) -> String {
    let index = usize::try_from(number - 1).unwrap_or_default();
    let entry = lineage.view_columns.get(index).map(String::as_str).unwrap_or_default();
    first_identifier(entry).to_owned()
}

fn identity_sequence(column: &Fact) -> &str {
    column
        .fields
        .get("identity")
        .and_then(|identity| identity.get("sequence"))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn first_identifier(text: &str) -> &str {
    if text.starts_with('"') {
        let mut quoted = false;
        for (index, character) in text.char_indices() {
            match character {
                '"' => quoted = !quoted,
                ' ' if !quoted => return &text[..index],
                _ => {}
            }
        }
        return text;
    }
    text.split(' ').next().unwrap_or_default()
}

pub(super) fn default_privileges(gathering: &mut Gathering, deviations: Vec<rows::DefaultPrivilege>) {
    for row in deviations {
        let on = match row.object_type.as_str() {
            "r" => "tables",
            "S" => "sequences",
            "f" => "functions",
            "T" => "types",
            "L" => "large objects",
            _ => "schemas",
        };
        let schema = row.schema.clone().unwrap_or_default();
        let taken = if row.granted { "" } else { "/taken" };
        let path = format!("{}/{schema}/{on}/{}/{}{taken}", row.role, row.grantee, row.privilege);
        let fields = json!({
            "role": row.role, "schema": row.schema, "on": on, "grantee": row.grantee, "privilege": row.privilege,
            "grantable": row.grantable, "granted": row.granted,
        });
        let lineage = Lineage { role: Some(row.role), ..Lineage::default() };
        let mut made = fact(Identity::new(Kind::DefaultPrivilege, path), Kind::DefaultPrivilege, None, fields, lineage);
        made.depends_on.extend(row.schema.map(|name| Identity::new(Kind::Schema, name)));
        gathering.catalog.insert(made);
    }
}

pub(super) fn comments(gathering: &mut Gathering, comments: Vec<rows::Comment>) {
    for (class, oid, sub, text) in comments {
        if gathering.addresses.is_member(class, oid) {
            continue;
        }
        if let Some(name) = gathering.followers.get(&oid).filter(|_| class == CONSTRAINT).cloned() {
            unmodelled(gathering, name, None, text);
            continue;
        }
        let Some(subject) = subject(gathering, class, oid, sub) else { continue };
        let Some(target) = gathering.catalog.get(&subject) else { continue };
        if target.kind == Kind::Unmodelled {
            said_of_unmodelled(gathering, &subject, sub, text);
            continue;
        }
        if class == FUNCTION && !matches!(target.kind, Kind::Function | Kind::Aggregate) {
            said_of_unmodelled(gathering, &subject, oid, text);
            continue;
        }
        let inside = class == RELATION && sub == 0;
        let on = match target.kind {
            Kind::Constraint if class == RELATION => "index".to_owned(),
            Kind::Column if inside => format!("sequence {}", identity_sequence(target)),
            Kind::View | Kind::MaterializedView if sub != 0 => format!("column {}", view_column(&target.lineage, sub)),
            Kind::Range if target.lineage.object != lineage(class, oid, 0, "").object => {
                format!("multirange {}", target.text("multirange"))
            }
            _ => String::new(),
        };
        if class == NAMESPACE && target.kind != Kind::Schema {
            continue;
        }
        let detail = match (inside && target.kind == Kind::Column, on.is_empty()) {
            (true, _) => "/sequence".to_owned(),
            _ if on.starts_with("multirange ") => "/multirange".to_owned(),
            (false, true) => String::new(),
            (false, false) => format!("/{on}"),
        };
        let fields = json!({ "text": text, "on": on });
        let lineage = Lineage { role: target.lineage.role.clone(), ..Lineage::default() };
        gathering.catalog.insert(fact(
            Identity::about(Kind::Comment, &subject, &detail),
            Kind::Comment,
            Some(subject),
            fields,
            lineage,
        ));
    }
}

/// A comment on something that is not modelled is not modelled either.
fn said_of_unmodelled(gathering: &mut Gathering, subject: &Identity, sub: i64, text: String) {
    let about = subject.path();
    let name = if sub == 0 { about.to_owned() } else { format!("{about} {sub}") };
    unmodelled(gathering, name, Some(subject.clone()), text);
}

fn unmodelled(gathering: &mut Gathering, name: String, parent: Option<Identity>, text: String) {
    let identity = Identity::new(Kind::Unmodelled, format!("comment:{name}"));
    let fields = json!({ "kind": "comment", "name": name, "text": text });
    gathering.catalog.insert(fact(identity, Kind::Unmodelled, parent, fields, Lineage::default()));
}
