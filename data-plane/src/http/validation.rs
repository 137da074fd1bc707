//! Validation of JSON bodies with the texts clients know: `path: message`, joined with `, `, in the order of the checks.
//!
//! A [`Form`] hands out values and remembers what was wrong; [`Form::finish`] refuses them all at once.

use serde_json::{Map, Value};

use super::{Error, Result};

/// An object body under validation.
pub struct Form<'a> {
    fields: Option<&'a Map<String, Value>>,
    issues: Vec<Issue>,
}

/// One thing wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Dotted path; empty for the body itself.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

/// The name zod gives to a value's type.
#[must_use]
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl<'a> Form<'a> {
    /// The body; anything but an object is an issue, an absent body (`null`) a missing one.
    #[must_use]
    pub fn new(body: &'a Value) -> Self {
        let mut form = Self { fields: body.as_object(), issues: Vec::new() };
        match body {
            Value::Object(_) => {}
            Value::Null => form.issue("", "Required"),
            other => form.issue("", format!("Expected object, received {}", type_name(other))),
        }
        form
    }

    /// Records an issue. A body that is no object has this one issue, whatever its fields should have been.
    pub fn issue(&mut self, path: impl Into<String>, message: impl Into<String>) {
        if self.fields.is_none() && !self.issues.is_empty() {
            return;
        }
        self.issues.push(Issue { path: path.into(), message: message.into() });
    }

    /// The raw value, `None` when absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.and_then(|fields| fields.get(name))
    }

    /// A field that must be a string; empty text after an issue.
    pub fn string(&mut self, name: &str) -> &'a str {
        match self.required(name) {
            Some(Value::String(text)) => text,
            Some(other) => {
                self.wrong_type(name, "string", other);
                ""
            }
            None => "",
        }
    }

    /// A string that may be absent.
    pub fn optional_string(&mut self, name: &str) -> Option<&'a str> {
        match self.get(name)? {
            Value::String(text) => Some(text),
            other => {
                self.wrong_type(name, "string", other);
                None
            }
        }
    }

    /// A string that may be absent (`None`) or null (`Some(None)`).
    pub fn nullable_string(&mut self, name: &str) -> Option<Option<&'a str>> {
        match self.get(name)? {
            Value::Null => Some(None),
            Value::String(text) => Some(Some(text)),
            other => {
                self.wrong_type(name, "string", other);
                None
            }
        }
    }

    /// A boolean that may be absent.
    pub fn optional_bool(&mut self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(value) => Some(*value),
            other => {
                self.wrong_type(name, "boolean", other);
                None
            }
        }
    }

    /// A boolean that must be there; false after an issue.
    pub fn bool(&mut self, name: &str) -> bool {
        match self.required(name) {
            Some(_) => self.optional_bool(name).unwrap_or_default(),
            None => false,
        }
    }

    /// An integer within bounds that may be absent.
    pub fn optional_integer(&mut self, name: &str, min: i64, max: i64) -> Option<i64> {
        let value = self.get(name)?;
        let Value::Number(number) = value else {
            self.wrong_type(name, "number", value);
            return None;
        };
        let whole = number.as_i64().or_else(|| number.as_f64().filter(|n| n.fract() == 0.0).map(|n| n as i64));
        let Some(whole) = whole else {
            self.issue(name, "Expected integer, received float");
            return None;
        };
        if whole < min {
            self.issue(name, format!("Number must be greater than or equal to {min}"));
            return None;
        }
        if whole > max {
            self.issue(name, format!("Number must be less than or equal to {max}"));
            return None;
        }
        Some(whole)
    }

    /// An integer within bounds that must be there; `min` after an issue.
    pub fn integer(&mut self, name: &str, min: i64, max: i64) -> i64 {
        match self.required(name) {
            Some(_) => self.optional_integer(name, min, max).unwrap_or(min),
            None => min,
        }
    }

    /// A string out of `allowed` that may be absent.
    pub fn optional_choice(&mut self, name: &str, allowed: &[&'static str]) -> Option<&'static str> {
        let value = self.get(name)?;
        let Value::String(text) = value else {
            let list = quoted(allowed);
            self.issue(name, format!("Expected {list}, received {}", type_name(value)));
            return None;
        };
        let found = allowed.iter().find(|choice| *choice == text).copied();
        if found.is_none() {
            let list = quoted(allowed);
            self.issue(name, format!("Invalid enum value. Expected {list}, received '{text}'"));
        }
        found
    }

    /// A list of strings that may be absent.
    pub fn optional_strings(&mut self, name: &str) -> Option<Vec<&'a str>> {
        let value = self.get(name)?;
        let Value::Array(items) = value else {
            self.wrong_type(name, "array", value);
            return None;
        };
        let mut strings = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item {
                Value::String(text) => strings.push(text.as_str()),
                other => self.wrong_type(&format!("{name}.{index}"), "string", other),
            }
        }
        Some(strings)
    }

    /// A list of strings that must be there; empty after an issue.
    pub fn strings(&mut self, name: &str) -> Vec<&'a str> {
        match self.required(name) {
            Some(_) => self.optional_strings(name).unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// An object that must be there; `None` after an issue.
    pub fn object(&mut self, name: &str) -> Option<&'a Map<String, Value>> {
        match self.required(name)? {
            Value::Object(map) => Some(map),
            other => {
                self.wrong_type(name, "object", other);
                None
            }
        }
    }

    /// What is wrong so far.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// Ends validation.
    ///
    /// # Errors
    /// 400 `INVALID_INPUT` with all issues, when there are any.
    pub fn finish(self) -> Result<()> {
        self.finish_as("INVALID_INPUT")
    }

    /// The same with another code.
    ///
    /// # Errors
    /// 400 with all issues, when there are any.
    pub fn finish_as(self, code: &'static str) -> Result<()> {
        if self.issues.is_empty() {
            return Ok(());
        }
        Err(Error::bad_request(code, joined(&self.issues)))
    }

    fn required(&mut self, name: &str) -> Option<&'a Value> {
        let value = self.get(name);
        if value.is_none() && self.fields.is_some() {
            self.issue(name, "Required");
        }
        value
    }

    fn wrong_type(&mut self, path: &str, expected: &str, received: &Value) {
        self.issue(path, format!("Expected {expected}, received {}", type_name(received)));
    }
}

/// Issues as one line of text.
#[must_use]
pub fn joined(issues: &[Issue]) -> String {
    issues.iter().map(|issue| format!("{}: {}", issue.path, issue.message)).collect::<Vec<_>>().join(", ")
}

fn quoted(allowed: &[&str]) -> String {
    allowed.iter().map(|choice| format!("'{choice}'")).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(check: impl FnOnce(&mut Form<'_>), body: &Value) -> String {
        let mut form = Form::new(body);
        check(&mut form);
        form.finish().map_or_else(|error| error.message().to_owned(), |()| "fine".to_owned())
    }

    #[test]
    fn texts_are_the_contracts() {
        let both = |form: &mut Form<'_>| {
            form.string("email");
            form.string("password");
        };
        assert_eq!(message(both, &json!({})), "email: Required, password: Required");
        assert_eq!(message(both, &Value::Null), ": Required");
        assert_eq!(message(both, &json!([])), ": Expected object, received array");
        assert_eq!(
            message(both, &json!({"email": 5, "password": null})),
            "email: Expected string, received number, password: Expected string, received null"
        );
        assert_eq!(message(both, &json!({"email": "", "password": ""})), "fine");
        let size = |form: &mut Form<'_>| {
            form.integer("size", 1, 200);
        };
        assert_eq!(message(size, &json!({"size": 0})), "size: Number must be greater than or equal to 1");
        assert_eq!(message(size, &json!({"size": 1.5})), "size: Expected integer, received float");
    }
}
