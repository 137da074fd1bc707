//! Foreign keys as the tables API describes them.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::quoting::{identifier, qualified};
use crate::http::validation::{Form, type_name};

const ACTIONS: [&str; 5] = ["CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION"];

/// Longest identifier of Postgres in bytes.
const LONGEST_IDENTIFIER: usize = 63;
const KEPT_PREFIX: usize = 54;
const KEPT_DIGEST: usize = 8;

/// A foreign key to be made.
#[derive(Clone, Debug)]
pub(super) struct NewForeignKey {
    name: Option<String>,
    table: String,
    /// (own column, referenced column)
    pub(super) columns: Vec<(String, String)>,
    on_delete: &'static str,
    on_update: &'static str,
}

impl NewForeignKey {
    /// Reads an optional list; issues carry the path.
    pub(super) fn read_list(form: &mut Form<'_>, name: &str) -> Vec<Self> {
        match form.get(name) {
            None => Vec::new(),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .filter_map(|(index, item)| Self::read(form, &format!("{name}.{index}"), item))
                .collect(),
            Some(other) => {
                form.issue(name, format!("Expected array, received {}", type_name(other)));
                Vec::new()
            }
        }
    }

    fn read(outer: &mut Form<'_>, path: &str, item: &Value) -> Option<Self> {
        let mut form = Form::new(item);
        let name = form.optional_string("constraintName").map(str::to_owned);
        let table = form.string("referenceTable").to_owned();
        let columns = read_columns(&mut form);
        let on_delete = action(&mut form, "onDelete");
        let on_update = action(&mut form, "onUpdate");
        for issue in form.issues() {
            let separator = if issue.path.is_empty() { "" } else { "." };
            outer.issue(format!("{path}{separator}{}", issue.path), issue.message.clone());
        }
        if !form.issues().is_empty() {
            return None;
        }
        Some(Self { name, table, columns, on_delete: on_delete?, on_update: on_update? })
    }

    /// The constraint in SQL, to follow `create table (` or `alter table … add`.
    pub(super) fn sql(&self, schema: &str) -> String {
        let list = |names: Vec<&String>| names.into_iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ");
        let (reference_schema, reference_table) = self.table.split_once('.').unwrap_or((schema, &self.table));
        format!(
            "constraint {} foreign key ({}) references {} ({}) on delete {} on update {}",
            identifier(&self.constraint_name()),
            list(self.columns.iter().map(|(own, _)| own).collect()),
            qualified(reference_schema, reference_table),
            list(self.columns.iter().map(|(_, referenced)| referenced).collect()),
            self.on_delete.to_ascii_lowercase(),
            self.on_update.to_ascii_lowercase(),
        )
    }

    /// Its own columns, joined for people.
    pub(super) fn own_columns(&self) -> String {
        self.columns.iter().map(|(own, _)| own.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn constraint_name(&self) -> String {
        if let Some(name) = self.name.as_ref().filter(|name| !name.is_empty()) {
            return name.clone();
        }
        let own: Vec<&str> = self.columns.iter().map(|(own, _)| own.as_str()).collect();
        let referenced: Vec<&str> = self.columns.iter().map(|(_, referenced)| referenced.as_str()).collect();
        let full = format!("fk_{}_{}_{}", own.join("_"), self.table.replace('.', "_"), referenced.join("_"));
        if full.len() <= LONGEST_IDENTIFIER {
            return full;
        }
        let digest = hex::encode(Sha256::digest(full.as_bytes()));
        let mut end = KEPT_PREFIX;
        while !full.is_char_boundary(end) {
            end -= 1;
        }
        format!("{}_{}", &full[..end], &digest[..KEPT_DIGEST])
    }
}

fn read_columns(form: &mut Form<'_>) -> Vec<(String, String)> {
    let Some(value) = form.get("referenceColumns") else {
        form.issue("referenceColumns", "Required");
        return Vec::new();
    };
    let Value::Array(items) = value else {
        form.issue("referenceColumns", format!("Expected array, received {}", type_name(value)));
        return Vec::new();
    };
    if items.is_empty() {
        form.issue("referenceColumns", "Array must contain at least 1 element(s)");
    }
    let mut columns = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let mut inner = Form::new(item);
        columns.push((inner.string("sourceColumn").to_owned(), inner.string("referenceColumn").to_owned()));
        for issue in inner.issues() {
            form.issue(format!("referenceColumns.{index}.{}", issue.path), issue.message.clone());
        }
    }
    columns
}

fn action(form: &mut Form<'_>, name: &str) -> Option<&'static str> {
    let found = form.optional_choice(name, &ACTIONS);
    if form.get(name).is_none() {
        form.issue(name, "Required");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_fit() {
        let key = |table: &str| NewForeignKey {
            name: None,
            table: table.to_owned(),
            columns: vec![("user_id".to_owned(), "id".to_owned())],
            on_delete: "CASCADE",
            on_update: "NO ACTION",
        };
        assert_eq!(key("auth.users").constraint_name(), "fk_user_id_auth_users_id");
        assert_eq!(key(&"x".repeat(80)).constraint_name().len(), LONGEST_IDENTIFIER);
        assert!(
            key("auth.users")
                .sql("public")
                .contains("references \"auth\".\"users\" (\"id\") on delete cascade on update no action")
        );
    }
}
