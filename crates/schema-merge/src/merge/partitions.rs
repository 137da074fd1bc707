//! What follows from a merge for partitions: parts of indexes and keys that one side added and partitions that the other side added.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use crate::catalog::{Catalog, Fact, Identity, Kind, Lineage, join_path, quote_identifier, unquote_identifier};

/// Makes the parts of partitioned indexes and keys agree with the partitions there are, as Postgres does.
pub(super) fn complete(catalog: &mut Catalog) {
    super::membership::fold(catalog);
    let mut links: BTreeMap<Identity, Identity> = BTreeMap::new();
    for link in catalog.iter().filter(|fact| fact.kind == Kind::Partition) {
        let parent = Identity::new(Kind::Table, link.text("of"));
        if let Some(child) = link.parent.clone().filter(|_| catalog.contains(&parent)) {
            links.insert(child, parent);
        }
    }
    settle_parts(catalog, &links);
    settle_null_rules(catalog);
    if links.is_empty() {
        return;
    }
    let mut order: Vec<(usize, &Identity)> = links.keys().map(|child| (generation(&links, child), child)).collect();
    order.sort();
    let mut names = Names::of(catalog);
    for (_, child) in order {
        // A foreign table has no indexes, and an index of its parent is complete without it.
        if child.as_str().starts_with("table:") {
            add_parts(catalog, child, &links[child], &mut names);
        }
    }
}

fn generation(links: &BTreeMap<Identity, Identity>, child: &Identity) -> usize {
    let (mut count, mut current) = (0, child);
    while let Some(parent) = links.get(current).filter(|_| count < 64) {
        count += 1;
        current = parent;
    }
    count
}

fn is_key(fact: &Fact) -> bool {
    fact.kind == Kind::Index
        || fact.kind == Kind::Constraint && matches!(fact.text("type"), "primary" | "unique" | "exclusion")
}

/// Name of the index that a fact is or stands on.
fn index_name(fact: &Fact) -> String {
    crate::ddl::index_name(fact)
}

/// A part whose whole went goes with it; a part whose table left stays and is whole.
fn settle_parts(catalog: &mut Catalog, links: &BTreeMap<Identity, Identity>) {
    loop {
        let wholes: HashSet<(Identity, String)> = catalog
            .iter()
            .filter(|fact| is_key(fact))
            .filter_map(|fact| Some((fact.parent.clone()?, index_name(fact))))
            .collect();
        let mut gone = Vec::new();
        let mut free = Vec::new();
        for part in catalog.iter().filter(|fact| is_key(fact) && fact.optional("of").is_some()) {
            let table = part.parent.clone().unwrap_or_else(|| part.identity.clone());
            let Some(parent) = links.get(&table) else {
                free.push(part.clone());
                continue;
            };
            if !wholes.contains(&(parent.clone(), part.text("of").to_owned())) {
                gone.push(part.identity.clone());
            }
        }
        for mut part in free {
            let of = part.text("of").to_owned();
            part.fields.shift_remove("of");
            part.depends_on.retain(|needed| {
                !matches!(needed.as_str().split(':').next(), Some("index" | "constraint"))
                    || catalog.get(needed).is_some_and(|needed| index_name(needed) != of)
            });
            catalog.insert(part);
        }
        if gone.is_empty() {
            return;
        }
        for identity in gone {
            catalog.remove(&identity);
        }
    }
}

/// A null rule that a child no longer has for itself is not said any more.
fn settle_null_rules(catalog: &mut Catalog) {
    let said: Vec<Fact> = catalog
        .iter()
        .filter(|fact| fact.kind == Kind::InheritedColumn && fact.fields.contains_key("not_null"))
        .cloned()
        .collect();
    for mut anchor in said {
        let parents = anchor.parent.iter().flat_map(|table| {
            catalog.iter().filter(move |link| {
                matches!(link.kind, Kind::Partition | Kind::Inheritance) && link.parent.as_ref() == Some(table)
            })
        });
        let paths: Vec<String> =
            parents.map(|link| format!("{}.{}", link.text("of"), anchor.identity.last())).collect();
        let Some(column) = anchor.depends_on.first().and_then(|column| catalog.get(column)) else { continue };
        let above = paths.iter().any(|path| {
            let own =
                catalog.get(&Identity::new(Kind::InheritedColumn, path)).and_then(|own| own.fields.get("not_null"));
            own.and_then(serde_json::Value::as_bool)
                .unwrap_or_else(|| catalog.get(&Identity::new(Kind::Column, path)).unwrap_or(column).flag("not_null"))
        });
        if above != anchor.flag("not_null") {
            continue;
        }
        anchor.fields.shift_remove("not_null");
        let used = catalog.iter().any(|fact| fact.parent.as_ref() == Some(&anchor.identity));
        if anchor.fields.is_empty() && !used {
            catalog.remove(&anchor.identity);
        } else {
            catalog.insert(anchor);
        }
    }
}

/// Names that relations and indexes have, by schema and name.
struct Names(HashSet<String>);

impl Names {
    fn of(catalog: &Catalog) -> Self {
        Self(catalog.iter().filter_map(crate::plan::relation_name).collect())
    }

    /// The name Postgres would choose for a part.
    fn free(&mut self, whole: &Fact, child: &Identity) -> String {
        let table = unquote_identifier(child.last());
        let columns = whole.lineage.view_columns.join("_");
        let (columns, label) = match whole.text("type") {
            "primary" => ("", "pkey"),
            "exclusion" => (columns.as_str(), "excl"),
            "unique" => (columns.as_str(), "key"),
            _ => (columns.as_str(), "idx"),
        };
        let mut count = 0_u32;
        loop {
            let end = if count == 0 { label.to_owned() } else { format!("{label}{count}") };
            let candidate = quote_identifier(&joined(&table, columns, &end));
            if self.0.insert(format!("{}.{candidate}", child.prefix())) {
                return candidate;
            }
            count += 1;
        }
    }
}

/// Two names and a label in 63 bytes; of the names the longer one is cut.
fn joined(first: &str, second: &str, label: &str) -> String {
    let (mut first, mut second) = (first.to_owned(), second.to_owned());
    let room = 63 - label.len() - 1 - usize::from(!second.is_empty());
    while first.len() + second.len() > room {
        if first.len() > second.len() {
            first.pop()
        } else {
            second.pop()
        };
    }
    if second.is_empty() { format!("{first}_{label}") } else { format!("{first}_{second}_{label}") }
}

fn add_parts(catalog: &mut Catalog, child: &Identity, parent: &Identity, names: &mut Names) {
    let own: Vec<Fact> =
        catalog.iter().filter(|fact| is_key(fact) && fact.parent.as_ref() == Some(child)).cloned().collect();
    let has: HashSet<String> = own.iter().filter_map(|part| part.optional("of").map(str::to_owned)).collect();
    let wholes: Vec<Fact> = catalog
        .iter()
        .filter(|fact| is_key(fact) && fact.parent.as_ref() == Some(parent) && !fact.flag("incomplete"))
        .filter(|fact| !has.contains(&index_name(fact)))
        .cloned()
        .collect();
    let mut taken = HashSet::new();
    for whole in wholes {
        let like = own
            .iter()
            .find(|part| part.optional("of").is_none() && !taken.contains(&part.identity) && alike(&whole, part));
        let mut part = match like {
            Some(part) => part.clone(),
            None => made(catalog, &whole, child, names),
        };
        taken.insert(part.identity.clone());
        part.fields.insert("of".to_owned(), index_name(&whole).into());
        part.depends_on.push(whole.identity.clone());
        part.depends_on.sort();
        part.depends_on.dedup();
        catalog.insert(part);
    }
}

/// What an index says after its table.
fn tail(definition: &str) -> &str {
    definition.find(" USING ").map_or(definition, |start| &definition[start..])
}

fn alike(whole: &Fact, part: &Fact) -> bool {
    whole.kind == part.kind
        && whole.flag("unique") == part.flag("unique")
        && whole.text("type") == part.text("type")
        && tail(whole.text("definition")) == tail(part.text("definition"))
}

fn made(catalog: &Catalog, whole: &Fact, child: &Identity, names: &mut Names) -> Fact {
    let name = names.free(whole, child);
    let table = catalog.get(child);
    let mut part = whole.clone();
    part.parent = Some(child.clone());
    part.lineage = Lineage {
        role: table.and_then(|table| table.lineage.role.clone()),
        view_columns: whole.lineage.view_columns.clone(),
        ..Lineage::default()
    };
    part.identity = if whole.kind == Kind::Index {
        let unique = if whole.flag("unique") { "UNIQUE " } else { "" };
        let only = if table.is_some_and(|table| table.optional("partition_key").is_some()) { "ONLY " } else { "" };
        let text = format!("CREATE {unique}INDEX {name} ON {only}{}{}", child.path(), tail(whole.text("definition")));
        part.fields.insert("definition".to_owned(), text.into());
        Identity::new(Kind::Index, join_path(&[child.prefix(), &name]))
    } else {
        Identity::new(Kind::Constraint, join_path(&[child.path(), &name]))
    };
    part.depends_on.retain(|needed| needed.as_str().starts_with("column:") || !needed.as_str().starts_with("index:"));
    part
}

/// Partitions of one table that would hold the same rows.
pub(super) fn overlaps(catalog: &Catalog) -> Vec<(Identity, Identity)> {
    let mut by_parent: HashMap<&str, Vec<&Fact>> = HashMap::new();
    for link in catalog.iter().filter(|fact| fact.kind == Kind::Partition) {
        by_parent.entry(link.text("of")).or_default().push(link);
    }
    let mut found = Vec::new();
    for links in by_parent.values() {
        let bounds: Vec<_> = links.iter().map(|link| Bound::read(link.text("bound"))).collect();
        for (index, one) in bounds.iter().enumerate() {
            for (offset, other) in bounds[index + 1..].iter().enumerate() {
                if one.meets(other) {
                    found.push((links[index].identity.clone(), links[index + 1 + offset].identity.clone()));
                }
            }
        }
    }
    found.sort();
    found
}

/// A partition's bound as far as it can be compared without Postgres.
#[derive(Debug, PartialEq)]
enum Bound {
    Default,
    List(Vec<String>),
    Hash(u64, u64),
    Range(Vec<Edge>, Vec<Edge>),
    Unknown,
}

#[derive(Debug, PartialEq, PartialOrd)]
enum Edge {
    Lowest,
    Number(f64),
    Text(String),
    Highest,
}

impl Bound {
    fn read(text: &str) -> Self {
        if text == "DEFAULT" {
            return Self::Default;
        }
        if let Some(list) = text.strip_prefix("FOR VALUES IN (").and_then(|rest| rest.strip_suffix(')')) {
            return Self::List(items(list));
        }
        if let Some(rest) = text.strip_prefix("FOR VALUES WITH (modulus ").and_then(|rest| rest.strip_suffix(')')) {
            let numbers = rest.split_once(", remainder ").map(|(modulus, rest)| (modulus.parse(), rest.parse()));
            return match numbers {
                Some((Ok(modulus), Ok(remainder))) if modulus > 0 => Self::Hash(modulus, remainder),
                _ => Self::Unknown,
            };
        }
        let edges = text
            .strip_prefix("FOR VALUES FROM (")
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(|rest| rest.split_once(") TO ("));
        match edges {
            Some((low, high)) => Self::Range(Edge::list(low), Edge::list(high)),
            None => Self::Unknown,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Default, Self::Default) => true,
            (Self::List(one), Self::List(two)) => one.iter().any(|value| two.contains(value)),
            (Self::Hash(one, first), Self::Hash(two, second)) => {
                let common = common_divisor(*one, *two);
                first % common == second % common
            }
            (Self::Range(low, high), Self::Range(other_low, other_high)) => {
                comparable(low, other_high) && comparable(other_low, high) && low < other_high && other_low < high
            }
            _ => false,
        }
    }
}

impl Edge {
    fn list(text: &str) -> Vec<Self> {
        items(text)
            .into_iter()
            .map(|item| match item.as_str() {
                "MINVALUE" => Self::Lowest,
                "MAXVALUE" => Self::Highest,
                value => {
                    let plain = value.trim_matches('\'');
                    plain.parse().map_or_else(|_| Self::Text(plain.to_owned()), Self::Number)
                }
            })
            .collect()
    }
}

/// Numbers compare with numbers, and texts only when they have one form, as dates do.
fn comparable(one: &[Edge], two: &[Edge]) -> bool {
    one.iter().zip(two).all(|pair| match pair {
        (Edge::Text(one), Edge::Text(two)) => {
            let form = |text: &str| text.chars().map(|letter| letter.is_ascii_digit()).collect::<Vec<_>>();
            form(one) == form(two)
        }
        (Edge::Number(_), Edge::Text(_)) | (Edge::Text(_), Edge::Number(_)) => false,
        _ => true,
    })
}

fn common_divisor(one: u64, two: u64) -> u64 {
    if two == 0 { one } else { common_divisor(two, one % two) }
}

/// The values of a list, with commas in strings left alone.
fn items(text: &str) -> Vec<String> {
    let (mut found, mut current, mut quoted) = (Vec::new(), String::new(), false);
    for letter in text.chars() {
        match letter {
            '\'' => {
                quoted = !quoted;
                current.push(letter);
            }
            ',' if !quoted => found.push(std::mem::take(&mut current).trim().to_owned()),
            other => current.push(other),
        }
    }
    found.push(current.trim().to_owned());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meet(one: &str, two: &str) -> bool {
        Bound::read(one).meets(&Bound::read(two))
    }

    #[test]
    fn bounds_that_share_rows_are_found() {
        assert!(meet("DEFAULT", "DEFAULT"));
        assert!(meet("FOR VALUES IN ('a', 'b, c')", "FOR VALUES IN ('b, c')"));
        assert!(!meet("FOR VALUES IN ('a')", "FOR VALUES IN ('b')"));
        assert!(meet("FOR VALUES FROM (1) TO (10)", "FOR VALUES FROM (9) TO (20)"));
        assert!(!meet("FOR VALUES FROM (1) TO (10)", "FOR VALUES FROM (10) TO (20)"));
        assert!(meet(
            "FOR VALUES FROM ('2025-01-01') TO ('2025-03-01')",
            "FOR VALUES FROM ('2025-02-01') TO (MAXVALUE)"
        ));
        assert!(meet("FOR VALUES WITH (modulus 2, remainder 1)", "FOR VALUES WITH (modulus 4, remainder 3)"));
        assert!(!meet("FOR VALUES WITH (modulus 4, remainder 1)", "FOR VALUES WITH (modulus 4, remainder 3)"));
        assert!(!meet("FOR VALUES IN (1)", "DEFAULT"));
    }
}
