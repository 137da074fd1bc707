//! Columns as the tables API describes them.

use serde_json::Value;

use super::super::{
    quoting::{identifier, literal},
    records::check_name,
};
use crate::http::{Error, Result, validation::Form};

/// Longest name Postgres would not cut, plus one, as the contract has it.
pub(super) const LONGEST_NAME: usize = 64;

const TYPES: [&str; 8] = ["string", "date", "datetime", "integer", "float", "boolean", "uuid", "json"];

/// A column to be made.
#[derive(Clone, Debug)]
pub(super) struct NewColumn {
    pub(super) name: String,
    pub(super) type_name: String,
    pub(super) nullable: bool,
    pub(super) unique: bool,
    pub(super) default: Option<String>,
}

impl NewColumn {
    /// Reads a list of columns; issues carry the path.
    pub(super) fn read_list(form: &mut Form<'_>, name: &str) -> Vec<Self> {
        let Some(Value::Array(items)) = form.get(name) else {
            match form.get(name) {
                Some(other) => {
                    form.issue(name, format!("Expected array, received {}", crate::http::validation::type_name(other)))
                }
                None => form.issue(name, "Required"),
            }
            return Vec::new();
        };
        items.iter().enumerate().map(|(index, item)| Self::read(form, &format!("{name}.{index}"), item)).collect()
    }

    fn read(outer: &mut Form<'_>, path: &str, item: &Value) -> Self {
        let mut form = Form::new(item);
        let name = form.string("columnName").to_owned();
        let type_name = form.string("type").to_owned();
        let nullable = form.bool("isNullable");
        let unique = form.bool("isUnique");
        let default = form.nullable_string("defaultValue").flatten().map(str::to_owned);
        if form.issues().is_empty() {
            name_issue(&mut form, "columnName", &name, "Column name");
            if !TYPES.contains(&type_name.as_str()) {
                let list: Vec<String> = TYPES.iter().map(|name| format!("'{name}'")).collect();
                form.issue(
                    "type",
                    format!("Invalid enum value. Expected {}, received '{type_name}'", list.join(" | ")),
                );
            }
        }
        for issue in form.issues() {
            let separator = if issue.path.is_empty() { "" } else { "." };
            outer.issue(format!("{path}{separator}{}", issue.path), issue.message.clone());
        }
        Self { name, type_name, nullable, unique, default }
    }

    /// The type in SQL.
    pub(super) fn sql_type(&self) -> &'static str {
        match self.type_name.as_str() {
            "date" => "DATE",
            "datetime" => "TIMESTAMPTZ",
            "integer" => "INTEGER",
            "float" => "DOUBLE PRECISION",
            "boolean" => "BOOLEAN",
            "uuid" => "UUID",
            "json" => "JSONB",
            _ => "TEXT",
        }
    }

    /// The definition in SQL.
    pub(super) fn sql(&self) -> String {
        let mut sql = format!("{} {}", identifier(&self.name), self.sql_type());
        if !self.nullable {
            sql.push_str(" not null");
        }
        if self.unique {
            sql.push_str(" unique");
        }
        let system = match self.type_name.as_str() {
            "date" | "datetime" => Some("now()"),
            "boolean" => Some("false"),
            "uuid" => Some("gen_random_uuid()"),
            _ => None,
        };
        let own = self.default.as_deref().filter(|default| !default.is_empty()).map(default_expression);
        let default = own.or_else(|| system.filter(|_| !self.nullable).map(str::to_owned));
        if let Some(default) = default {
            sql.push_str(&format!(" default {default}"));
        }
        sql
    }
}

/// Two functions are kept as expressions; everything else is a literal.
pub(super) fn default_expression(default: &str) -> String {
    match default.trim().to_ascii_lowercase().as_str() {
        "now()" => "now()".to_owned(),
        "gen_random_uuid()" => "gen_random_uuid()".to_owned(),
        _ => literal(default),
    }
}

/// Records what is wrong with a name.
pub(super) fn name_issue(form: &mut Form<'_>, path: &str, name: &str, what: &str) {
    if name.is_empty() {
        form.issue(path, format!("{what} cannot be empty"));
    } else if name.chars().count() > LONGEST_NAME {
        form.issue(path, format!("{what} must be less than {LONGEST_NAME} characters"));
    }
}

/// Refuses a column's name that is no identifier; `index` is its place in the request.
pub(super) fn check_column_name(name: &str, index: usize) -> Result<()> {
    check_name("column", name).map_err(|refused| {
        let message = format!("Invalid column name at index {index}: {}", refused.message);
        Error::bad_request("DATABASE_VALIDATION_ERROR", message)
    })
}
