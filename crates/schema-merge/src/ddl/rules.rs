//! Statements for rewrite rules, extended statistics and materialized views.

use serde_json::{Map, Value};

use super::relations::{option_changes, options_clause};
use super::{Change, Piece, owner};
use crate::catalog::{Fact, Kind};

/// A rule and, where it is not plainly enabled, its state.
pub(crate) fn create_rule(fact: &Fact) -> Vec<Piece> {
    let mut pieces = vec![Piece::new(fact.text("definition").trim_end_matches(';'))];
    if fact.text("enabled") != "O" {
        pieces.push(rule_state(fact));
    }
    pieces
}

/// A rule is replaced in place.
pub(crate) fn alter_rule(from: &Fact, to: &Fact) -> Change {
    let mut pieces = Vec::new();
    if from.text("definition") != to.text("definition") {
        let definition = to.text("definition").trim_end_matches(';');
        pieces.push(Piece::new(definition.replacen("CREATE RULE", "create or replace rule", 1)));
    }
    if from.text("enabled") != to.text("enabled") {
        pieces.push(rule_state(to));
    }
    Change::InPlace(pieces)
}

fn rule_state(fact: &Fact) -> Piece {
    let state = match fact.text("enabled") {
        "D" => "disable",
        "R" => "enable replica",
        "A" => "enable always",
        _ => "enable",
    };
    Piece::new(format!("alter table {} {state} rule {}", fact.identity.prefix(), fact.identity.last()))
}

/// A statistics object, handed over where another than the table's owner has it.
pub(crate) fn create_statistics(fact: &Fact) -> Vec<Piece> {
    let mut pieces = vec![Piece::new(fact.text("definition"))];
    if fact.fields.get("target").is_some_and(|target| !target.is_null()) {
        pieces.push(target(fact));
    }
    pieces
}

/// The target and the owner change in place.
pub(crate) fn alter_statistics(from: &Fact, to: &Fact) -> Change {
    if from.text("definition") != to.text("definition") {
        return Change::Replace;
    }
    let mut pieces = Vec::new();
    if from.fields.get("target") != to.fields.get("target") {
        pieces.push(target(to));
    }
    pieces.extend(owner(from, to, "statistics"));
    Change::InPlace(pieces)
}

fn target(fact: &Fact) -> Piece {
    let target = fact.fields.get("target").and_then(Value::as_i64).unwrap_or(-1);
    Piece::new(format!("alter statistics {} set statistics {target}", fact.identity.path()))
}

/// A materialized view, filled when what it reads, also through other views, is filled and its owner may read it.
pub(crate) fn create_materialized_view(fact: &Fact, read: &[&Fact]) -> Vec<Piece> {
    let path = fact.identity.path();
    let definition = fact.text("definition").trim().trim_end_matches(';');
    let options = options_clause(&fact.list("options"));
    let create = format!("create materialized view {path}{options} as\n{definition}");
    let others: Vec<String> = read
        .iter()
        .filter(|read| read.kind == Kind::MaterializedView)
        .map(|read| format!("{}::pg_catalog.regclass", super::literal(read.identity.path())))
        .collect();
    let filled = match others.as_slice() {
        [] => String::new(),
        others => format!(
            "if exists (select from pg_catalog.pg_class c where c.oid in ({}) and not c.relispopulated) then return; end if; ",
            others.join(", ")
        ),
    };
    let reads_others = read.iter().any(|read| {
        read.kind != Kind::Schema && read.optional("owner").is_some_and(|owner| owner != fact.text("owner"))
    });
    let allowed = if reads_others { " exception when insufficient_privilege then null;" } else { "" };
    let mut pieces = if filled.is_empty() && !reads_others {
        vec![Piece::after_data(create)]
    } else {
        vec![
            Piece::after_data(format!("{create}\nwith no data")),
            Piece::after_data(format!("do $body$ begin {filled}refresh materialized view {path};{allowed} end $body$")),
        ]
    };
    pieces.extend(columns(None, fact));
    pieces
}

/// Everything but the query changes in place.
pub(crate) fn alter_materialized_view(from: &Fact, to: &Fact) -> Change {
    if from.text("definition") != to.text("definition") {
        return Change::Replace;
    }
    let path = to.identity.path();
    let mut pieces: Vec<_> = option_changes(&from.list("options"), &to.list("options"))
        .into_iter()
        .map(|clause| Piece::new(format!("alter materialized view {path} {clause}")))
        .collect();
    pieces.extend(columns(Some(from), to));
    pieces.extend(owner(from, to, "materialized view"));
    Change::InPlace(pieces)
}

/// Storage, compression, statistics target and options of a materialized view's columns.
fn columns(from: Option<&Fact>, to: &Fact) -> Vec<Piece> {
    let settings = |fact: Option<&Fact>| -> Map<String, Value> {
        fact.and_then(|fact| fact.fields.get("columns")).and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let (old, new) = (settings(from), settings(Some(to)));
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let options = |column: Option<&Value>| -> Vec<String> {
        let list = column.and_then(|column| column.get("options")).and_then(Value::as_array).cloned();
        list.unwrap_or_default().iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut clauses = Vec::new();
    for name in names {
        let (was, is) = (old.get(name), new.get(name));
        let changed = |field: &str| {
            let (was, is) = (was.and_then(|column| column.get(field)), is.and_then(|column| column.get(field)));
            (was != is).then(|| is.cloned().unwrap_or_default())
        };
        if let Some(value) = changed("storage") {
            let of_type = was.and_then(|column| column.get("type_storage")).and_then(Value::as_str);
            let word = super::relations::storage_word(value.as_str().or(of_type));
            clauses.push(format!("{name} set storage {word}"));
        }
        if let Some(value) = changed("compression") {
            clauses.push(format!("{name} set compression {}", super::relations::compression_word(value.as_str())));
        }
        if let Some(value) = changed("statistics") {
            clauses.push(format!("{name} set statistics {}", value.as_i64().unwrap_or(-1)));
        }
        let (was, is) = (options(was), options(is));
        let (was, is): (Vec<_>, Vec<_>) =
            (was.iter().map(String::as_str).collect(), is.iter().map(String::as_str).collect());
        clauses.extend(option_changes(&was, &is).into_iter().map(|clause| format!("{name} {clause}")));
    }
    let path = to.identity.path();
    clauses
        .into_iter()
        .map(|clause| Piece::new(format!("alter materialized view {path} alter column {clause}")))
        .collect()
}
