//! Reading a JSON object from a body: an empty one with `Content-Type: application/json` is an empty object, errors name the field, and a NUL character,
//! which Postgres cannot store in text, is refused here.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// serde quotes what it does not like, however long that is.
const MESSAGE_MAX: usize = 200;

/// Why a body cannot be used. The texts are fit for clients.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON.
    #[error("The request body is not valid JSON")]
    Syntax,
    /// JSON, but a field is missing or of the wrong type.
    #[error("{message}")]
    Field {
        /// The field's path; absent when the body as a whole is wrong.
        field: Option<String>,
        /// What is wrong.
        message: String,
    },
}

/// Reads a body that must be an object.
///
/// # Errors
/// [`BodyError`], fit for a 400 answer.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BodyError> {
    let value = match bytes.trim_ascii() {
        [] => Value::Object(serde_json::Map::new()),
        text => serde_json::from_slice(text).map_err(|_| BodyError::Syntax)?,
    };
    if !value.is_object() {
        // serde would take an array for a struct, field by field.
        return Err(BodyError::Field { field: None, message: "The request body must be a JSON object".to_owned() });
    }
    if let Some(field) = nul_in(&value, "") {
        let message = format!("{field} must not contain a NUL character");
        return Err(BodyError::Field { field: Some(field), message });
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { missing(&error.inner().to_string()) } else { Some(path) };
        let cause = error.inner().to_string();
        let message = match &field {
            Some(field) if !cause.contains(field.as_str()) => format!("{field}: {cause}"),
            _ => cause,
        };
        BodyError::Field { field, message: message.chars().take(MESSAGE_MAX).collect() }
    })
}

/// The field that serde says is missing.
fn missing(message: &str) -> Option<String> {
    let name = message.strip_prefix("missing field `")?.split('`').next()?;
    Some(name.to_owned())
}

fn nul_in(value: &Value, path: &str) -> Option<String> {
    let named = |path: &str| if path.is_empty() { "body".to_owned() } else { path.to_owned() };
    match value {
        Value::String(text) => text.contains('\0').then(|| named(path)),
        Value::Array(items) => items.iter().find_map(|item| nul_in(item, path)),
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if name.contains('\0') { Some(named(path)) } else { nul_in(field, &inner) }
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct In {
        name: String,
        #[serde(default)]
        size: Option<u32>,
    }

    #[derive(Debug, Deserialize)]
    struct Nothing {}

    #[test]
    fn an_empty_body_is_an_empty_object() {
        assert!(read_json::<Nothing>(b"").is_ok());
        assert!(read_json::<Nothing>(b" \r\n").is_ok());
        assert!(matches!(read_json::<In>(b""), Err(BodyError::Field { field: Some(field), .. }) if field == "name"));
    }

    #[test]
    fn errors_name_the_field() {
        let field = |text: &[u8]| match read_json::<In>(text) {
            Err(BodyError::Field { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(br#"{"name": 1}"#).as_deref(), Some("name"));
        assert_eq!(field(br#"{"name": "a", "size": -1}"#).as_deref(), Some("size"));
        assert_eq!(field(br#"{"name": "a\u0000b"}"#).as_deref(), Some("name"));
        assert_eq!(field(b"[]").as_deref(), None);
        assert_eq!(read_json::<In>(b"{"), Err(BodyError::Syntax));
    }
}
