//! Addresses of facts: `kind:path`, where the path is made of SQL-quoted names.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Kind;

/// Address of a fact, such as `column:public.orders.total` or `comment:policy:public.orders."own rows"`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(Arc<str>);

impl Identity {
    /// The address of a thing of this kind at this path.
    pub fn new(kind: Kind, path: impl AsRef<str>) -> Self {
        Self([kind.word(), ":", path.as_ref()].concat().into())
    }

    /// An address from its whole text.
    pub(crate) fn from_text(text: String) -> Self {
        Self(text.into())
    }

    /// The address of something said about another fact.
    pub fn about(kind: Kind, subject: &Self, detail: &str) -> Self {
        Self([kind.word(), ":", &subject.0, detail].concat().into())
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address without its first kind word.
    pub fn path(&self) -> &str {
        self.0.split_once(':').map_or(self.as_str(), |(_, path)| path)
    }

    /// The first kind word: what the fact is.
    pub fn kind_word(&self) -> &str {
        self.0.split_once(':').map_or("", |(word, _)| word)
    }

    /// The names in the path, each still quoted; arguments of a function stay with its name.
    pub fn names(&self) -> Vec<&str> {
        split_path(self.path())
    }

    /// The last name of the path, quoted.
    pub fn last(&self) -> &str {
        self.names().last().copied().unwrap_or_default()
    }

    /// The path without its last name.
    pub fn prefix(&self) -> &str {
        let path = self.path();
        let last = self.last();
        path.strip_suffix(last).and_then(|rest| rest.strip_suffix('.')).unwrap_or_default()
    }

    /// First name of the path, unquoted: the schema for everything that lives in one.
    pub fn schema(&self) -> String {
        unquote_identifier(self.names().first().copied().unwrap_or_default())
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Splits a dotted path at dots outside quotes and outside parentheses.
pub fn split_path(path: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut depth) = (Vec::new(), 0, false, 0_u32);
    for (index, character) in path.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            '.' if !quoted && depth == 0 => {
                parts.push(&path[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&path[start..]);
    parts
}

/// Where `wanted` stands outside quotes of both kinds and outside parentheses. Postgres doubles quotes inside quotes, so counting them is enough.
pub(crate) fn find_outside(text: &str, wanted: &str) -> Option<usize> {
    let (mut single, mut double, mut depth) = (false, false, 0_i32);
    for (index, character) in text.char_indices() {
        if !single && !double && depth == 0 && text[index..].starts_with(wanted) {
            return Some(index);
        }
        match character {
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            '(' if !single && !double => depth += 1,
            ')' if !single && !double => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Splits a text where `separator` stands outside quotes and parentheses.
pub(crate) fn split_outside<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some(at) = find_outside(rest, separator) {
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest);
    parts
}

/// The name in a function's path or its last part, without the types of its arguments.
pub(crate) fn function_name(path: &str) -> &str {
    find_outside(path, "(").map_or(path, |arguments| &path[..arguments])
}

/// Joins quoted names to a path.
pub fn join_path(parts: &[&str]) -> String {
    parts.join(".")
}

/// The name without its SQL quotes.
pub fn unquote_identifier(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

/// The name with SQL quotes where it is not a plain lower-case word. Reserved words come from Postgres already quoted.
pub fn quote_identifier(name: &str) -> String {
    let plain = name.chars().next().is_some_and(|first| first.is_ascii_lowercase() || first == '_')
        && name
            .chars()
            .all(|character| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_dots_inside_quotes_and_arguments() {
        let identity = Identity::new(Kind::Column, "public.\"a.b\".\"c\"\"d\"");
        assert_eq!(identity.names(), ["public", "\"a.b\"", "\"c\"\"d\""]);
        assert_eq!(identity.prefix(), "public.\"a.b\"");
        assert_eq!(unquote_identifier(identity.last()), "c\"d");
        let function = Identity::new(Kind::Function, "public.f(public.status, integer)");
        assert_eq!(function.names(), ["public", "f(public.status, integer)"]);
    }

    #[test]
    fn quoting_leaves_plain_words_alone() {
        assert_eq!(quote_identifier("orders_2"), "orders_2");
        assert_eq!(quote_identifier("Orders"), "\"Orders\"");
        assert_eq!(quote_identifier("a\"b"), "\"a\"\"b\"");
    }
}
