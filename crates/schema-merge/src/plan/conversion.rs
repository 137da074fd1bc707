//! How a column's values move from the old type to the new one of the same name.

use crate::catalog::{Catalog, Fact, Identity, Kind};
use crate::ddl::Piece;

/// Types among which Postgres converts values by itself.
const FAMILIES: [&[&str]; 2] = [
    &["smallint", "integer", "bigint", "numeric", "real", "double precision"],
    &["date", "timestamp without time zone", "timestamp with time zone"],
];

/// The statement that moves a column over, or why there is none.
pub(super) fn retype(column: &Fact, from: &Catalog, to: &Catalog) -> Result<Piece, String> {
    let (table, name, type_name) = (column.identity.prefix(), column.identity.last(), column.text("type"));
    let collation = column.optional("collation").map(|collation| format!(" collate {collation}")).unwrap_or_default();
    if column.parent.as_ref().is_some_and(|table| table.kind_word() == "foreign_table") {
        let sql = format!("alter foreign table {table} alter column {name} type {type_name}{collation}");
        return Ok(Piece::new(sql));
    }
    let using = convert(name, type_name, from, to, 0)?;
    if column.parent.as_ref().is_some_and(|table| table.as_str().starts_with("foreign_table:")) {
        return Ok(Piece::new(format!("alter foreign table {table} alter column {name} type {type_name}{collation}")));
    }
    Ok(Piece::new(format!("alter table {table} alter column {name} type {type_name}{collation} using {using}")))
}

fn convert(value: &str, type_name: &str, from: &Catalog, to: &Catalog, depth: usize) -> Result<String, String> {
    if depth > 16 {
        return Err("its types contain each other too deeply".to_owned());
    }
    let element = type_name.trim_end_matches("[]");
    let array = element.len() != type_name.len();
    let composite = Identity::new(Kind::Composite, element);
    if from.contains(&composite) && to.contains(&composite) {
        let (old, new) = (attributes(from, &composite), attributes(to, &composite));
        let names = |list: &[&Fact]| list.iter().map(|fact| fact.identity.clone()).collect::<Vec<_>>();
        if names(&old) != names(&new) {
            return match array {
                true => Err(format!("it holds arrays of {composite}, whose attributes change")),
                false => rows(value, type_name, &old, &new, from, to, depth),
            };
        }
    }
    if let Some((old, new)) = base_of(from, element).zip(base_of(to, element))
        && FAMILIES.iter().any(|family| family.contains(&old.as_str()) && family.contains(&new.as_str()))
    {
        let dimensions = if array { "[]" } else { "" };
        return Ok(format!("{value}::{new}{dimensions}::{type_name}"));
    }
    let text = if array { "text[]" } else { "text" };
    Ok(format!("{value}::{text}::{type_name}"))
}

/// The type below a domain and the domains it stands on, without modifiers.
fn base_of(catalog: &Catalog, path: &str) -> Option<String> {
    let mut domain = catalog.get(&Identity::new(Kind::Domain, path))?;
    for _ in 0..16 {
        match catalog.get(&Identity::new(Kind::Domain, domain.text("base"))) {
            Some(below) => domain = below,
            None => return Some(domain.text("base").split('(').next().unwrap_or_default().trim().to_owned()),
        }
    }
    None
}

/// A row put together attribute by attribute, because attributes came or went.
fn rows(
    value: &str,
    type_name: &str,
    old: &[&Fact],
    new: &[&Fact],
    from: &Catalog,
    to: &Catalog,
    depth: usize,
) -> Result<String, String> {
    let mut parts = Vec::with_capacity(new.len());
    for attribute in new {
        let kept = old.iter().any(|known| known.identity == attribute.identity);
        parts.push(if kept {
            convert(&format!("({value}).{}", attribute.identity.last()), attribute.text("type"), from, to, depth + 1)?
        } else {
            format!("null::{}", attribute.text("type"))
        });
    }
    Ok(format!("case when {value} is not distinct from null then null else row({})::{type_name} end", parts.join(", ")))
}

/// The attributes of a composite type in order.
fn attributes<'a>(catalog: &'a Catalog, composite: &Identity) -> Vec<&'a Fact> {
    let mut found: Vec<&Fact> =
        catalog.iter().filter(|fact| fact.kind == Kind::Attribute && fact.parent.as_ref() == Some(composite)).collect();
    found
        .sort_by(|left, right| (left.lineage.position, &left.identity).cmp(&(right.lineage.position, &right.identity)));
    found
}
