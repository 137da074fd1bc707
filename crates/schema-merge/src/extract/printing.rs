//! Texts in the form that Postgres prints again after it has read them.
//!
//! A list of `character varying` values compared as text (`status in ('a', 'b')`) is printed with one cast around the array; once that
//! text has been read again, it is printed with a cast around each element, and so it stays. Both mean the same. Facts carry the second
//! form, so that an object made from a fact reads back as that fact.

const OPEN: &str = "(ARRAY[";
const CLOSE: &str = "])::text[]";
const ELEMENT: &str = "::character varying";

/// The text as it is printed after one more reading.
pub(crate) fn settled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = find_outside_quotes(rest, OPEN) {
        let inner = &rest[start + OPEN.len()..];
        let end = find_outside_quotes(inner, "]");
        let list = end
            .filter(|end| inner[*end..].starts_with(CLOSE))
            .and_then(|end| elements(&inner[..end]).map(|list| (end, list)));
        out.push_str(&rest[..start]);
        match list {
            Some((end, list)) => {
                let cast: Vec<_> = list.iter().map(|element| format!("({element})::text")).collect();
                out += &format!("ARRAY[{}]", cast.join(", "));
                rest = &inner[end + CLOSE.len()..];
            }
            None => {
                out.push_str(OPEN);
                rest = inner;
            }
        }
    }
    out + rest
}

/// The elements when every one is a literal of `character varying`.
fn elements(list: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let mut rest = list;
    loop {
        let end = find_outside_quotes(rest, ", ").unwrap_or(rest.len());
        let element = &rest[..end];
        let literal = element.strip_suffix(ELEMENT)?;
        if !(literal.starts_with('\'') || literal.starts_with("E'")) || !literal.ends_with('\'') {
            return None;
        }
        found.push(element);
        if end == rest.len() {
            return Some(found);
        }
        rest = &rest[end + 2..];
    }
}

/// Postgres doubles quotes inside quotes, so counting them is enough.
fn find_outside_quotes(text: &str, wanted: &str) -> Option<usize> {
    let (mut single, mut double) = (false, false);
    for (index, character) in text.char_indices() {
        if !single && !double && text[index..].starts_with(wanted) {
            return Some(index);
        }
        match character {
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_varying_text_get_a_cast_each() {
        let first =
            "CHECK (((s)::text = ANY ((ARRAY['a'::character varying, 'it''s, ]'::character varying])::text[])))";
        let second =
            "CHECK (((s)::text = ANY (ARRAY[('a'::character varying)::text, ('it''s, ]'::character varying)::text])))";
        assert_eq!(settled(first), second);
        assert_eq!(settled(second), second);
    }

    #[test]
    fn other_lists_stay() {
        for text in [
            "(x = ANY ((ARRAY[1, 2])::bigint[]))",
            "(x = ANY ((ARRAY[f(a), 'b'::character varying])::text[]))",
            "'(ARRAY['",
            "a = '(ARRAY[''x''::character varying])::text[]'",
        ] {
            assert_eq!(settled(text), text);
        }
    }
}
