//! The `order` parameter.

use super::cursor::{Cursor, ParseError};
use super::field::{Field, field};

/// One term of an ordering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OrderTerm {
    /// Embedded to-one relation the column belongs to; absent for the relation itself.
    pub(crate) relation: Option<String>,
    /// What is ordered by.
    pub(crate) field: Field,
    /// `.asc` or `.desc`; absent means ascending.
    pub(crate) descending: Option<bool>,
    /// `.nullsfirst` or `.nullslast`.
    pub(crate) nulls_first: Option<bool>,
}

/// Parses a whole `order` value.
pub(crate) fn order(value: &str) -> Result<Vec<OrderTerm>, ParseError> {
    let mut cursor = Cursor::new(value);
    let mut terms = Vec::new();
    loop {
        terms.push(term(&mut cursor)?);
        if !cursor.eat(",") {
            cursor.finish("a comma, a direction or the end")?;
            return Ok(terms);
        }
    }
}

fn term(cursor: &mut Cursor<'_>) -> Result<OrderTerm, ParseError> {
    let first = field(cursor)?;
    let (relation, field) = if first.path.is_empty() && cursor.eat("(") {
        let inner = field(cursor)?;
        cursor.expect(")", "a closing parenthesis")?;
        (Some(first.name), inner)
    } else {
        (None, first)
    };
    let (mut descending, mut nulls_first) = (None, None);
    while cursor.eat(".") {
        let word = cursor.take_while(|next| next.is_ascii_alphabetic());
        match word {
            "asc" if descending.is_none() && nulls_first.is_none() => descending = Some(false),
            "desc" if descending.is_none() && nulls_first.is_none() => descending = Some(true),
            "nullsfirst" if nulls_first.is_none() => nulls_first = Some(true),
            "nullslast" if nulls_first.is_none() => nulls_first = Some(false),
            _ => return Err(cursor.unexpected("asc, desc, nullsfirst or nullslast")),
        }
    }
    cursor.skip_blanks();
    Ok(OrderTerm { relation, field, descending, nulls_first })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_nulls_and_relations() {
        let terms = order("a.desc.nullslast,b,data->>x.asc,client(name).desc").expect("parses");
        assert_eq!((terms[0].descending, terms[0].nulls_first), (Some(true), Some(false)));
        assert_eq!((terms[1].descending, terms[1].nulls_first), (None, None));
        assert_eq!(terms[2].field.path.len(), 1);
        assert_eq!(terms[3].relation.as_deref(), Some("client"));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", "a.sideways", "a.nullsfirst.desc", "a,,b", "a.desc;drop"] {
            assert!(order(bad).is_err(), "{bad}");
        }
    }
}
