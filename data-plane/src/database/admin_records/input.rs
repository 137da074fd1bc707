//! What requests about rows ask for, checked against the table.

use serde_json::Value;

use super::{Object, Target};
use crate::{
    database::quoting::identifier,
    http::{
        Error, Query, Result,
        validation::{Form, type_name},
    },
};

/// A page of rows.
pub(super) struct Page {
    pub(super) limit: i64,
    pub(super) offset: i64,
    /// With its `where`; empty without one.
    pub(super) condition: String,
    /// With its `order by`; empty without one.
    pub(super) ordering: String,
    pub(super) parameters: Vec<Value>,
}

impl Page {
    pub(super) fn read(query: &Query, target: &Target) -> Result<Self> {
        let limit = query.integer("limit", 50, 1, i64::MAX)?;
        if limit > 500 {
            return Err(Error::invalid_input("limit: Number must be less than or equal to 500"));
        }
        let offset = query.integer("offset", 0, 0, i64::MAX)?;
        let mut parameters = Vec::new();
        let mut conditions = Vec::new();
        match (query.get("filterColumn"), query.get("filterValue")) {
            (None, None) => {}
            (Some(column), Some(value)) => {
                conditions.push(format!("{} = $1", target.column(column)?));
                parameters.push(value.into());
            }
            _ => {
                return Err(Error::invalid_input(
                    "filterColumn: filterColumn and filterValue must be provided together.",
                ));
            }
        }
        if let Some(search) = query.get("search").filter(|search| !search.is_empty()) {
            conditions.push(searched(search, target, &mut parameters));
        }
        let condition =
            if conditions.is_empty() { String::new() } else { format!(" where {}", conditions.join(" and ")) };
        let ordering = ordering(query.get("sort").unwrap_or_default(), target)?;
        Ok(Self { limit, offset, condition, ordering, parameters })
    }
}

fn searched(search: &str, target: &Target, parameters: &mut Vec<Value>) -> String {
    let textual = target.relation.columns.iter().filter(|(_, column)| column.textual());
    let place = parameters.len() + 1;
    let tests: Vec<String> = textual.map(|(name, _)| format!("{} ilike ${place}", identifier(name))).collect();
    if tests.is_empty() {
        return "false".to_owned();
    }
    let escaped = search.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    parameters.push(format!("%{escaped}%").into());
    format!("({})", tests.join(" or "))
}

fn ordering(sort: &str, target: &Target) -> Result<String> {
    let mut terms = Vec::new();
    for clause in sort.split(',').map(str::trim).filter(|clause| !clause.is_empty()) {
        let (name, direction) = clause.split_once(':').unwrap_or((clause, "asc"));
        if name.is_empty() {
            return Err(Error::invalid_input(format!("Invalid sort clause \"{clause}\".")));
        }
        let direction = match direction.to_ascii_lowercase().as_str() {
            "asc" => "asc",
            "desc" => "desc",
            _ => return Err(Error::invalid_input(format!("Invalid sort direction \"{direction}\"."))),
        };
        terms.push(format!("{} {direction}", target.column(name)?));
    }
    if terms.is_empty() {
        terms.extend(target.relation.primary_key.iter().map(|name| identifier(name)));
    }
    Ok(if terms.is_empty() { String::new() } else { format!(" order by {}", terms.join(", ")) })
}

/// Repeated `column` and `value` parameters, as a condition.
pub(super) fn lookup(raw: &str, target: &Target) -> Result<(String, Vec<Value>)> {
    let pairs = crate::database::records::decode_query(raw);
    let all =
        |name: &str| pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect::<Vec<_>>();
    let (columns, values) = (all("column"), all("value"));
    if columns.is_empty() {
        return Err(Error::invalid_input("column: Required"));
    }
    if columns.len() != values.len() {
        return Err(Error::invalid_input("value: column and value must have the same number of entries"));
    }
    let mut tests = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        tests.push(format!("{} = ${}", target.column(column)?, index + 1));
    }
    Ok((format!(" where {}", tests.join(" and ")), values.into_iter().map(Value::from).collect()))
}

/// A non-empty array of objects; `path` is where it is in the body, empty for the body itself.
pub(super) fn objects<'a>(list: &'a Value, path: &str) -> Result<Vec<&'a Object>> {
    let items = match list {
        Value::Array(items) if !items.is_empty() => items,
        Value::Array(_) => {
            return Err(Error::invalid_input(format!("{path}: Array must contain at least 1 element(s)")));
        }
        other => return Err(Error::invalid_input(format!("{path}: Expected array, received {}", type_name(other)))),
    };
    let separator = if path.is_empty() { "" } else { "." };
    let object = |(index, item): (usize, &'a Value)| {
        item.as_object().ok_or_else(|| {
            let received = type_name(item);
            Error::invalid_input(format!("{path}{separator}{index}: Expected object, received {received}"))
        })
    };
    items.iter().enumerate().map(object).collect()
}

/// The parts of a PATCH.
pub(super) fn change(body: &Value) -> Result<(&Object, &Object)> {
    let mut form = Form::new(body);
    let key = form.object("pkKeys");
    let data = form.object("data");
    form.finish()?;
    match (key, data) {
        (Some(key), Some(data)) => Ok((key, data)),
        _ => Err(Error::invalid_input(": Required")),
    }
}

/// The keys of a DELETE.
pub(super) fn keys(body: &Value) -> Result<Vec<&Object>> {
    let list = body.get("pkKeys").ok_or_else(|| Error::invalid_input("pkKeys: Required"))?;
    objects(list, "pkKeys")
}

/// Quoted columns and their values. An empty text in a column that cannot hold it means null in a change, the default in a new row.
pub(super) fn assignments(row: &Object, target: &Target, changing: bool) -> Result<(Vec<String>, Vec<Value>)> {
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for (name, value) in row {
        let quoted = target.column(name)?;
        let column = &target.relation.columns[name];
        let blank = value.as_str() == Some("") && !column.textual();
        if blank && !changing {
            continue;
        }
        if blank && !column.nullable {
            return Err(Error::invalid_input(format!("Column \"{name}\" cannot be blank.")));
        }
        columns.push(quoted);
        // JSON columns take any value as JSON, others their text or array.
        values.push(match value {
            _ if blank => Value::Null,
            Value::Null => Value::Null,
            other if column.json() => Value::String(other.to_string()),
            other => other.clone(),
        });
    }
    Ok((columns, values))
}

/// A row's key.
pub(super) struct Key<'a> {
    columns: Vec<(String, &'a Value)>,
}

impl<'a> Key<'a> {
    /// The table's whole primary key; any columns when it has none.
    pub(super) fn read(key: &'a Object, target: &Target) -> Result<Self> {
        let primary = &target.relation.primary_key;
        let exact = key.len() == primary.len() && primary.iter().all(|name| key.contains_key(name));
        if key.is_empty() || (!primary.is_empty() && !exact) {
            return Err(Error::invalid_input("Primary key does not match the table primary key."));
        }
        let mut columns = Vec::new();
        for (name, value) in key {
            columns.push((target.column(name)?, value));
        }
        Ok(Self { columns })
    }

    /// A condition whose values are added to the parameters.
    pub(super) fn condition(&self, parameters: &mut Vec<Value>) -> String {
        let mut tests = Vec::new();
        for (column, value) in &self.columns {
            if value.is_null() {
                tests.push(format!("{column} is null"));
            } else {
                parameters.push((*value).clone());
                tests.push(format!("{column} = ${}", parameters.len()));
            }
        }
        tests.join(" and ")
    }
}
