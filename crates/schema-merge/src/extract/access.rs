//! Grants, default privileges and comments.

use serde_json::{Value, json};

use super::addresses::{NAMESPACE, RELATION};
use super::assemble::{Gathering, fact};
use super::rows;
use crate::access::{GrantOn, grant};
use crate::catalog::{Fact, Identity, Kind, Lineage};

pub(super) fn grants(gathering: &mut Gathering, grants: Vec<rows::Grant>) {
    for (class, oid, sub, grantee, plain, grantable) in grants {
        if gathering.addresses.is_member(class, oid) {
            continue;
        }
        let Some(subject) = gathering.addresses.resolve(class, oid, sub).cloned() else { continue };
        let Some(target) = gathering.catalog.get(&subject) else { continue };
        let role = target.lineage.role.clone();
        let on = match (target.kind, sub) {
            (Kind::Column, 0) => GrantOn::IdentitySequence,
            (Kind::Column, _) => GrantOn::Column,
            (Kind::View, number) if number != 0 => GrantOn::ViewColumn(view_column(&target.lineage, number)),
            (
                Kind::Schema | Kind::Table | Kind::View | Kind::Sequence | Kind::Function | Kind::Enum | Kind::Domain,
                _,
            ) => GrantOn::Object,
            _ => continue,
        };
        for (privileges, with_option) in [(plain, false), (grantable, true)] {
            for privilege in privileges.unwrap_or_default() {
                gathering.catalog.insert(grant(&subject, &on, &grantee, &privilege, with_option, role.clone()));
            }
        }
    }
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
        let Some(subject) = gathering.addresses.resolve(class, oid, sub).cloned() else { continue };
        let Some(target) = gathering.catalog.get(&subject) else { continue };
        let inside = class == RELATION && sub == 0;
        let on = match target.kind {
            Kind::Constraint if class == RELATION => "index".to_owned(),
            Kind::Column if inside => format!("sequence {}", identity_sequence(target)),
            Kind::View if sub != 0 => format!("column {}", view_column(&target.lineage, sub)),
            _ => String::new(),
        };
        if class == NAMESPACE && target.kind != Kind::Schema {
            continue;
        }
        let detail = match (inside && target.kind == Kind::Column, on.is_empty()) {
            (true, _) => "/sequence".to_owned(),
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
