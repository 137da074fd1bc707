//! Making a table.

use serde_json::{Value, json};

use super::{
    SYSTEM_COLUMNS,
    columns::{NewColumn, check_column_name, name_issue},
    foreign_keys::NewForeignKey,
};
use crate::{
    database::{
        quoting::{identifier, qualified},
        records::check_name,
    },
    http::{Error, Result, validation::Form},
};

/// A table to be made.
#[derive(Debug)]
pub(super) struct NewTable {
    pub(super) name: String,
    columns: Vec<NewColumn>,
    foreign_keys: Vec<NewForeignKey>,
    row_security: bool,
}

impl NewTable {
    /// Reads and checks a request body.
    pub(super) fn read(body: &Value) -> Result<Self> {
        let mut form = Form::new(body);
        let name = form.string("tableName").to_owned();
        let columns = NewColumn::read_list(&mut form, "columns");
        let foreign_keys = NewForeignKey::read_list(&mut form, "foreignKeys");
        let row_security = form.optional_bool("rlsEnabled").unwrap_or(true);
        if form.issues().is_empty() {
            name_issue(&mut form, "tableName", &name, "Table name");
        }
        form.finish().map_err(|error| {
            error
                .with_next_actions("Please check the request body, it must conform with the CreateTableRequest schema.")
        })?;
        check_name("table", &name)?;
        for (index, column) in columns.iter().enumerate() {
            check_column_name(&column.name, index)?;
        }
        Self { name, columns, foreign_keys, row_security }.without_system_columns()
    }

    /// Columns the table has anyway may be sent with their own type, and are left out.
    fn without_system_columns(mut self) -> Result<Self> {
        let invalid = |message: String| Error::bad_request("DATABASE_VALIDATION_ERROR", message);
        for column in &self.columns {
            let required = match column.name.as_str() {
                "id" => "uuid",
                "created_at" | "updated_at" => "datetime",
                _ => continue,
            };
            if column.type_name != required {
                let (name, given) = (&column.name, &column.type_name);
                return Err(invalid(format!(
                    "Column '{name}' is a reserved field that requires type '{required}', but got '{given}'"
                )));
            }
        }
        self.columns.retain(|column| !SYSTEM_COLUMNS.contains(&column.name.as_str()));
        if self.columns.is_empty() {
            return Err(invalid("Table must have at least one user-defined column".to_owned()));
        }
        let own = self.foreign_keys.iter().flat_map(|key| &key.columns).map(|(own, _)| own.as_str());
        if own.into_iter().any(|own| SYSTEM_COLUMNS.contains(&own)) {
            return Err(Error::bad_request("DATABASE_FORBIDDEN", "cannot add foreign key on system columns"));
        }
        Ok(self)
    }

    /// Everything that makes the table.
    pub(super) fn sql(&self, schema: &str) -> String {
        let table = qualified(schema, &self.name);
        let mut parts = vec!["\"id\" uuid primary key default gen_random_uuid()".to_owned()];
        parts.extend(self.columns.iter().map(NewColumn::sql));
        parts.push("\"created_at\" timestamptz default now()".to_owned());
        parts.push("\"updated_at\" timestamptz default now()".to_owned());
        parts.extend(self.foreign_keys.iter().map(|key| key.sql(schema)));
        let trigger = identifier(&format!("{}_update_timestamp", self.name));
        let security =
            if self.row_security { format!("alter table {table} enable row level security; ") } else { String::new() };
        format!(
            "create table {table} ({}); {security}create trigger {trigger} before update on {table} \
             for each row execute function system.update_updated_at()",
            parts.join(", "),
        )
    }

    /// What the client gets.
    pub(super) fn answer(&self, schema: &str) -> Value {
        let columns: Vec<Value> = self.columns.iter().map(describe).collect();
        json!({
            "schemaName": schema,
            "message": "table created successfully",
            "tableName": self.name,
            "columns": columns,
            "autoFields": SYSTEM_COLUMNS,
            "nextActions": "you can now use the table with the POST /api/database/tables/{table} endpoint",
        })
    }
}

fn describe(column: &NewColumn) -> Value {
    let mut value = json!({
        "columnName": column.name,
        "type": column.type_name,
        "isNullable": column.nullable,
        "isUnique": column.unique,
        "sqlType": column.sql_type(),
    });
    if let Some(default) = &column.default {
        value["defaultValue"] = default.as_str().into();
    }
    value
}
