//! The `select` parameter: columns, casts, aliases, embedded relations and spreads.

use indexmap::IndexSet;

use super::cursor::{Cursor, ParseError};
use super::field::{Field, field, json_path};

/// Nesting beyond this is refused, so that a request cannot exhaust the stack.
pub(super) const MAX_DEPTH: usize = 16;

/// Digits of a type's modifier that are a number for Postgres' grammar.
const MOST_DIGITS: usize = 9;

/// One item of a select list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SelectItem {
    /// `*`
    All,
    /// `[alias:]column[->path][::cast]`
    Column {
        /// Name in the result.
        alias: Option<String>,
        /// What is selected.
        field: Field,
        /// Type name as written.
        cast: Option<String>,
    },
    /// `[alias:]relation[!hint][!inner](…)`
    Embed(EmbedRequest),
    /// An aggregate function, which is recognised in order to be refused.
    Aggregate,
}

/// An embedded relation as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EmbedRequest {
    /// Name in the result.
    pub(crate) alias: Option<String>,
    /// Relation, foreign key or column name.
    pub(crate) relation: String,
    /// Text after `!` that tells several relationships apart.
    pub(crate) hint: Option<String>,
    /// True for `!inner`.
    pub(crate) inner: bool,
    /// True for `...relation(…)`.
    pub(crate) spread: bool,
    /// What is selected of it.
    pub(crate) items: Vec<SelectItem>,
}

/// Parses a whole `select` value; an empty one selects everything.
pub(crate) fn select(value: &str) -> Result<Vec<SelectItem>, ParseError> {
    if value.trim().is_empty() {
        return Ok(vec![SelectItem::All]);
    }
    let mut cursor = Cursor::new(value);
    let items = items(&mut cursor, 0)?;
    cursor.finish("a comma or the end")?;
    Ok(items)
}

fn items(cursor: &mut Cursor<'_>, depth: usize) -> Result<Vec<SelectItem>, ParseError> {
    let mut items = Vec::new();
    loop {
        cursor.skip_blanks();
        if matches!(cursor.peek(), Some(')')) && items.is_empty() {
            return Ok(items);
        }
        items.push(item(cursor, depth)?);
        cursor.skip_blanks();
        if !cursor.eat(",") {
            return Ok(items);
        }
    }
}

fn item(cursor: &mut Cursor<'_>, depth: usize) -> Result<SelectItem, ParseError> {
    if cursor.eat("*") {
        return Ok(SelectItem::All);
    }
    if cursor.eat("...") {
        let relation = cursor.identifier()?;
        return embed(cursor, None, relation, true, depth);
    }
    let mut name = cursor.identifier()?;
    let mut alias = None;
    if cursor.peek() == Some(':') && !cursor.rest().starts_with("::") {
        cursor.eat(":");
        alias = Some(name);
        name = cursor.identifier()?;
    }
    if matches!(cursor.peek(), Some('(' | '!')) {
        return embed(cursor, alias, name, false, depth);
    }
    column(cursor, alias, name)
}

fn column(cursor: &mut Cursor<'_>, alias: Option<String>, name: String) -> Result<SelectItem, ParseError> {
    let path = json_path(cursor)?;
    let cast = if cursor.eat("::") { Some(cast(cursor)?) } else { None };
    if cursor.eat(".") {
        let aggregate = ["sum", "avg", "count", "max", "min"].into_iter().any(|name| cursor.eat(name));
        if !aggregate {
            return Err(cursor.unexpected("sum, avg, count, max or min"));
        }
        cursor.expect("()", "an aggregate call")?;
        if cursor.eat("::") {
            self::cast(cursor)?;
        }
        return Ok(SelectItem::Aggregate);
    }
    Ok(SelectItem::Column { alias, field: Field { name, path }, cast })
}

/// `name`, `"name"`, `name(10,2)`, `name[]`: of these characters only, so that the whole can stand in a statement.
fn cast(cursor: &mut Cursor<'_>) -> Result<String, ParseError> {
    let quote = if cursor.eat("\"") { "\"" } else { "" };
    let name = cursor.take_while(|next| next.is_ascii_alphanumeric() || " _".contains(next)).trim();
    if name.is_empty() {
        return Err(cursor.unexpected("a type name"));
    }
    cursor.expect(quote, "a closing double quote")?;
    let mut written = format!("{quote}{name}{quote}");
    if cursor.eat("(") {
        let modifier = cursor.take_while(|next| next.is_ascii_digit() || next == ',');
        if modifier.split(',').any(|number| !(1..=MOST_DIGITS).contains(&number.len())) {
            return Err(cursor.unexpected("a number"));
        }
        cursor.expect(")", "a closing parenthesis")?;
        written = format!("{written}({modifier})");
    }
    if cursor.eat("[]") {
        written.push_str("[]");
    }
    Ok(written)
}

fn embed(
    cursor: &mut Cursor<'_>,
    alias: Option<String>,
    relation: String,
    spread: bool,
    depth: usize,
) -> Result<SelectItem, ParseError> {
    let mut hint = None;
    let mut inner = false;
    while cursor.eat("!") {
        let word = cursor.identifier()?;
        match word.as_str() {
            "inner" => inner = true,
            "left" => inner = false,
            _ if hint.is_none() => hint = Some(word),
            _ => return Err(cursor.unexpected("one hint")),
        }
    }
    cursor.expect("(", "an opening parenthesis")?;
    if relation == "count" && hint.is_none() && cursor.eat(")") {
        if cursor.eat("::") {
            cast(cursor)?;
        }
        return Ok(SelectItem::Aggregate);
    }
    if depth >= MAX_DEPTH {
        return Err(cursor.unexpected("less nesting"));
    }
    let items = items(cursor, depth + 1)?;
    cursor.skip_blanks();
    cursor.expect(")", "a comma or a closing parenthesis")?;
    Ok(SelectItem::Embed(EmbedRequest { alias, relation, hint, inner, spread, items }))
}

/// Parses the comma-separated names of `columns` and `on_conflict`.
pub(crate) fn names(value: &str) -> Result<Vec<String>, ParseError> {
    let mut cursor = Cursor::new(value);
    let mut names = IndexSet::new();
    loop {
        names.insert(field(&mut cursor)?.name);
        if !cursor.eat(",") {
            cursor.finish("a comma or the end")?;
            return Ok(names.into_iter().collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column_item(name: &str) -> SelectItem {
        SelectItem::Column { alias: None, field: Field::column(name), cast: None }
    }

    #[test]
    fn columns_aliases_casts_and_paths() {
        let items = select("id, full name:\"first name\", a::text,data->x->>y::numeric(10,2),*").expect("parses");
        assert_eq!(items[0], column_item("id"));
        assert!(
            matches!(&items[1], SelectItem::Column { alias: Some(alias), field, .. } if alias == "full name" && field.name == "first name")
        );
        assert!(matches!(&items[2], SelectItem::Column { cast: Some(cast), .. } if cast == "text"));
        assert!(
            matches!(&items[3], SelectItem::Column { cast: Some(cast), field, .. } if cast == "numeric(10,2)" && field.path.len() == 2)
        );
        assert_eq!(items[4], SelectItem::All);
    }

    #[test]
    fn embeds_nest_with_hints_and_spreads() {
        let items = select("id,boss:people!people_boss_fkey!inner(name,...city(town)),tags()").expect("parses");
        let SelectItem::Embed(boss) = &items[1] else { panic!("an embed") };
        assert_eq!((boss.alias.as_deref(), boss.relation.as_str(), boss.inner), (Some("boss"), "people", true));
        assert_eq!(boss.hint.as_deref(), Some("people_boss_fkey"));
        assert!(matches!(&boss.items[1], SelectItem::Embed(city) if city.spread));
        assert!(matches!(&items[2], SelectItem::Embed(tags) if tags.items.is_empty()));
    }

    #[test]
    fn aggregates_are_recognised() {
        assert_eq!(select("count()").expect("parses"), [SelectItem::Aggregate]);
        assert_eq!(select("price.sum()").expect("parses"), [SelectItem::Aggregate]);
    }

    #[test]
    fn bad_lists_name_the_place() {
        assert_eq!(select("id,").expect_err("fails").column, 4);
        assert_eq!(select("a(b").expect_err("fails").column, 4);
        assert!(select("a;drop table x").is_ok_and(|items| items == [column_item("a;drop table x")]));
        assert!(select(&format!("{}{}", "a(".repeat(40), ")".repeat(40))).is_err());
        for cast in ["", "\"", "\"\"", "\"a", "[]", "a()", "a(1,)", "a(x)", "a(1234567890)", "a;", "\"a(b\"", "a.b"] {
            assert!(select(&format!("id::{cast}")).is_err(), "{cast}");
        }
        assert!(select("id::\"my type\"(3)[],id::text[]").is_ok());
    }

    #[test]
    fn name_lists_may_be_quoted() {
        assert_eq!(names("\"a\",b,\"c,d\",b").expect("parses"), ["a", "b", "c,d"]);
        assert!(names("a,,b").is_err());
        assert!(names("\"a\0b\"").is_err());
    }
}
