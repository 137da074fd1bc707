//! `column`, `column->key->>0`: a column and the path into its JSON.

use super::cursor::{Cursor, ParseError};

/// A column with an optional path into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Column (or, in filters, embedded relation) name.
    pub(crate) name: String,
    /// Steps into its JSON, outermost first.
    pub(crate) path: Vec<JsonStep>,
}

/// One `->` or `->>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonStep {
    /// True for `->>`.
    pub(crate) as_text: bool,
    /// What is selected.
    pub(crate) key: JsonKey,
}

/// A member name or an array index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JsonKey {
    /// `->name`
    Name(String),
    /// `->3`, negative from the end
    Index(i32),
}

impl Field {
    /// A plain column.
    #[cfg(test)]
    pub(crate) fn column(name: &str) -> Self {
        Self { name: name.to_owned(), path: Vec::new() }
    }

    /// The name a selected JSON path gets without an alias: its last member name.
    pub(crate) fn output_name(&self) -> &str {
        let last = self.path.iter().rev().find_map(|step| match &step.key {
            JsonKey::Name(name) => Some(name.as_str()),
            JsonKey::Index(_) => None,
        });
        last.unwrap_or(&self.name)
    }
}

/// Parses a name and its JSON path.
pub(super) fn field(cursor: &mut Cursor<'_>) -> Result<Field, ParseError> {
    let name = cursor.identifier()?;
    Ok(Field { name, path: json_path(cursor)? })
}

/// Parses `->a->>b…`, possibly empty.
pub(super) fn json_path(cursor: &mut Cursor<'_>) -> Result<Vec<JsonStep>, ParseError> {
    let mut steps = Vec::new();
    loop {
        let as_text = if cursor.eat("->>") {
            true
        } else if cursor.eat("->") {
            false
        } else {
            return Ok(steps);
        };
        steps.push(JsonStep { as_text, key: json_key(cursor)? });
    }
}

fn json_key(cursor: &mut Cursor<'_>) -> Result<JsonKey, ParseError> {
    let quoted = cursor.peek() == Some('"');
    let name = if quoted { cursor.identifier()? } else { cursor.member()? };
    if !quoted && let Ok(index) = name.parse::<i32>() {
        return Ok(JsonKey::Index(index));
    }
    Ok(JsonKey::Name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_members_and_indexes() {
        let mut cursor = Cursor::new("data->a-b->-1->>\"x.y\"");
        let parsed = field(&mut cursor).expect("parses");
        assert_eq!(parsed.name, "data");
        assert_eq!(parsed.path[0], JsonStep { as_text: false, key: JsonKey::Name("a-b".into()) });
        assert_eq!(parsed.path[1], JsonStep { as_text: false, key: JsonKey::Index(-1) });
        assert_eq!(parsed.path[2], JsonStep { as_text: true, key: JsonKey::Name("x.y".into()) });
        assert_eq!(parsed.output_name(), "x.y");
    }

    #[test]
    fn a_dangling_arrow_is_an_error() {
        assert!(field(&mut Cursor::new("data->")).is_err());
    }
}
