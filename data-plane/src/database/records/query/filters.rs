//! Filters: `column=op.value`, and the logic trees `or=(…)`, `not.and=(…)`.

use super::cursor::{Cursor, ParseError};
use super::field::{Field, field};
use super::select::MAX_DEPTH;

/// A condition on one relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// `column=op.value`
    Test(Test),
    /// `and(…)`, `or(…)`
    Tree {
        /// `not.`
        negated: bool,
        /// True for `or`.
        any: bool,
        /// At least one.
        children: Vec<Condition>,
    },
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    /// Left side.
    pub(crate) field: Field,
    /// `not.`
    pub(crate) negated: bool,
    /// Operator and right side.
    pub(crate) operation: Operation,
}

/// What a column is compared by, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A binary operator.
    Binary(Operator, String),
    /// `op(any).{…}` and `op(all).{…}`; the value is a Postgres array literal.
    Quantified(Operator, Quantifier, String),
    /// `in.(…)`
    In(Vec<String>),
    /// `is.…`
    Is(Truth),
    /// `isdistinct.…`
    IsDistinct(String),
    /// `fts(config).…` and its kin.
    Search(SearchKind, Option<String>, String),
}

/// `any` or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantifier {
    /// One element suffices.
    Any,
    /// Every element.
    All,
}

/// The right side of `is`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    /// `is null`
    Null,
    /// `is true`
    True,
    /// `is false`
    False,
    /// `is unknown`
    Unknown,
}

/// How a full-text query is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SearchKind {
    /// `to_tsquery`
    Query,
    /// `plainto_tsquery`
    Plain,
    /// `phraseto_tsquery`
    Phrase,
    /// `websearch_to_tsquery`
    Web,
}

macro_rules! operators {
    ($($variant:ident $word:literal $sql:literal $quantifies:literal),* $(,)?) => {
        /// A binary operator of the query language.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Operator { $(#[doc = $word] $variant),* }

        impl Operator {
            fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }

            /// As Postgres writes it.
            pub(crate) fn sql(self) -> &'static str {
                match self { $(Self::$variant => $sql),* }
            }

            fn quantifies(self) -> bool {
                match self { $(Self::$variant => $quantifies),* }
            }
        }
    };
}

operators! {
    Equal "eq" "=" true,
    NotEqual "neq" "<>" false,
    Greater "gt" ">" true,
    GreaterOrEqual "gte" ">=" true,
    Less "lt" "<" true,
    LessOrEqual "lte" "<=" true,
    Like "like" "like" true,
    InsensitiveLike "ilike" "ilike" true,
    Match "match" "~" true,
    InsensitiveMatch "imatch" "~*" true,
    Contains "cs" "@>" false,
    ContainedBy "cd" "<@" false,
    Overlaps "ov" "&&" false,
    StrictlyLeft "sl" "<<" false,
    StrictlyRight "sr" ">>" false,
    NotRightOf "nxr" "&<" false,
    NotLeftOf "nxl" "&>" false,
    Adjacent "adj" "-|-" false,
}

impl Operator {
    /// True for operators whose `*` stands for `%`.
    pub(crate) fn wildcards(self) -> bool {
        matches!(self, Self::Like | Self::InsensitiveLike)
    }
}

/// A filter key: the embedded relations it goes through, and the column.
pub(crate) fn key(value: &str) -> Result<(Vec<String>, Field), ParseError> {
    let mut cursor = Cursor::new(value);
    let mut path = Vec::new();
    let mut last = field(&mut cursor)?;
    while cursor.eat(".") {
        if !last.path.is_empty() {
            return Err(cursor.unexpected("the end"));
        }
        path.push(last.name);
        last = field(&mut cursor)?;
    }
    cursor.finish("a dot, an arrow or the end")?;
    Ok((path, last))
}

/// The value of a plain filter: `[not.]op.value`.
pub(crate) fn operation(value: &str) -> Result<(bool, Operation), ParseError> {
    let mut cursor = Cursor::new(value);
    let negated = cursor.eat("not.");
    let operation = operator_and_value(&mut cursor, false)?;
    cursor.finish("the end")?;
    Ok((negated, operation))
}

/// The value of `and=` and `or=`: a parenthesised list.
pub(crate) fn tree(any: bool, negated: bool, value: &str) -> Result<Condition, ParseError> {
    let mut cursor = Cursor::new(value.trim());
    let children = children(&mut cursor, 0)?;
    cursor.finish("the end")?;
    Ok(Condition::Tree { negated, any, children })
}

fn children(cursor: &mut Cursor<'_>, depth: usize) -> Result<Vec<Condition>, ParseError> {
    if depth >= MAX_DEPTH {
        return Err(cursor.unexpected("less nesting"));
    }
    cursor.skip_blanks();
    cursor.expect("(", "an opening parenthesis")?;
    let mut children = Vec::new();
    loop {
        cursor.skip_blanks();
        children.push(child(cursor, depth)?);
        cursor.skip_blanks();
        if cursor.eat(")") {
            return Ok(children);
        }
        cursor.expect(",", "a comma or a closing parenthesis")?;
    }
}

fn child(cursor: &mut Cursor<'_>, depth: usize) -> Result<Condition, ParseError> {
    let start = cursor.clone();
    let negated = cursor.eat("not.");
    for (word, any) in [("and", false), ("or", true)] {
        let mut ahead = cursor.clone();
        let begins = ahead.eat(word);
        ahead.skip_blanks();
        if begins && ahead.peek() == Some('(') {
            let children = children(&mut ahead, depth + 1)?;
            *cursor = ahead;
            return Ok(Condition::Tree { negated, any, children });
        }
    }
    *cursor = start;
    let field = field(cursor)?;
    cursor.expect(".", "a dot and an operator")?;
    let negated = cursor.eat("not.");
    let operation = operator_and_value(cursor, true)?;
    Ok(Condition::Test(Test { field, negated, operation }))
}

fn operator_and_value(cursor: &mut Cursor<'_>, nested: bool) -> Result<Operation, ParseError> {
    let start = cursor.clone();
    let word = cursor.take_while(|next| next.is_ascii_alphabetic());
    let search = match word {
        "fts" => Some(SearchKind::Query),
        "plfts" => Some(SearchKind::Plain),
        "phfts" => Some(SearchKind::Phrase),
        "wfts" => Some(SearchKind::Web),
        _ => None,
    };
    let mut argument = None;
    if cursor.eat("(") {
        argument = Some(cursor.take_while(|next| next != ')').to_owned());
        cursor.expect(")", "a closing parenthesis")?;
    }
    if !cursor.eat(".") {
        return Err(start.unexpected("an operator (eq, gt, ...)"));
    }
    if let Some(kind) = search {
        return Ok(Operation::Search(kind, argument, value(cursor, nested)?));
    }
    match (word, argument) {
        ("in", None) => Ok(Operation::In(list(cursor)?)),
        ("is", None) => truth(cursor, nested).map(Operation::Is),
        ("isdistinct", None) => Ok(Operation::IsDistinct(value(cursor, nested)?)),
        (word, argument) => {
            let operator = Operator::parse(word).ok_or_else(|| start.unexpected("an operator (eq, gt, ...)"))?;
            let quantifier = match argument.as_deref() {
                None => return Ok(Operation::Binary(operator, value(cursor, nested)?)),
                Some("any") if operator.quantifies() => Quantifier::Any,
                Some("all") if operator.quantifies() => Quantifier::All,
                Some(_) => return Err(start.unexpected("an operator (eq, gt, ...)")),
            };
            Ok(Operation::Quantified(operator, quantifier, value(cursor, nested)?))
        }
    }
}

fn truth(cursor: &mut Cursor<'_>, nested: bool) -> Result<Truth, ParseError> {
    let start = cursor.clone();
    match value(cursor, nested)?.to_ascii_lowercase().as_str() {
        "null" => Ok(Truth::Null),
        "true" => Ok(Truth::True),
        "false" => Ok(Truth::False),
        "unknown" => Ok(Truth::Unknown),
        _ => Err(start.unexpected("null, true, false or unknown")),
    }
}

fn list(cursor: &mut Cursor<'_>) -> Result<Vec<String>, ParseError> {
    cursor.skip_blanks();
    cursor.expect("(", "an opening parenthesis")?;
    cursor.skip_blanks();
    let mut values = Vec::new();
    loop {
        values.push(element(cursor));
        if cursor.eat(")") {
            cursor.skip_blanks();
            // One empty element is no element.
            return Ok(if values == [""] { Vec::new() } else { values });
        }
        cursor.expect(",", "a comma or a closing parenthesis")?;
    }
}

/// Outside a tree the rest is the value, quotes included; inside it ends at a comma or parenthesis unless quoted or braced.
fn value(cursor: &mut Cursor<'_>, nested: bool) -> Result<String, ParseError> {
    if !nested {
        return Ok(cursor.take_rest().to_owned());
    }
    if cursor.peek() == Some('{') { braced(cursor) } else { Ok(element(cursor)) }
}

/// Up to the next comma or parenthesis; quotes count when they are around all of it.
fn element(cursor: &mut Cursor<'_>) -> String {
    let mut ahead = cursor.clone();
    if let Ok(text) = ahead.quoted()
        && matches!(ahead.peek(), None | Some(',' | ')'))
    {
        *cursor = ahead;
        return text;
    }
    cursor.take_while(|next| next != ',' && next != ')').to_owned()
}

fn braced(cursor: &mut Cursor<'_>) -> Result<String, ParseError> {
    let mut text = String::new();
    let (mut depth, mut quoted) = (0_usize, false);
    while let Some(next) = cursor.bump() {
        text.push(next);
        match next {
            '\\' => text.extend(cursor.bump()),
            '"' => quoted = !quoted,
            '{' if !quoted => depth += 1,
            '}' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Ok(text);
                }
            }
            _ => {}
        }
    }
    Err(cursor.unexpected("a closing brace"))
}
