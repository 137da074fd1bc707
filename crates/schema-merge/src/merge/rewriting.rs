//! Replaces names in the texts that Postgres printed.

use crate::catalog::{Identity, Kind, function_name, quote_identifier, unquote_identifier};
use crate::ddl::literal;

/// The text with a renamed thing under its new name: qualified names anywhere, last names as whole words outside strings.
pub(super) fn rewrite(text: &str, old: &Identity, new: &Identity) -> String {
    match old.kind_word() {
        "schema" => replace_word(text, &format!("{}.", old.path()), &format!("{}.", new.path()), Where::Everywhere),
        "column" | "attribute" => {
            let qualified = replace_word(text, old.path(), new.path(), Where::Everywhere);
            replace_column(&qualified, old.last(), new.last())
        }
        "trigger" | "policy" | "rule" | "constraint" => {
            replace_word(text, old.last(), new.last(), Where::OutsideStrings)
        }
        "index" => {
            let qualified = replace_word(text, old.path(), new.path(), Where::Everywhere);
            replace_word(&qualified, old.last(), new.last(), Where::OutsideStrings)
        }
        "function" | "aggregate" => {
            let bare = |identity: &Identity| function_name(identity.path()).to_owned();
            replace_word(text, &format!("{}(", bare(old)), &format!("{}(", bare(new)), Where::Everywhere)
        }
        "table" | "view" | "materialized_view" | "foreign_table" | "partitioned_table" => {
            let qualified = replace_word(text, old.path(), new.path(), Where::Everywhere);
            replace_word(&qualified, &format!("{}.", old.last()), &format!("{}.", new.last()), Where::OutsideStrings)
        }
        _ => replace_word(text, old.path(), new.path(), Where::Everywhere),
    }
}

/// A name for something that gives its own name to something else for a while.
pub(super) fn aside(identity: &Identity) -> String {
    let name: String = unquote_identifier(function_name(identity.last())).chars().take(15).collect();
    quote_identifier(&format!("{name}__aside"))
}

/// The text with a label of an enum renamed, where Postgres printed it with its type.
pub(super) fn rewrite_label(text: &str, enumeration: &Identity, old: &str, new: &str) -> String {
    let mut out = text.to_owned();
    for suffix in ["", "[]"] {
        let typed = |label: &str| format!("{}::{}{suffix}", literal(label), enumeration.path());
        out = out.replace(&typed(old), &typed(new));
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// Names in literals too, such as the argument of `nextval`.
    Everywhere,
    OutsideStrings,
}

fn replace_word(text: &str, old: &str, new: &str, scope: Where) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quoted = false;
    let mut index = 0;
    while index < text.len() {
        let rest = &text[index..];
        let before = text[..index].chars().next_back();
        let starts =
            before.is_none_or(|character| !(is_word(character) || scope == Where::Everywhere && character == '.'));
        if (scope == Where::Everywhere || !quoted) && starts && rest.starts_with(old) {
            let after = rest[old.len()..].chars().next();
            let open_end = old.ends_with(['.', '(']);
            if open_end && before != Some('.') || !open_end && after.is_none_or(|character| !is_word(character)) {
                out.push_str(new);
                index += old.len();
                continue;
            }
        }
        let character = rest.chars().next().unwrap_or_default();
        // A quoted name is one word, whatever characters it has.
        let end = if character == '"' && !quoted { word_end(rest) } else { character.len_utf8() };
        quoted ^= character == '\'';
        out.push_str(&rest[..end]);
        index += end;
    }
    out
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '"' || character == '$'
}

/// Replaces a column's name outside strings. An entry of a select list that is the column alone keeps its name by `AS`, because
/// that is how Postgres prints it then.
fn replace_column(text: &str, old: &str, new: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut index) = (false, 0);
    // For each open parenthesis: whether a select list is being read, and whether an entry has just begun.
    let mut levels = vec![(false, false)];
    while index < text.len() {
        let rest = &text[index..];
        let character = rest.chars().next().unwrap_or_default();
        if quoted || character == '\'' {
            quoted ^= character == '\'';
            out.push(character);
            index += character.len_utf8();
            mark(&mut levels, false);
            continue;
        }
        if is_word(character) {
            let end = word_end(rest);
            let word = &rest[..end];
            let qualifies = rest[end..].starts_with('.');
            match word {
                "SELECT" => set(&mut levels, (true, true)),
                "DISTINCT" | "ALL" if current(&levels).0 => {}
                "FROM" | "WHERE" | "UNION" | "GROUP" | "ORDER" | "HAVING" | "WINDOW" | "LIMIT" => {
                    set(&mut levels, (false, false));
                }
                _ if word == old && !qualifies => {
                    out.push_str(new);
                    let alone = current(&levels) == (true, true) && entry_ends(&rest[end..]);
                    if alone {
                        out.push_str(" AS ");
                        out.push_str(old);
                    }
                    mark(&mut levels, false);
                    index += end;
                    continue;
                }
                _ if qualifies => {}
                _ => mark(&mut levels, false),
            }
            out.push_str(word);
            index += end;
            continue;
        }
        match character {
            '(' => {
                mark(&mut levels, false);
                levels.push((false, false));
            }
            ')' if levels.len() > 1 => {
                levels.pop();
            }
            ',' => mark(&mut levels, true),
            '.' => {}
            space if space.is_whitespace() => {}
            _ => mark(&mut levels, false),
        }
        out.push(character);
        index += character.len_utf8();
    }
    out
}

fn current(levels: &[(bool, bool)]) -> (bool, bool) {
    levels.last().copied().unwrap_or_default()
}

fn set(levels: &mut [(bool, bool)], state: (bool, bool)) {
    if let Some(last) = levels.last_mut() {
        *last = state;
    }
}

fn mark(levels: &mut [(bool, bool)], begins: bool) {
    if let Some(last) = levels.last_mut() {
        last.1 = begins;
    }
}

fn word_end(text: &str) -> usize {
    if text.starts_with('"') {
        let mut characters = text.char_indices().skip(1).peekable();
        while let Some((index, character)) = characters.next() {
            if character == '"' {
                if characters.peek().is_some_and(|(_, next)| *next == '"') {
                    characters.next();
                } else {
                    return index + 1;
                }
            }
        }
        return text.len();
    }
    text.find(|character| !is_word(character)).unwrap_or(text.len())
}

/// True when a select entry is over here.
fn entry_ends(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with([',', ';', ')']) || rest.starts_with("FROM")
}

/// True when a body that Postgres does not analyse mentions a name as a word, in whatever case.
pub(super) fn mentions(body: &str, name: &str) -> bool {
    let (body, name) = (body.to_lowercase(), unquote_identifier(name).to_lowercase());
    let mut from = 0;
    while let Some(at) = body[from..].find(&name).map(|at| at + from) {
        let before = body[..at].chars().next_back();
        let after = body[at + name.len()..].chars().next();
        let inner = |character: Option<char>| {
            character.is_some_and(|character| character.is_alphanumeric() || character == '_')
        };
        if !inner(before) && !inner(after) {
            return true;
        }
        from = at + name.len().max(1);
    }
    false
}

/// The sets of names of its schema in which a kind of fact has its own: relations, types, or both as a table has.
pub(super) fn name_spaces(kind: Kind) -> &'static [&'static str] {
    match kind.word() {
        "enum" | "domain" | "range" => &["type"],
        "sequence" | "index" => &["relation"],
        _ if shares_names(kind) => &["relation", "type"],
        _ => &[],
    }
}

/// True for kinds whose facts can stand in a schema by themselves and share its names with tables and types.
pub(super) fn shares_names(kind: Kind) -> bool {
    !matches!(
        kind.word(),
        "function"
            | "aggregate"
            | "operator"
            | "operator_class"
            | "operator_family"
            | "cast"
            | "collation"
            | "conversion"
            | "text_search_dictionary"
            | "text_search_configuration"
            | "text_search_parser"
            | "text_search_template"
            | "statistics"
            | "publication"
            | "event_trigger"
            | "foreign_server"
            | "foreign_data_wrapper"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_as_words_outside_strings() {
        let (old, new) = (Identity::new(Kind::Column, "public.t.a"), Identity::new(Kind::Column, "public.t.b"));
        assert_eq!(
            rewrite("CHECK ((a > 0) AND (area <> 'a'::text))", &old, &new),
            "CHECK ((b > 0) AND (area <> 'a'::text))"
        );
        let (old, new) = (Identity::new(Kind::Table, "public.t"), Identity::new(Kind::Table, "public.u"));
        assert_eq!(
            rewrite("SELECT t.a FROM public.t JOIN public.t2", &old, &new),
            "SELECT u.a FROM public.u JOIN public.t2"
        );
        assert_eq!(
            rewrite("SELECT t.\"it's\", t.\"of t.a\", t.b FROM public.t", &old, &new),
            "SELECT u.\"it's\", u.\"of t.a\", u.b FROM public.u"
        );
        let (old, new) = (Identity::new(Kind::Schema, "app"), Identity::new(Kind::Schema, "core"));
        assert_eq!(
            rewrite("nextval('app.s'::regclass) + app.f(x.app)", &old, &new),
            "nextval('core.s'::regclass) + core.f(x.app)"
        );
        let (old, new) =
            (Identity::new(Kind::Function, "public.f(integer)"), Identity::new(Kind::Function, "public.g(integer)"));
        assert_eq!(rewrite("(public.f(a) > f(b))", &old, &new), "(public.g(a) > f(b))");
    }

    #[test]
    fn a_views_columns_keep_their_names() {
        let (old, new) = (Identity::new(Kind::Column, "public.t.a"), Identity::new(Kind::Column, "public.t.b"));
        assert_eq!(
            rewrite(
                " SELECT t.a,\n    t.c,\n    COALESCE(t.a, 0, t.a) AS d\n   FROM public.t\n  WHERE (t.a > 0)\n  GROUP BY t.a, t.c",
                &old,
                &new
            ),
            " SELECT t.b AS a,\n    t.c,\n    COALESCE(t.b, 0, t.b) AS d\n   FROM public.t\n  WHERE (t.b > 0)\n  GROUP BY t.b, t.c"
        );
        assert_eq!(rewrite(" SELECT a AS x\n   FROM public.t", &old, &new), " SELECT b AS x\n   FROM public.t");
    }

    #[test]
    fn bodies_mention_words() {
        assert!(mentions("begin update Orders set Total = 1; end", "total"));
        assert!(!mentions("subtotal, total_x", "total"));
        assert!(mentions("insert into \"My Table\"", "\"My Table\""));
    }
}
