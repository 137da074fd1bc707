//! Bodies that are no JSON, as rows of texts.

use indexmap::IndexMap;
use serde_json::Value;

use super::error::Error;

/// Rows made from another format.
pub(super) struct Made {
    /// The names that each row may have.
    pub(super) keys: Vec<String>,
    /// Values by name.
    pub(super) rows: Vec<IndexMap<String, Value>>,
}

impl Made {
    /// The first line names the columns; `NULL` is null.
    pub(super) fn csv(body: &[u8]) -> Result<Self, Error> {
        if body.is_empty() {
            return Err(Error::body("parse error (not enough input) at \"\""));
        }
        let refused = |error: csv::Error| Error::body(&format!("parse error: {error}"));
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(body);
        let keys: Vec<String> = reader.headers().map_err(refused)?.iter().map(str::to_owned).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(refused)?;
            let cell = |text: &str| if text == "NULL" { Value::Null } else { Value::String(text.to_owned()) };
            rows.push(keys.iter().cloned().zip(record.iter().map(cell)).collect());
        }
        Ok(Self { keys, rows })
    }

    /// One row; of several values of a name the last counts.
    pub(super) fn form(body: &[u8]) -> Self {
        let row: IndexMap<String, Value> = url::form_urlencoded::parse(body)
            .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
            .collect();
        Self { keys: row.keys().cloned().collect(), rows: vec![row] }
    }
}
