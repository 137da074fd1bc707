//! Members of a body that are handed on otherwise than they are written.

use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::database::schema_cache::{Argument, Column, Function};

/// Beyond this not every whole number is a floating-point one.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// What becomes of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rewrite {
    /// It is left out: the empty text is no value of its column.
    LeftOut,
    /// It is written like this.
    Written(String),
}

/// Whether a value is one that any column rewrites.
pub(super) fn rewritable(value: &str) -> bool {
    value == "\"\"" || number_in_parts(value)
}

/// What becomes of a column's member, where it is not handed on as it is.
pub(super) fn rewrite(column: &Column, value: &str) -> Option<Rewrite> {
    if value == "\"\"" {
        return (!column.textual()).then_some(Rewrite::LeftOut);
    }
    whole_number(&column.base_type, value).map(Rewrite::Written)
}

/// The arguments of a call, where one is not handed on as it is.
pub(super) fn rewrite_arguments(function: &Function, json: &str) -> Option<String> {
    let whole = |argument: &&Argument| holds_whole_numbers(&argument.type_name);
    if !json.contains(['.', 'e', 'E']) || !function.arguments.iter().any(|argument| whole(&argument)) {
        return None;
    }
    let mut members: IndexMap<String, Box<RawValue>> = serde_json::from_str(json).ok()?;
    let mut rewritten = false;
    for argument in function.arguments.iter().filter(whole) {
        let Some(value) = members.get_mut(&argument.name) else { continue };
        if let Some(text) = whole_number(&argument.type_name, value.get()) {
            *value = raw(text);
            rewritten = true;
        }
    }
    rewritten.then(|| serde_json::to_string(&members).expect("members are JSON"))
}

/// `2.0` and `1e3` are whole numbers, which Postgres' integers take without fraction and exponent only.
fn whole_number(type_name: &str, value: &str) -> Option<String> {
    if !number_in_parts(value) || !holds_whole_numbers(type_name) {
        return None;
    }
    let number: f64 = value.parse().ok()?;
    (number.fract() == 0.0 && number.abs() <= LARGEST_EXACT).then(|| format!("{number:.0}"))
}

fn holds_whole_numbers(type_name: &str) -> bool {
    matches!(type_name, "smallint" | "integer" | "bigint")
}

/// Digits as a JSON value.
pub(super) fn raw(digits: String) -> Box<RawValue> {
    RawValue::from_string(digits).expect("digits are JSON")
}

/// Whether it is a number with a fraction or an exponent.
fn number_in_parts(value: &str) -> bool {
    value.starts_with(|first: char| first == '-' || first.is_ascii_digit()) && value.contains(['.', 'e', 'E'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_whole_however_they_are_written() {
        let cases = [("2.0", "2"), ("-1.5e1", "-15"), ("1E3", "1000"), ("0.0", "0")];
        for (written, expected) in cases {
            assert_eq!(whole_number("integer", written).as_deref(), Some(expected), "{written}");
        }
        for kept in ["2", "1.5", "\"2.0\"", "[2.0]", "1e300", "9007199254740993.0e1"] {
            assert_eq!(whole_number("bigint", kept), None, "{kept}");
        }
        assert_eq!(whole_number("numeric", "2.0"), None);
    }
}
