//! Statements for functions, views and triggers: what is made of a text.

use serde_json::Value;

use super::{Change, Piece, literal, options_clause, owner};
use crate::catalog::{Fact, Kind, function_name, quote_identifier};

/// Settings whose stored value is a list of quoted names and must be written as a list of literals.
const LIST_SETTINGS: [&str; 5] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
];

/// `create or replace` of a function or procedure, put together from its fields.
pub(crate) fn create(fact: &Fact) -> String {
    let procedure = fact.text("kind") == "procedure";
    let name = function_name(fact.identity.path());
    let word = if procedure { "procedure" } else { "function" };
    let mut text = format!("create or replace {word} {name}({})", fact.text("arguments"));
    if let Some(returns) = fact.optional("returns").filter(|_| !procedure) {
        text += &format!("\n returns {returns}");
    }
    text += &format!("\n language {}", fact.text("language"));
    let transforms: Vec<_> = fact.list("transforms").iter().map(|name| format!("for type {name}")).collect();
    if !transforms.is_empty() {
        text += &format!("\n transform {}", transforms.join(", "));
    }
    for attribute in attributes(fact) {
        text += &format!("\n {attribute}");
    }
    if fact.flag("standard_body") {
        format!("{text}\n{}", fact.text("body"))
    } else {
        let tag = dollar_tag(fact.text("body"));
        format!("{text}\nas {tag}{}{tag}", fact.text("body"))
    }
}

fn attributes(fact: &Fact) -> Vec<String> {
    let mut out = Vec::new();
    if fact.text("kind") != "procedure" {
        if fact.text("kind") == "window" {
            out.push("window".to_owned());
        }
        out.push(
            match fact.text("volatility") {
                "i" => "immutable",
                "s" => "stable",
                _ => "volatile",
            }
            .to_owned(),
        );
        if fact.flag("strict") {
            out.push("strict".to_owned());
        }
        if fact.flag("leakproof") {
            out.push("leakproof".to_owned());
        }
        out.push(format!("parallel {}", parallel(fact)));
        if let Some(support) = fact.optional("support") {
            out.push(format!("support {support}"));
        }
        out.push(format!("cost {}", number(fact, "cost")));
        if number(fact, "rows") != "0" {
            out.push(format!("rows {}", number(fact, "rows")));
        }
    }
    if fact.flag("security_definer") {
        out.push("security definer".to_owned());
    }
    out.extend(fact.list("config").into_iter().map(setting));
    out
}

/// The statement that makes a function. What only a superuser may say is said by the session's own role, and the function keeps its owner.
pub(crate) fn made(fact: &Fact) -> Piece {
    if privileged(fact) { Piece::session(create(fact)) } else { Piece::new(create(fact)) }
}

/// True when only a superuser may make it so: leakproof, with a support function, or with a setting that no module has declared.
pub(crate) fn privileged(fact: &Fact) -> bool {
    matches!(fact.kind, Kind::OperatorFamily | Kind::OperatorClass | Kind::EventTrigger)
        || fact.flag("leakproof")
        || fact.optional("support").is_some()
        || fact.list("config").iter().any(|entry| entry.split('=').next().is_some_and(|name| name.contains('.')))
}

/// The word for how a function may run in parallel plans.
pub(super) fn parallel(fact: &Fact) -> &'static str {
    match fact.text("parallel") {
        "s" => "safe",
        "r" => "restricted",
        _ => "unsafe",
    }
}

/// A function of the same signature without a body, to stand in while functions and views that need each other are made or dropped.
pub(crate) fn stub(fact: &Fact) -> Option<String> {
    if !fact.flag("standard_body") {
        return None;
    }
    let mut empty = fact.clone();
    empty.fields.insert("standard_body".to_owned(), false.into());
    empty.fields.insert("body".to_owned(), "".into());
    for (field, nothing) in [("leakproof", false.into()), ("support", Value::Null), ("config", Value::Null)] {
        empty.fields.insert(field.to_owned(), nothing);
    }
    Some(create(&empty))
}

fn number(fact: &Fact, field: &str) -> String {
    fact.fields.get(field).map(Value::to_string).unwrap_or_default()
}

fn setting(entry: &str) -> String {
    let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
    let quoted = quote_identifier(name);
    if LIST_SETTINGS.contains(&name) {
        let items: Vec<_> = split_list(value).iter().map(|item| literal(item)).collect();
        let list = if items.is_empty() { "''".to_owned() } else { items.join(", ") };
        return format!("set {quoted} to {list}");
    }
    format!("set {quoted} to {}", literal(value))
}

/// Splits a stored list of names, taking their quotes off.
fn split_list(value: &str) -> Vec<String> {
    let (mut items, mut current, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                current.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => items.push(std::mem::take(&mut current)),
            ' ' if !quoted => {}
            other => current.push(other),
        }
    }
    if !value.is_empty() {
        items.push(current);
    }
    items
}

fn dollar_tag(body: &str) -> String {
    let mut tag = "$$".to_owned();
    let mut count = 0;
    while body.contains(&tag) || body.ends_with('$') && count == 0 {
        tag = if count == 0 { "$body$".to_owned() } else { format!("$body{count}$") };
        count += 1;
    }
    tag
}

/// A function keeps its identity as long as the names of its arguments and its result stay and no argument loses its default; else it
/// is replaced with all that uses it.
pub(crate) fn alter(from: &Fact, to: &Fact) -> Change {
    let optional = |fact: &Fact| fact.fields.get("optional_arguments").and_then(Value::as_i64).unwrap_or_default();
    let fixed = ["kind", "signature", "returns"].iter().any(|field| from.fields.get(*field) != to.fields.get(*field));
    if fixed || optional(to) < optional(from) {
        return Change::Replace;
    }
    let mut pieces = Vec::new();
    if from.fields.iter().any(|(field, value)| field != "owner" && to.fields.get(field) != Some(value)) {
        pieces.push(made(to));
    }
    pieces.extend(owner(from, to, "routine"));
    Change::InPlace(pieces)
}

/// `create view` with its options.
pub(crate) fn create_view(fact: &Fact, replace: bool) -> String {
    let word = if replace { "create or replace view" } else { "create view" };
    let definition = fact.text("definition").trim().trim_end_matches(';');
    format!("{word} {}{} as\n{definition}", fact.identity.path(), options_clause(&fact.list("options")))
}

/// A view can be replaced in place when its columns stay and new ones only follow.
pub(crate) fn alter_view(from: &Fact, to: &Fact) -> Change {
    let (old, new) = (&from.lineage.view_columns, &to.lineage.view_columns);
    let grows = !old.is_empty() && new.len() >= old.len() && new[..old.len()] == old[..];
    if from.text("definition") != to.text("definition") && !grows {
        return Change::Replace;
    }
    let mut pieces = Vec::new();
    if from.text("definition") != to.text("definition") || from.fields.get("options") != to.fields.get("options") {
        pieces.push(Piece::new(create_view(to, true)));
    }
    pieces.extend(owner(from, to, "view"));
    Change::InPlace(pieces)
}

/// A trigger and, where it is not plainly enabled, its state.
pub(crate) fn create_trigger(fact: &Fact) -> Vec<Piece> {
    if fact.optional("of").is_some() {
        return vec![Piece::new(trigger_state(fact))];
    }
    let mut pieces = vec![Piece::new(fact.text("definition"))];
    if fact.text("enabled") != "O" {
        pieces.push(Piece::new(trigger_state(fact)));
    }
    pieces
}

/// Drops a trigger, or gives a copy of one the state of what it is copied from.
pub(crate) fn drop_trigger(fact: &Fact) -> Piece {
    if fact.optional("of").is_none() {
        return Piece::new(format!("drop trigger {} on {}", fact.identity.last(), fact.identity.prefix()));
    }
    let mut followed = fact.clone();
    let state = fact.lineage.otherwise.clone().unwrap_or_else(|| "O".to_owned());
    followed.fields.insert("enabled".to_owned(), state.into());
    Piece::new(trigger_state(&followed))
}

fn trigger_state(fact: &Fact) -> String {
    let state = match fact.text("enabled") {
        "D" => "disable",
        "R" => "enable replica",
        "A" => "enable always",
        _ => "enable",
    };
    format!("alter table {} {state} trigger {}", fact.identity.prefix(), fact.identity.last())
}

/// Only the state of a trigger changes in place.
pub(crate) fn alter_trigger(from: &Fact, to: &Fact) -> Change {
    if from.text("definition") != to.text("definition") {
        return Change::Replace;
    }
    Change::InPlace(vec![Piece::new(trigger_state(to))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_settings_become_literals() {
        assert_eq!(setting("search_path=public, \"My Schema\""), "set search_path to 'public', 'My Schema'");
        assert_eq!(setting("search_path=\"\""), "set search_path to ''");
        assert_eq!(setting("work_mem=64MB"), "set work_mem to '64MB'");
    }

    #[test]
    fn bodies_never_close_their_own_quotes() {
        assert_eq!(dollar_tag("select 1"), "$$");
        assert_eq!(dollar_tag("do $$ begin end $$"), "$body$");
        assert_eq!(dollar_tag("$$ $body$ "), "$body1$");
        assert_eq!(dollar_tag("cost $"), "$body$");
    }
}
