//! Rows out of an uploaded CSV or JSON file.

use serde_json::{Map, Value};

use super::form::File;
use crate::http::{Error, Result};

pub(super) type Record = Map<String, Value>;

/// The file's rows; its name says what it is.
pub(super) fn read(file: &File) -> Result<Vec<Record>> {
    let records = match file.ending().as_str() {
        ".csv" => csv(file)?,
        ".json" => json(file)?,
        _ => return Err(Error::invalid_input("Unsupported file type. Use .csv or .json")),
    };
    if records.is_empty() {
        return Err(Error::invalid_input("No records found in file"));
    }
    Ok(records)
}

fn csv(file: &File) -> Result<Vec<Record>> {
    let failed = |error: csv::Error| Error::invalid_input(format!("Failed to parse .csv file: {error}"));
    let text = file.text()?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let names = reader.headers().map_err(failed)?.clone();
    let mut records = Vec::new();
    for row in reader.records() {
        let row = row.map_err(failed)?;
        let fields = names.iter().zip(row.iter());
        records.push(fields.map(|(name, value)| (name.to_owned(), Value::String(value.to_owned()))).collect());
    }
    Ok(records)
}

fn json(file: &File) -> Result<Vec<Record>> {
    let failed = |reason: String| Error::invalid_input(format!("Failed to parse .json file: {reason}"));
    let value: Value = serde_json::from_str(file.text()?).map_err(|error| failed(error.to_string()))?;
    let items = match value {
        Value::Array(items) => items,
        object @ Value::Object(_) => vec![object],
        _ => return Err(failed("expected an object or an array of objects".to_owned())),
    };
    let mut records = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Value::Object(fields) => records.push(fields),
            _ => return Err(failed("every record must be an object".to_owned())),
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(name: &str, text: &str) -> File {
        File { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn files_are_read_by_their_ending() {
        let rows = read(&file("a.CSV", "\u{feff}id,name\n1,\"a, \"\"b\"\"\"\n2,\n")).expect("rows");
        assert_eq!(Value::from(rows), json!([{"id": "1", "name": "a, \"b\""}, {"id": "2", "name": ""}]));
        assert_eq!(read(&file("a.json", "{\"id\": 1}")).expect("a row").len(), 1);
        for (name, text, message) in [
            ("a.txt", "id\n1", "Unsupported file type. Use .csv or .json"),
            ("a.csv", "id\n", "No records found in file"),
            ("a.json", "[]", "No records found in file"),
            ("a.json", "[1]", "Failed to parse .json file: every record must be an object"),
            ("a.csv", "a,b\n1\n", "Failed to parse .csv file: CSV error"),
            ("a.json", "{", "Failed to parse .json file: EOF"),
        ] {
            let error = read(&file(name, text)).expect_err(text);
            assert!(error.message().starts_with(message), "{text}: {}", error.message());
        }
    }
}
