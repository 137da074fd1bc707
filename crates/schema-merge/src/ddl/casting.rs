//! Whether Postgres can convert the values of one type to another, as far as that is known without asking it.

use crate::catalog::{Catalog, Fact, Identity, Kind, MAX_DEPTH};

/// Casts between Postgres' own types. Any type converts to and from text.
const CASTS: &[(&str, &[&str])] = &[
    ("bigint", &["bit", "double precision", "integer", "money", "numeric", "real", "smallint"]),
    ("bit", &["bigint", "bit varying", "integer"]),
    ("bit varying", &["bit"]),
    ("boolean", &["integer"]),
    ("box", &["circle", "lseg", "point", "polygon"]),
    ("cidr", &["inet"]),
    ("circle", &["box", "point", "polygon"]),
    ("date", &["timestamp with time zone", "timestamp without time zone"]),
    ("daterange", &["datemultirange"]),
    ("double precision", &["bigint", "integer", "numeric", "real", "smallint"]),
    ("inet", &["cidr"]),
    ("int4range", &["int4multirange"]),
    ("int8range", &["int8multirange"]),
    ("integer", &["bigint", "bit", "boolean", "double precision", "money", "numeric", "real", "smallint"]),
    ("interval", &["time without time zone"]),
    ("json", &["jsonb"]),
    ("jsonb", &["bigint", "boolean", "double precision", "integer", "json", "numeric", "real", "smallint"]),
    ("lseg", &["point"]),
    ("macaddr", &["macaddr8"]),
    ("macaddr8", &["macaddr"]),
    ("money", &["numeric"]),
    ("numeric", &["bigint", "double precision", "integer", "money", "real", "smallint"]),
    ("numrange", &["nummultirange"]),
    ("path", &["polygon"]),
    ("point", &["box"]),
    ("polygon", &["box", "circle", "path", "point"]),
    ("real", &["bigint", "double precision", "integer", "numeric", "smallint"]),
    ("smallint", &["bigint", "double precision", "integer", "numeric", "real"]),
    ("time with time zone", &["time without time zone"]),
    ("time without time zone", &["interval", "time with time zone"]),
    (
        "timestamp with time zone",
        &["date", "time with time zone", "time without time zone", "timestamp without time zone"],
    ),
    ("timestamp without time zone", &["date", "time without time zone", "timestamp with time zone"]),
    ("tsrange", &["tsmultirange"]),
    ("tstzrange", &["tstzmultirange"]),
    ("bytea", &[]),
    ("uuid", &[]),
    ("xml", &[]),
    ("tsvector", &[]),
    ("tsquery", &[]),
    ("line", &[]),
];

const TEXTS: [&str; 5] = ["text", "character varying", "character", "name", "bpchar"];

/// False when there surely is no cast; a type that is not Postgres' own may have any.
fn castable(from: &str, to: &str, catalog: &Catalog) -> bool {
    let (from, to) = (plain(from), plain(to));
    if from == to || TEXTS.contains(&from.as_str()) || TEXTS.contains(&to.as_str()) {
        return true;
    }
    if let Some((from, to)) = from.strip_suffix("[]").zip(to.strip_suffix("[]")) {
        return castable(from, to, catalog);
    }
    let known =
        |name: &str| CASTS.iter().any(|(known, casts)| *known == name || casts.contains(&name)) || name.ends_with("[]");
    let listed = CASTS.iter().any(|(known, casts)| *known == from && casts.contains(&to.as_str()));
    listed || !known(&from) || !known(&to) || catalog.iter().any(|fact| made_by_user(fact, &from, &to))
}

/// False when a column surely cannot be converted: what [`castable`] knows, and that Postgres casts an enum, a composite type or a range
/// to nothing of its own but text, nor anything of its own but text to them.
pub(crate) fn convertible(from: &Fact, to: &Fact, catalog: &Catalog) -> bool {
    let (old, new) = (plain(from.text("type")), plain(to.text("type")));
    let made = |column: &Fact, name: &str| {
        let element = name.trim_end_matches("[]");
        column
            .depends_on
            .iter()
            .any(|needed| matches!(needed.kind_word(), "enum" | "composite" | "range") && needed.path() == element)
    };
    let own = |name: &str, other: &str| {
        let element = name.trim_end_matches("[]");
        CASTS.iter().any(|(known, _)| *known == element)
            || TEXTS.contains(&element) && name.ends_with("[]") && !other.ends_with("[]")
    };
    let apart = made(from, &old) && own(&new, &old) || own(&old, &new) && made(to, &new);
    let castable = castable(&under_domains(&old, catalog), &under_domains(&new, catalog), catalog);
    castable && (!apart || catalog.iter().any(|fact| made_by_user(fact, &old, &new)))
}

/// The type that a domain, or a domain over one, is made of; any other name is its own.
fn under_domains(name: &str, catalog: &Catalog) -> String {
    let mut found = name.to_owned();
    for _ in 0..MAX_DEPTH {
        let Some(domain) = catalog.get(&Identity::new(Kind::Domain, &found)) else { break };
        found = plain(domain.text("base"));
    }
    found
}

/// Types whose values Postgres compares with each other.
const COMPARED: [&[&str]; 3] = [
    &["smallint", "integer", "bigint", "numeric", "real", "double precision"],
    &["date", "timestamp without time zone", "timestamp with time zone"],
    &["cidr", "inet"],
];

/// False when a foreign key surely cannot join these types; one that is not Postgres' own may be anything.
pub(crate) fn comparable(one: &str, other: &str) -> bool {
    let (one, other) = (plain(one), plain(other));
    let family = |name: &str| match TEXTS.contains(&name) {
        true => Some(COMPARED.len()),
        false => COMPARED.iter().position(|family| family.contains(&name)),
    };
    let known = |name: &str| family(name).is_some() || CASTS.iter().any(|(known, _)| *known == name);
    one == other || !known(&one) || !known(&other) || family(&one).is_some() && family(&one) == family(&other)
}

/// Pairs that Postgres converts when it is told to, but not when a value of the one is stored as the other.
const EXPLICIT: &[(&str, &[&str])] = &[
    ("boolean", &["integer"]),
    ("integer", &["boolean", "bit"]),
    ("bigint", &["bit"]),
    ("bit", &["integer", "bigint"]),
    ("jsonb", &["boolean", "smallint", "integer", "bigint", "numeric", "real", "double precision"]),
];

/// False when a value of the one type surely cannot be stored as the other without being told how.
pub(crate) fn assignable(from: &str, to: &str, catalog: &Catalog) -> bool {
    let (from, to) = (under_domains(&plain(from), catalog), under_domains(&plain(to), catalog));
    let text = |name: &str| TEXTS.contains(&name);
    if from == to || text(&to) || catalog.iter().any(|fact| made_by_user(fact, &from, &to)) {
        return true;
    }
    !text(&from)
        && !takes_text(catalog, &from)
        && !takes_text(catalog, &to)
        && !EXPLICIT.iter().any(|(known, others)| *known == from && others.contains(&to.as_str()))
        && castable(&from, &to, catalog)
}

/// Types made by users to which Postgres casts nothing but text.
pub(super) fn takes_text(catalog: &Catalog, type_name: &str) -> bool {
    let element = type_name.trim_end_matches("[]");
    [Kind::Enum, Kind::Composite, Kind::Range].into_iter().any(|kind| catalog.contains(&Identity::new(kind, element)))
}

fn made_by_user(fact: &Fact, from: &str, to: &str) -> bool {
    fact.kind == Kind::Cast && fact.identity.path().contains(from) && fact.identity.path().contains(to)
}

/// The type's name without its length or precision.
fn plain(name: &str) -> String {
    match name.split_once('(').and_then(|(start, rest)| Some((start, rest.split_once(')')?.1))) {
        Some((start, rest)) => format!("{start}{rest}"),
        None => name.to_owned(),
    }
}

/// True when both are columns of one table, but not the same one: it was dropped and made again.
pub(crate) fn made_again(from: &Fact, to: &Fact) -> bool {
    let parts = |fact: &Fact| {
        let (table, number) = fact.lineage.object.as_deref()?.rsplit_once(':')?;
        Some((table.to_owned(), number.to_owned()))
    };
    parts(from).zip(parts(to)).is_some_and(|(from, to)| from.0 == to.0 && from.1 != to.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_that_surely_do_not_exist_are_refused() {
        let catalog = Catalog::default();
        assert!(!castable("integer", "uuid", &catalog));
        assert!(!castable("point", "inet", &catalog));
        assert!(castable("numeric(10,2)", "integer", &catalog));
        assert!(castable("character varying(20)", "uuid", &catalog));
        assert!(castable("integer[]", "bigint[]", &catalog));
        assert!(!castable("integer", "integer[]", &catalog));
        assert!(assignable("integer", "text", &catalog));
        assert!(assignable("integer", "bigint", &catalog));
        assert!(!assignable("text", "integer", &catalog));
        assert!(!assignable("jsonb", "integer", &catalog));
        assert!(castable("timestamp(3) without time zone", "date", &catalog));
        assert!(castable("public.mood", "integer", &catalog));
        let mut catalog = Catalog::default();
        for (domain, base) in [("public.id", "integer"), ("public.own_id", "public.id")] {
            catalog.insert(Fact {
                identity: Identity::new(Kind::Domain, domain),
                kind: Kind::Domain,
                parent: None,
                fields: [("base".to_owned(), base.into())].into_iter().collect(),
                depends_on: Vec::new(),
                lineage: crate::catalog::Lineage::default(),
            });
        }
        assert_eq!(under_domains("public.own_id", &catalog), "integer");
        assert!(comparable("integer", "numeric(10,2)"));
        assert!(comparable("text", "character varying(5)"));
        assert!(comparable("uuid", "public.id"));
        assert!(!comparable("integer", "uuid"));
        assert!(!comparable("integer", "text"));
    }
}
