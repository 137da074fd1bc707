//! Changing a table.

use http::StatusCode;
use serde_json::Value;

use super::{
    SYSTEM_COLUMNS,
    columns::{NewColumn, check_column_name, default_expression, name_issue},
    foreign_keys::NewForeignKey,
};
use crate::{
    database::{
        quoting::{identifier, qualified},
        records::check_name,
    },
    http::{
        Error, Result,
        validation::{Form, type_name},
    },
};

/// What is to be changed, in the order in which it is done.
#[derive(Debug)]
pub(super) struct TableChange {
    drop_foreign_keys: Vec<String>,
    drop_columns: Vec<String>,
    update_columns: Vec<ColumnChange>,
    add_columns: Vec<NewColumn>,
    add_foreign_keys: Vec<NewForeignKey>,
    new_name: Option<String>,
}

#[derive(Debug)]
struct ColumnChange {
    name: String,
    /// Empty drops the default.
    default: Option<String>,
    new_name: Option<String>,
}

impl TableChange {
    /// Reads and checks a request body.
    pub(super) fn read(body: &Value) -> Result<Self> {
        let mut form = Form::new(body);
        let owned = |names: Option<Vec<&str>>| names.unwrap_or_default().into_iter().map(str::to_owned).collect();
        let drop_foreign_keys = owned(form.optional_strings("dropForeignKeys"));
        let drop_columns = owned(form.optional_strings("dropColumns"));
        let update_columns = read_updates(&mut form);
        let add_columns =
            if form.get("addColumns").is_some() { NewColumn::read_list(&mut form, "addColumns") } else { Vec::new() };
        let add_foreign_keys = NewForeignKey::read_list(&mut form, "addForeignKeys");
        let new_name = read_new_name(&mut form);
        form.finish().map_err(|error| {
            error
                .with_next_actions("Please check the request body, it must conform with the UpdateTableRequest schema.")
        })?;
        for (index, column) in add_columns.iter().enumerate() {
            check_column_name(&column.name, index)?;
        }
        for name in update_columns.iter().filter_map(|change| change.new_name.as_deref()) {
            check_name("column", name)?;
        }
        if let Some(name) = &new_name {
            check_name("table", name)?;
        }
        Ok(Self { drop_foreign_keys, drop_columns, update_columns, add_columns, add_foreign_keys, new_name })
    }

    /// The statements, and what they do in words.
    pub(super) fn plan(&self, schema: &str, name: &str, present: &Value) -> Result<(Vec<String>, Vec<String>)> {
        self.check(present)?;
        let table = qualified(schema, name);
        let (mut sql, mut done) = (Vec::new(), Vec::new());
        for key in &self.drop_foreign_keys {
            sql.push(format!("alter table {table} drop constraint {}", identifier(key)));
            done.push(format!("Dropped foreign key constraint: {key}"));
        }
        for column in &self.drop_columns {
            sql.push(format!("alter table {table} drop column {}", identifier(column)));
            done.push(format!("Dropped column: {column}"));
        }
        for column in &self.update_columns {
            sql.extend(column.sql(&table));
            done.push(format!("Updated column: {}", column.name));
        }
        for column in &self.add_columns {
            sql.push(format!("alter table {table} add column {}", column.sql()));
            done.push(format!("Added column: {}", column.name));
        }
        for key in &self.add_foreign_keys {
            sql.push(format!("alter table {table} add {}", key.sql(schema)));
            done.push(format!("Added foreign key constraint on column(s): {}", key.own_columns()));
        }
        if let Some(new_name) = &self.new_name {
            sql.push(format!("alter table {table} rename to {}", identifier(new_name)));
            done.push(format!("Renamed table from {name} to {new_name}"));
        }
        Ok((sql, done))
    }

    fn check(&self, present: &Value) -> Result<()> {
        let forbidden = |message: &str| Err(Error::not_found("DATABASE_FORBIDDEN", message));
        let system = |name: &str| SYSTEM_COLUMNS.contains(&name);
        let keys = present["foreignKeys"].as_array().map(Vec::as_slice).unwrap_or_default();
        if let Some(unknown) =
            self.drop_foreign_keys.iter().find(|name| !keys.iter().any(|key| key["constraintName"] == name.as_str()))
        {
            let message = format!("Foreign key constraint '{unknown}' does not exist on this table.");
            return Err(Error::new(StatusCode::NOT_FOUND, "DATABASE_NOT_FOUND", message));
        }
        if self.drop_columns.iter().any(|name| system(name)) {
            return forbidden("cannot drop system columns");
        }
        if self.update_columns.iter().any(|change| system(&change.name)) {
            return forbidden("cannot update system columns");
        }
        if self.add_foreign_keys.iter().flat_map(|key| &key.columns).any(|(own, _)| system(own)) {
            return forbidden("cannot add foreign key on system columns");
        }
        let columns = present["columns"].as_array().map(Vec::as_slice).unwrap_or_default();
        let own = columns.iter().filter_map(|column| column["columnName"].as_str()).filter(|name| !system(name));
        let left = own.filter(|name| !self.drop_columns.iter().any(|dropped| dropped == name)).count();
        if left + self.add_columns.len() == 0 {
            return Err(Error::bad_request(
                "DATABASE_VALIDATION_ERROR",
                "Table must have at least one user-defined column after update",
            ));
        }
        Ok(())
    }
}

impl ColumnChange {
    fn sql(&self, table: &str) -> Vec<String> {
        let column = identifier(&self.name);
        let mut sql = Vec::new();
        match self.default.as_deref() {
            None => {}
            Some("") => sql.push(format!("alter table {table} alter column {column} drop default")),
            Some(default) => sql
                .push(format!("alter table {table} alter column {column} set default {}", default_expression(default))),
        }
        if let Some(new_name) = &self.new_name {
            sql.push(format!("alter table {table} rename column {column} to {}", identifier(new_name)));
        }
        sql
    }
}

fn read_updates(form: &mut Form<'_>) -> Vec<ColumnChange> {
    let items = match form.get("updateColumns") {
        None => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(other) => {
            form.issue("updateColumns", format!("Expected array, received {}", type_name(other)));
            return Vec::new();
        }
    };
    let mut changes = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let mut inner = Form::new(item);
        let name = inner.string("columnName").to_owned();
        let default = inner.optional_string("defaultValue").map(str::to_owned);
        let new_name = inner.optional_string("newColumnName").map(str::to_owned);
        if let Some(new_name) = &new_name {
            name_issue(&mut inner, "newColumnName", new_name, "Column name");
        }
        for issue in inner.issues() {
            form.issue(format!("updateColumns.{index}.{}", issue.path), issue.message.clone());
        }
        changes.push(ColumnChange { name, default, new_name });
    }
    changes
}

fn read_new_name(form: &mut Form<'_>) -> Option<String> {
    let mut inner = Form::new(form.get("renameTable")?);
    let name = inner.string("newTableName").to_owned();
    if inner.issues().is_empty() {
        name_issue(&mut inner, "newTableName", &name, "Table name");
    }
    for issue in inner.issues() {
        form.issue(format!("renameTable.{}", issue.path), issue.message.clone());
    }
    Some(name)
}
