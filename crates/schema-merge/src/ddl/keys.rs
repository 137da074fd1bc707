//! Statements for constraints and indexes.

use serde_json::{Map, Value};

use super::relations::option_changes;
use super::{Change, Piece};
use crate::catalog::{Fact, Identity, find_outside};

/// `add constraint` with its own name. A key of a partitioned table is made without its parts, which are facts of their own.
pub(crate) fn add_constraint(fact: &Fact) -> Vec<Piece> {
    let keyed = matches!(fact.text("type"), "primary" | "unique" | "exclusion");
    let only = if keyed && fact.lineage.has_children { "only " } else { "" };
    let mut text = format!(
        "alter table {only}{} add constraint {} {}",
        fact.identity.prefix(),
        fact.identity.last(),
        fact.text("definition")
    );
    if fact.flag("no_inherit") {
        text += " no inherit";
    }
    if fact.flag("deferrable") {
        text += " deferrable";
    }
    if fact.flag("deferred") {
        text += " initially deferred";
    }
    if fact.flag("not_enforced") {
        text += " not enforced";
    } else if !fact.flag("validated") {
        text += " not valid";
    }
    let mut pieces = vec![Piece::after_data(text)];
    pieces.extend(options(None, fact));
    pieces
}

/// `add constraint` over an index that is there.
pub(crate) fn adopt_index(key: &Fact, index: &Fact) -> String {
    let word = if key.text("type") == "primary" { "primary key" } else { "unique" };
    format!(
        "alter table {} add constraint {} {word} using index {}",
        key.identity.prefix(),
        key.identity.last(),
        index.identity.last()
    )
}

/// Storage parameters of the index that a constraint stands on.
fn options(from: Option<&Fact>, to: &Fact) -> Vec<Piece> {
    let old = from.map(|from| from.list("options")).unwrap_or_default();
    option_changes(&old, &to.list("options"))
        .into_iter()
        .map(|clause| Piece::after_data(format!("alter index {} {clause}", index_name(to))))
        .collect()
}

/// A constraint is validated in place, and a foreign key changes when it is checked; anything else is another constraint.
pub(crate) fn alter_constraint(from: &Fact, to: &Fact) -> Change {
    let fixed = ["type", "definition", "no_inherit", "not_enforced"];
    let moved = from.flag("deferrable") != to.flag("deferrable") || from.flag("deferred") != to.flag("deferred");
    if fixed.iter().any(|field| from.fields.get(*field) != to.fields.get(*field))
        || from.flag("validated") && !to.flag("validated")
        || moved && to.text("type") != "foreign"
    {
        return Change::Replace;
    }
    let (table, name) = (to.identity.prefix(), to.identity.last());
    let mut pieces = Vec::new();
    if moved {
        let when = match (to.flag("deferrable"), to.flag("deferred")) {
            (false, _) => "not deferrable",
            (true, false) => "deferrable initially immediate",
            (true, true) => "deferrable initially deferred",
        };
        pieces.push(Piece::new(format!("alter table {table} alter constraint {name} {when}")));
    }
    if !from.flag("validated") && to.flag("validated") {
        pieces.push(Piece::after_data(format!("alter table {table} validate constraint {name}")));
    }
    pieces.extend(options(Some(from), to));
    Change::InPlace(pieces)
}

/// `create index`, and statistics targets of its expressions.
pub(crate) fn create_index(fact: &Fact) -> Vec<Piece> {
    let mut pieces = vec![Piece::new(fact.text("definition"))];
    pieces.extend(statistics(None, fact));
    pieces
}

/// Storage parameters and statistics targets change in place; anything else is another index.
pub(crate) fn alter_index(from: &Fact, to: &Fact) -> Change {
    let (old, old_options) = without_options(from.text("definition"));
    let (new, new_options) = without_options(to.text("definition"));
    if old != new {
        return Change::Replace;
    }
    let path = to.identity.path();
    let old_options: Vec<&str> = old_options.iter().map(String::as_str).collect();
    let new_options: Vec<&str> = new_options.iter().map(String::as_str).collect();
    let mut pieces: Vec<_> = option_changes(&old_options, &new_options)
        .into_iter()
        .map(|clause| Piece::new(format!("alter index {path} {clause}")))
        .collect();
    pieces.extend(statistics(Some(from), to));
    Change::InPlace(pieces)
}

fn statistics(from: Option<&Fact>, to: &Fact) -> Vec<Piece> {
    let targets = |fact: Option<&Fact>| -> Map<String, Value> {
        fact.and_then(|fact| fact.fields.get("statistics")).and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let (old, new) = (targets(from), targets(Some(to)));
    let path = to.identity.path();
    let set = |column: &str, target: &Value| {
        Piece::new(format!("alter index {path} alter column {column} set statistics {target}"))
    };
    let reset = old.keys().filter(|column| !new.contains_key(*column)).map(|column| set(column, &Value::from(-1)));
    let changed = new.iter().filter(|(column, target)| old.get(*column) != Some(target));
    reset.chain(changed.map(|(column, target)| set(column, target))).collect()
}

/// The index apart from its storage parameters, and these as `name=value`.
fn without_options(definition: &str) -> (String, Vec<String>) {
    const OPEN: &str = " WITH (";
    let Some(start) = find_outside(definition, OPEN) else { return (definition.to_owned(), Vec::new()) };
    let inner = &definition[start + OPEN.len()..];
    let Some(end) = find_outside(inner, ")") else { return (definition.to_owned(), Vec::new()) };
    let options = inner[..end]
        .split(", ")
        .map(|option| match option.split_once('=') {
            Some((name, value)) => format!("{name}={}", value.trim_matches('\'')),
            None => option.to_owned(),
        })
        .collect();
    (format!("{}{}", &definition[..start], &inner[end + 1..]), options)
}

/// Makes an index of a partition part of the partitioned table's.
pub(crate) fn attach_index(part: &Fact) -> Piece {
    Piece::new(format!("alter index {} attach partition {}", part.text("of"), index_name(part)))
}

/// The qualified name of the index that a fact is or stands on.
pub(crate) fn index_name(fact: &Fact) -> String {
    let names = fact.identity.names();
    format!("{}.{}", names.first().copied().unwrap_or_default(), fact.identity.last())
}

/// `cluster on` names the index without its schema.
pub(crate) fn clustered_on(fact: &Fact) -> String {
    let index = Identity::new(crate::catalog::Kind::Index, fact.text("index"));
    format!("alter table {} cluster on {}", fact.identity.path(), index.last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_parameters_are_told_from_the_rest() {
        let text = "CREATE INDEX i ON public.t USING btree (a, (b || ' WITH (x')) INCLUDE (c) WITH (fillfactor='70', deduplicate_items=off) WHERE (a > 0)";
        let (rest, options) = without_options(text);
        assert_eq!(rest, "CREATE INDEX i ON public.t USING btree (a, (b || ' WITH (x')) INCLUDE (c) WHERE (a > 0)");
        assert_eq!(options, ["fillfactor=70", "deduplicate_items=off"]);
        assert_eq!(without_options("CREATE INDEX i ON t (a)").1, Vec::<String>::new());
    }
}
