//! Statements for aggregates, operators, casts, conversions and event triggers: kinds made whole, of which little changes in place.

use super::{Change, Piece, literal, owner};
use crate::catalog::{Fact, Kind};

/// What makes one of these, and where it has a state, that state.
pub(crate) fn create(fact: &Fact) -> Vec<Piece> {
    match fact.kind {
        Kind::Aggregate => vec![Piece::new(create_aggregate(fact))],
        Kind::Operator => vec![Piece::new(create_operator(fact))],
        Kind::OperatorFamily => create_family(fact),
        Kind::OperatorClass => vec![Piece::session(create_class(fact))],
        Kind::Cast => vec![Piece::new(create_cast(fact))],
        Kind::Conversion => vec![Piece::new(create_conversion(fact))],
        _ => create_event_trigger(fact),
    }
}

/// The statement that drops one of these.
pub(crate) fn drop(fact: &Fact) -> Piece {
    let path = fact.identity.path();
    match fact.kind {
        Kind::Aggregate => Piece::new(format!("drop routine {path}")),
        Kind::EventTrigger | Kind::OperatorFamily | Kind::OperatorClass => {
            Piece::session(format!("drop {} {path}", fact.kind.word().replace('_', " ")))
        }
        kind => Piece::new(format!("drop {} {path}", kind.word())),
    }
}

/// The owner changes in place, the state of an event trigger and the estimators of an operator too.
pub(crate) fn alter(from: &Fact, to: &Fact) -> Change {
    let path = to.identity.path();
    let in_place: &[&str] = match to.kind {
        Kind::Operator => &["owner", "restrict", "join"],
        Kind::EventTrigger => &["owner", "enabled"],
        _ => &["owner"],
    };
    if !same_but(from, to, in_place) {
        return Change::Replace;
    }
    let mut pieces = Vec::new();
    let word = match to.kind {
        Kind::Aggregate => "routine",
        Kind::EventTrigger => "event trigger",
        Kind::OperatorFamily => "operator family",
        Kind::OperatorClass => "operator class",
        kind => kind.word(),
    };
    if to.kind == Kind::Operator {
        let changed: Vec<_> = ["restrict", "join"]
            .iter()
            .filter(|field| from.fields.get(**field) != to.fields.get(**field))
            .map(|field| format!("{field} = {}", to.optional(field).unwrap_or("none")))
            .collect();
        if !changed.is_empty() {
            pieces.push(Piece::new(format!("alter operator {path} set ({})", changed.join(", "))));
        }
    }
    if from.text("enabled") != to.text("enabled") {
        pieces.push(event_trigger_state(to));
    }
    pieces.extend(owner(from, to, word));
    Change::InPlace(pieces)
}

/// True when only these fields may differ.
pub(super) fn same_but(from: &Fact, to: &Fact, fields: &[&str]) -> bool {
    from.fields
        .keys()
        .chain(to.fields.keys())
        .all(|name| fields.contains(&name.as_str()) || from.fields.get(name) == to.fields.get(name))
}

fn create_aggregate(fact: &Fact) -> String {
    let name = crate::catalog::function_name(fact.identity.path());
    let arguments = Some(fact.text("arguments")).filter(|text| !text.is_empty()).unwrap_or("*");
    let mut parts = vec![format!("sfunc = {}", fact.text("transition")), format!("stype = {}", fact.text("state"))];
    let modify = |field: &str| match fact.text(field) {
        "s" => "shareable",
        "w" => "read_write",
        _ => "read_only",
    };
    let moving = fact.optional("moving_transition").is_some();
    for (field, word) in [
        ("state_size", "sspace"),
        ("final", "finalfunc"),
        ("combine", "combinefunc"),
        ("serial", "serialfunc"),
        ("deserial", "deserialfunc"),
        ("moving_transition", "msfunc"),
        ("moving_inverse", "minvfunc"),
        ("moving_state", "mstype"),
        ("moving_state_size", "msspace"),
        ("moving_final", "mfinalfunc"),
    ] {
        match fact.fields.get(field) {
            Some(serde_json::Value::String(text)) => parts.push(format!("{word} = {text}")),
            Some(serde_json::Value::Number(number)) if number.as_i64() != Some(0) => {
                parts.push(format!("{word} = {number}"));
            }
            _ => {}
        }
    }
    if fact.flag("final_extra") {
        parts.push("finalfunc_extra".to_owned());
    }
    if fact.flag("moving_final_extra") {
        parts.push("mfinalfunc_extra".to_owned());
    }
    parts.push(format!("finalfunc_modify = {}", modify("final_modify")));
    if moving {
        parts.push(format!("mfinalfunc_modify = {}", modify("moving_final_modify")));
    }
    for (field, word) in [("initial", "initcond"), ("moving_initial", "minitcond")] {
        if let Some(value) = fact.optional(field) {
            parts.push(format!("{word} = {}", literal(value)));
        }
    }
    if let Some(operator) = fact.optional("sort_operator") {
        parts.push(format!("sortop = {operator}"));
    }
    parts.push(format!("parallel = {}", super::routines::parallel(fact)));
    if fact.text("class") == "hypothetical" {
        parts.push("hypothetical".to_owned());
    }
    format!("create aggregate {name}({arguments}) (\n  {}\n)", parts.join(",\n  "))
}

fn create_operator(fact: &Fact) -> String {
    let path = fact.identity.path();
    let (name, arguments) = path.split_once('(').unwrap_or((path, ""));
    let (left, right) = two_types(arguments.trim_end_matches(')'));
    let mut parts = vec![format!("function = {}", fact.text("function"))];
    for (side, word) in [(left, "leftarg"), (right, "rightarg")] {
        if side != "none" {
            parts.push(format!("{word} = {side}"));
        }
    }
    for field in ["commutator", "negator", "restrict", "join"] {
        if let Some(value) = fact.optional(field) {
            parts.push(format!("{field} = {value}"));
        }
    }
    for field in ["hashes", "merges"] {
        if fact.flag(field) {
            parts.push(field.to_owned());
        }
    }
    format!("create operator {name} ({})", parts.join(", "))
}

/// Splits the two argument types of an operator at the comma outside quotes and parentheses.
fn two_types(text: &str) -> (&str, &str) {
    let (mut quoted, mut depth) = (false, 0_u32);
    for (index, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => return (text[..index].trim(), text[index + 1..].trim()),
            _ => {}
        }
    }
    (text.trim(), "none")
}

/// A family with what belongs to no class of it.
fn create_family(fact: &Fact) -> Vec<Piece> {
    let path = fact.identity.path();
    let mut pieces = vec![Piece::session(format!("create operator family {path}"))];
    let items = fact.list("items");
    if !items.is_empty() {
        pieces.push(Piece::session(format!("alter operator family {path} add {}", items.join(", "))));
    }
    pieces
}

fn create_class(fact: &Fact) -> String {
    let path = fact.identity.path();
    let (name, method) = path.rsplit_once(" using ").unwrap_or((path, "btree"));
    let default = if fact.flag("default") { " default" } else { "" };
    let mut items: Vec<String> = fact.list("items").into_iter().map(str::to_owned).collect();
    if let Some(storage) = fact.optional("storage") {
        items.push(format!("storage {storage}"));
    }
    if items.is_empty() {
        // The grammar wants an item; this one says what holds anyway.
        items.push(format!("storage {}", fact.text("type")));
    }
    format!(
        "create operator class {name}{default} for type {} using {method} family {} as {}",
        fact.text("type"),
        fact.text("family"),
        items.join(", ")
    )
}

fn create_cast(fact: &Fact) -> String {
    let how = match (fact.text("method"), fact.optional("function")) {
        ("f", Some(function)) => format!("with function {function}"),
        ("i", _) => "with inout".to_owned(),
        _ => "without function".to_owned(),
    };
    let context = match fact.text("context") {
        "i" => " as implicit",
        "a" => " as assignment",
        _ => "",
    };
    format!("create cast {} {how}{context}", fact.identity.path())
}

fn create_conversion(fact: &Fact) -> String {
    let default = if fact.flag("default") { "default " } else { "" };
    format!(
        "create {default}conversion {} for {} to {} from {}",
        fact.identity.path(),
        literal(fact.text("from")),
        literal(fact.text("to")),
        fact.text("function")
    )
}

fn create_event_trigger(fact: &Fact) -> Vec<Piece> {
    let tags: Vec<_> = fact.list("tags").into_iter().map(literal).collect();
    let filter = if tags.is_empty() { String::new() } else { format!(" when tag in ({})", tags.join(", ")) };
    let mut pieces = vec![Piece::session(format!(
        "create event trigger {} on {}{filter} execute function {}()",
        fact.identity.path(),
        fact.text("event"),
        fact.text("function")
    ))];
    if fact.text("enabled") != "O" {
        pieces.push(event_trigger_state(fact));
    }
    pieces
}

fn event_trigger_state(fact: &Fact) -> Piece {
    let state = match fact.text("enabled") {
        "D" => "disable",
        "R" => "enable replica",
        "A" => "enable always",
        _ => "enable",
    };
    Piece::session(format!("alter event trigger {} {state}", fact.identity.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argument_types_split_outside_quotes_and_parentheses() {
        assert_eq!(two_types("public.\"a, (b\", integer"), ("public.\"a, (b\"", "integer"));
        assert_eq!(two_types("none, numeric(3,2)"), ("none", "numeric(3,2)"));
    }
}
