//! Identifiers and literals as Postgres reads them.

/// A double-quoted identifier.
pub(crate) fn identifier(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    push_identifier(&mut quoted, name);
    quoted
}

fn push_identifier(sql: &mut String, name: &str) {
    sql.push('"');
    for (position, part) in name.split('"').enumerate() {
        if position > 0 {
            sql.push_str("\"\"");
        }
        sql.push_str(part);
    }
    sql.push('"');
}

/// A schema-qualified, quoted name.
pub(crate) fn qualified(schema: &str, name: &str) -> String {
    let mut quoted = String::with_capacity(schema.len() + name.len() + 5);
    push_identifier(&mut quoted, schema);
    quoted.push('.');
    push_identifier(&mut quoted, name);
    quoted
}

/// A string literal, right whatever `standard_conforming_strings` says.
pub(crate) fn literal(value: &str) -> String {
    let quoted = value.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// An array literal of texts.
pub(crate) fn array(values: &[String]) -> String {
    let elements: Vec<String> =
        values.iter().map(|value| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{{{}}}", elements.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_cannot_be_escaped_from() {
        assert_eq!(identifier("a\"; drop table x; --"), "\"a\"\"; drop table x; --\"");
        assert_eq!(literal("it's \\"), "E'it''s \\\\'");
        assert_eq!(array(&["a,b".into(), "c\"\\".into()]), "{\"a,b\",\"c\\\"\\\\\"}");
    }
}
