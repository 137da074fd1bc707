//! Questions about rows that a plan may not get past: what its new rules forbid.
//!
//! They are made of the same canonical texts that the rules are, and asked on the clone before the plan runs, so that all that is in the
//! way is told at once and not only the first.

use data_plane_contract::schema::Probe;
use schema_merge::{Catalog, Fact, Identity, Kind, catalog::unquote_identifier};

/// The questions that a plan from one catalog to another raises.
pub(super) fn of(target: &Catalog, predicted: &Catalog) -> Vec<Probe> {
    let mut found = Vec::new();
    for fact in predicted.iter() {
        if target.get(&fact.identity).is_some_and(|there| there.says_the_same(fact)) {
            continue;
        }
        found.extend(match fact.kind {
            Kind::Column => not_null(target, fact),
            Kind::Constraint => constraint(target, fact),
            Kind::Index => unique_index(target, fact),
            _ => None,
        });
    }
    found
}

/// A column that demands values from now on.
fn not_null(target: &Catalog, fact: &Fact) -> Option<Probe> {
    let there = target.get(&fact.identity)?;
    if !fact.flag("not_null") || there.flag("not_null") {
        return None;
    }
    let (table, column) = (fact.identity.prefix().to_owned(), fact.identity.last());
    let sql = rows_of(target, &table, &format!("t.{column} is null"))?;
    Some(Probe { rule: "C6".to_owned(), what: format!("have no {}", unquote_identifier(column)), table, sql })
}

fn constraint(target: &Catalog, fact: &Fact) -> Option<Probe> {
    let table = fact.identity.prefix().to_owned();
    let definition = fact.text("definition");
    if definition.ends_with(" NOT VALID") {
        return None;
    }
    let (rule, sql, what) = match fact.text("type") {
        "check" => {
            let (condition, _) = parenthesised(definition.strip_prefix("CHECK ")?)?;
            ("C8", rows_of(target, &table, &format!("not ({condition})"))?, definition.to_owned())
        }
        "unique" | "primary" => {
            let distinct = !definition.contains("NULLS NOT DISTINCT");
            let (columns, _) = parenthesised(definition.get(definition.find('(')?..)?)?;
            ("C7", duplicates(target, &table, &split_list(columns), distinct, None)?, definition.to_owned())
        }
        "foreign" => ("C9", orphans(target, &table, definition)?, definition.to_owned()),
        _ => return None,
    };
    let name = unquote_identifier(fact.identity.last());
    Some(Probe { rule: rule.to_owned(), table, what: format!("violate {name} {what}"), sql })
}

fn unique_index(target: &Catalog, fact: &Fact) -> Option<Probe> {
    let rest = fact.text("definition").strip_prefix("CREATE UNIQUE INDEX ")?;
    let (_, rest) = rest.split_once(" ON ")?;
    let (table, rest) = rest.split_once(" USING btree ")?;
    let table = table.strip_prefix("ONLY ").unwrap_or(table);
    let (elements, rest) = parenthesised(rest)?;
    let elements = split_list(elements);
    // Directions and operator classes are no part of an expression.
    if elements.iter().any(|element| element.contains(' ') && !element.ends_with(')')) {
        return None;
    }
    let condition = rest.split_once(" WHERE ").map(|(_, condition)| condition);
    let sql = duplicates(target, table, &elements, !rest.contains("NULLS NOT DISTINCT"), condition)?;
    let what = format!("are equal for {}", unquote_identifier(fact.identity.last()));
    Some(Probe { rule: "C7".to_owned(), table: table.to_owned(), what, sql })
}

fn duplicates(
    target: &Catalog,
    table: &str,
    columns: &[String],
    nulls_distinct: bool,
    condition: Option<&str>,
) -> Option<String> {
    if columns.is_empty() || !known(target, table) {
        return None;
    }
    let list = columns.join(", ");
    let mut conditions: Vec<String> = condition.iter().map(|condition| format!("({condition})")).collect();
    if nulls_distinct {
        conditions.extend(columns.iter().map(|column| format!("({column}) is not null")));
    }
    let filter = if conditions.is_empty() { String::new() } else { format!(" where {}", conditions.join(" and ")) };
    Some(format!(
        "select pg_catalog.jsonb_build_array({list}) from {table} t{filter} group by {list} having count(*) > 1"
    ))
}

/// `FOREIGN KEY (a, b) REFERENCES public.x(c, d) …`
fn orphans(target: &Catalog, table: &str, definition: &str) -> Option<String> {
    let (own, rest) = parenthesised(definition.strip_prefix("FOREIGN KEY ")?)?;
    let rest = rest.strip_prefix(" REFERENCES ")?;
    let open = outside_quotes(rest, '(')?;
    let (other, (theirs, rest)) = (&rest[..open], parenthesised(&rest[open..])?);
    if rest.contains("MATCH FULL") || !known(target, other) {
        return None;
    }
    let (own, theirs) = (split_list(own), split_list(theirs));
    let present: Vec<_> = own.iter().map(|column| format!("t.{column} is not null")).collect();
    let equal: Vec<_> = own.iter().zip(&theirs).map(|(own, their)| format!("o.{their} = t.{own}")).collect();
    let condition =
        format!("{} and not exists (select from {other} o where {})", present.join(" and "), equal.join(" and "));
    rows_of(target, table, &condition)
}

fn known(target: &Catalog, table: &str) -> bool {
    target.contains(&Identity::new(Kind::Table, table))
}

/// Keys of the rows of a table under a condition.
fn rows_of(target: &Catalog, table: &str, condition: &str) -> Option<String> {
    if !known(target, table) {
        return None;
    }
    let prefix = format!("{table}.");
    let key = target.iter().find(|fact| {
        fact.kind == Kind::Constraint && fact.text("type") == "primary" && fact.identity.path().starts_with(&prefix)
    });
    let columns = key.and_then(|key| {
        let definition = key.text("definition");
        parenthesised(definition.get(definition.find('(')?..)?).map(|(columns, _)| split_list(columns))
    });
    let pairs = match columns {
        Some(columns) => columns
            .iter()
            .map(|column| format!("'{}', t.{column}", unquote_identifier(column).replace('\'', "''")))
            .collect::<Vec<_>>(),
        None => vec!["'ctid', t.ctid::text".to_owned()],
    };
    Some(format!("select pg_catalog.jsonb_build_object({}) from {table} t where {condition}", pairs.join(", ")))
}

/// What is inside the bracket that a text begins with, and what follows it.
fn parenthesised(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('(')?;
    let (mut depth, mut quote) = (1_u32, None);
    for (index, character) in inner.char_indices() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth -= 1;
                if depth == 0 {
                    return Some((&inner[..index], &inner[index + 1..]));
                }
            }
            (None, _) => {}
        }
    }
    None
}

/// The elements of a list, without the spaces around them.
fn split_list(text: &str) -> Vec<String> {
    let (mut found, mut start, mut depth, mut quote) = (Vec::new(), 0, 0_u32, None);
    for (index, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                found.push(text[start..index].trim().to_owned());
                start = index + 1;
            }
            (None, _) => {}
        }
    }
    found.push(text[start..].trim().to_owned());
    found
}

fn outside_quotes(text: &str, wanted: char) -> Option<usize> {
    let mut quoted = false;
    text.char_indices()
        .find(|(_, character)| {
            quoted ^= *character == '"';
            *character == wanted && !quoted
        })
        .map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_brackets_are_read_as_postgres_writes_them() {
        assert_eq!(parenthesised("(a > ')' and (b)) NO INHERIT"), Some(("a > ')' and (b)", " NO INHERIT")));
        assert_eq!(split_list("a, \"b,c\", f(x, y)"), ["a", "\"b,c\"", "f(x, y)"]);
    }
}
