//! Statements for tables, columns, defaults and sequences.

use serde_json::Value;

use super::casting::{convertible, made_again, takes_text};
use super::{Change, Piece, foreign, owner};
use crate::catalog::{Catalog, Fact, Identity, Kind};

/// `create table` with its columns in order and those defaults that can be inline.
pub(crate) fn create_table(table: &Fact, columns: &[(&Fact, Option<&Fact>)], inherits: &str) -> Vec<Piece> {
    if table.kind == Kind::ForeignTable {
        return foreign::create_table(table, columns, inherits);
    }
    let definitions: Vec<_> =
        columns.iter().map(|(column, default)| format!("  {}", column_definition(column, *default))).collect();
    let body = if definitions.is_empty() { String::new() } else { format!("\n{}\n", definitions.join(",\n")) };
    let unlogged = if table.flag("unlogged") { "unlogged " } else { "" };
    let options = options_clause(&table.list("options"));
    let partitioned = table.optional("partition_key").map(|key| format!(" partition by {key}")).unwrap_or_default();
    let path = table.identity.path();
    let mut pieces =
        vec![Piece::new(format!("create {unlogged}table {path} ({body}){inherits}{partitioned}{options}"))];
    pieces.extend(columns.iter().flat_map(|(column, _)| storage(None, column)));
    pieces
}

/// A column as it stands in `create table` and `add column`.
pub(crate) fn column_definition(column: &Fact, default: Option<&Fact>) -> String {
    let mut text = format!("{} {}", column.identity.last(), column.text("type"));
    if let Some(collation) = column.optional("collation") {
        text += &format!(" collate {collation}");
    }
    if let Some(expression) = column.optional("generated") {
        let kept = if column.flag("virtual") { "virtual" } else { "stored" };
        text += &format!(" generated always as ({expression}) {kept}");
    } else if let Some(identity) = identity(column) {
        text += &format!(" {}", identity_clause(identity));
    } else if let Some(default) = default {
        text += &format!(" default {}", default.text("expression"));
    }
    if column.flag("not_null") {
        text += " not null";
    }
    text
}

fn identity(column: &Fact) -> Option<&Value> {
    column.fields.get("identity").filter(|identity| !identity.is_null())
}

fn identity_clause(identity: &Value) -> String {
    let name = identity["sequence"].as_str().unwrap_or_default();
    format!(
        "generated {} as identity (sequence name {name} start with {} increment by {} minvalue {} maxvalue {} cache {}{})",
        identity["mode"].as_str().unwrap_or("by default"),
        identity["start"],
        identity["increment"],
        identity["minimum"],
        identity["maximum"],
        identity["cache"],
        if identity["cycle"].as_bool().unwrap_or(false) { " cycle" } else { "" },
    )
}

/// Storage options, each as a statement of its own.
pub(crate) fn storage(from: Option<&Fact>, column: &Fact) -> Vec<Piece> {
    let (table, name) = (alone(column), column.identity.last());
    let changed = |field: &str| column.fields.get(field) != from.and_then(|from| from.fields.get(field));
    let given = |field: &str| column.fields.get(field).is_some_and(|value| !value.is_null());
    let wanted = |field: &str| if from.is_some() { changed(field) } else { given(field) };
    let mut clauses = Vec::new();
    if wanted("storage") {
        // `set storage default` came with Postgres 16.
        let letter = column.optional("storage").or(column.lineage.type_storage.as_deref());
        clauses.push(format!("set storage {}", storage_word(letter)));
    }
    if wanted("compression") {
        clauses.push(format!("set compression {}", compression_word(column.optional("compression"))));
    }
    if wanted("statistics") {
        let target = column.fields.get("statistics").and_then(Value::as_i64).unwrap_or(-1);
        clauses.push(format!("set statistics {target}"));
    }
    clauses.extend(option_changes(&from.map(|from| from.list("options")).unwrap_or_default(), &column.list("options")));
    let mut pieces: Vec<_> = clauses
        .into_iter()
        .map(|clause| Piece::new(format!("alter table {table} alter column {name} {clause}")))
        .collect();
    pieces.extend(foreign::column_options(from, column));
    pieces
}

/// The table of a column for a change that its children do not follow.
fn alone(part: &Fact) -> String {
    let only = if part.lineage.has_children { "only " } else { "" };
    format!("{only}{}", part.identity.prefix())
}

/// The word for how a column's values are stored.
pub(crate) fn storage_word(letter: Option<&str>) -> &'static str {
    match letter {
        Some("p") => "plain",
        Some("e") => "external",
        Some("m") => "main",
        Some("x") => "extended",
        _ => "default",
    }
}

/// The word for how a column's values are compressed.
pub(crate) fn compression_word(letter: Option<&str>) -> &'static str {
    match letter {
        Some("p") => "pglz",
        Some("l") => "lz4",
        _ => "default",
    }
}

/// The statement that gives a column another type, converting through text where an enum is on one side.
pub(crate) fn retype(column: &Fact, from_type: &str, through_text: bool) -> String {
    let (table, name, to_type) = (column.identity.prefix(), column.identity.last(), column.text("type"));
    let collation = column.optional("collation").map(|collation| format!(" collate {collation}")).unwrap_or_default();
    let using = match (through_text, from_type.ends_with("[]")) {
        (true, true) => format!("{name}::text[]::{to_type}"),
        (true, false) => format!("{name}::text::{to_type}"),
        (false, _) => format!("{name}::{to_type}"),
    };
    if on_foreign_table(column) {
        return format!("alter foreign table {table} alter column {name} type {to_type}{collation}");
    }
    format!("alter table {table} alter column {name} type {to_type}{collation} using {using}")
}

/// A foreign table holds no values to convert.
fn on_foreign_table(column: &Fact) -> bool {
    column.parent.as_ref().is_some_and(|table| table.as_str().starts_with("foreign_table:"))
}

/// Changes a column where rows can be kept; the default is a fact of its own and is out of the way by then.
pub(crate) fn alter_column(from: &Fact, to: &Fact, catalog: &Catalog) -> Change {
    let (table, name) = (to.identity.prefix(), to.identity.last());
    let step = |clause: String| Piece::new(format!("alter table {table} alter column {name} {clause}"));
    let retyped = from.text("type") != to.text("type") || from.fields.get("collation") != to.fields.get("collation");
    let mut pieces = Vec::new();
    let converts = on_foreign_table(to) || convertible(from, to, catalog);
    if !converts && made_again(from, to) {
        return Change::Replace;
    }
    match (from.optional("generated"), to.optional("generated")) {
        (Some(_), None) if from.flag("virtual") => return Change::Replace,
        (Some(_), None) => pieces.push(step("drop expression".to_owned())),
        (None, Some(_)) => return Change::Replace,
        (Some(old), Some(new)) if old != new || retyped || from.flag("virtual") != to.flag("virtual") => {
            return Change::Replace;
        }
        _ => {}
    }
    if !converts {
        return Change::Impossible(
            "Postgres cannot convert its values to the new type: say how, or drop the column and add another",
        );
    }
    if identity(from).is_some() && identity(to).is_none() {
        pieces.push(step("drop identity".to_owned()));
    }
    if retyped {
        let through_text = takes_text(catalog, to.text("type"));
        pieces.push(Piece::new(retype(to, from.text("type"), through_text)));
    }
    match (from.flag("not_null"), to.flag("not_null")) {
        (false, true) if identity(to).is_some() => pieces.push(step("set not null".to_owned())),
        (false, true) => pieces.push(Piece { after_data: true, ..step("set not null".to_owned()) }),
        (true, false) if catalog.server_version >= 180_000 && in_primary_key(to, catalog) => {
            return Change::Impossible("the null rule of a column of a primary key gets a name: rename it by hand");
        }
        (true, false) => pieces.push(step("drop not null".to_owned())),
        _ => {}
    }
    match (identity(from), identity(to)) {
        (None, Some(new)) => pieces.push(step(format!("add {}", identity_clause(new)))),
        (Some(old), Some(new)) if old != new => match identity_changes(old, new) {
            Some(changes) => pieces.extend(changes.into_iter().map(|change| match change {
                IdentityChange::Clause(clause) => step(clause),
                IdentityChange::Statement(sql) => Piece::new(sql),
            })),
            None => return Change::Impossible("the sequence of an identity column moved to another schema"),
        },
        _ => {}
    }
    let mut before = from.clone();
    if retyped {
        forget_storage(&mut before);
    }
    pieces.extend(storage(Some(&before), to));
    Change::InPlace(pieces)
}

/// What `alter column … type` does beside: the type, even if it is the same, brings its own storage and compression.
pub(crate) fn forget_storage(column: &mut Fact) {
    for field in ["storage", "compression"] {
        column.fields.insert(field.to_owned(), Value::Null);
    }
}

fn in_primary_key(column: &Fact, catalog: &Catalog) -> bool {
    catalog.iter().any(|fact| {
        fact.kind == Kind::Constraint
            && fact.text("type") == "primary"
            && fact.parent == column.parent
            && fact.depends_on.contains(&column.identity)
    })
}

enum IdentityChange {
    Clause(String),
    Statement(String),
}

fn identity_changes(old: &Value, new: &Value) -> Option<Vec<IdentityChange>> {
    let mut changes = Vec::new();
    let (old_name, new_name) =
        (old["sequence"].as_str().unwrap_or_default(), new["sequence"].as_str().unwrap_or_default());
    if old_name != new_name {
        let (before, after) = (Identity::new(Kind::Sequence, old_name), Identity::new(Kind::Sequence, new_name));
        if before.prefix() != after.prefix() {
            return None;
        }
        changes.push(IdentityChange::Statement(format!("alter sequence {old_name} rename to {}", after.last())));
    }
    let mut clauses = Vec::new();
    if old["mode"] != new["mode"] {
        clauses.push(format!("set generated {}", new["mode"].as_str().unwrap_or("by default")));
    }
    let numbers = [
        ("minimum", "minvalue"),
        ("maximum", "maxvalue"),
        ("start", "start with"),
        ("increment", "increment by"),
        ("cache", "cache"),
    ];
    let bounds_moved = old["type"] != new["type"];
    for (field, word) in numbers {
        if old[field] != new[field] || (bounds_moved && matches!(field, "minimum" | "maximum")) {
            clauses.push(format!("set {word} {}", new[field]));
        }
    }
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    if !restart(number(&old["start"]), number(&new["minimum"]), number(&new["maximum"])).is_empty() {
        clauses.push("restart".to_owned());
    }
    if old["cycle"] != new["cycle"] {
        clauses.push(format!("set {}cycle", if new["cycle"].as_bool().unwrap_or(false) { "" } else { "no " }));
    }
    if !clauses.is_empty() {
        changes.push(IdentityChange::Clause(clauses.join(" ")));
    }
    Some(changes)
}

/// `set default` of a column of a table or view.
pub(crate) fn set_default(fact: &Fact) -> String {
    let (table, column) = (alone(fact), fact.identity.last());
    format!("alter table {table} alter column {column} set default {}", fact.text("expression"))
}

/// `drop default` of a column of a table or view.
pub(crate) fn drop_default(fact: &Fact) -> String {
    format!("alter table {} alter column {} drop default", alone(fact), fact.identity.last())
}

/// A new table has row security neither enabled nor forced.
pub(crate) fn row_security(from: Option<&Fact>, to: &Fact) -> Vec<Piece> {
    let was = |field: &str| from.is_some_and(|from| from.flag(field));
    let path = to.identity.path();
    let mut pieces = Vec::new();
    if was("enabled") != to.flag("enabled") {
        pieces.push(Piece::new(format!(
            "alter table {path} {} row level security",
            if to.flag("enabled") { "enable" } else { "disable" }
        )));
    }
    if was("forced") != to.flag("forced") {
        pieces.push(Piece::new(format!(
            "alter table {path} {} row level security",
            if to.flag("forced") { "force" } else { "no force" }
        )));
    }
    pieces
}

/// Changes options, persistence and owner of a table; partitioned or not, and by what, is fixed when it is made.
pub(crate) fn alter_table(from: &Fact, to: &Fact) -> Change {
    let path = to.identity.path();
    if from.optional("partition_key") != to.optional("partition_key") {
        return Change::Replace;
    }
    let mut pieces = Vec::new();
    if from.flag("unlogged") != to.flag("unlogged") {
        pieces.push(Piece::new(format!(
            "alter table {path} set {}",
            if to.flag("unlogged") { "unlogged" } else { "logged" }
        )));
    }
    pieces.extend(
        option_changes(&from.list("options"), &to.list("options"))
            .into_iter()
            .map(|clause| Piece::new(format!("alter table {path} {clause}"))),
    );
    pieces.extend(owner(from, to, "table"));
    Change::InPlace(pieces)
}

/// The clauses that turn one list of storage options into another.
pub(crate) fn option_changes(from: &[&str], to: &[&str]) -> Vec<String> {
    let key = |option: &str| option.split_once('=').map_or(option, |(key, _)| key).to_owned();
    let dropped: Vec<_> =
        from.iter().map(|option| key(option)).filter(|name| !to.iter().any(|option| key(option) == *name)).collect();
    let set: Vec<_> = to.iter().filter(|option| !from.contains(option)).copied().collect();
    let mut clauses = Vec::new();
    if !dropped.is_empty() {
        clauses.push(format!("reset ({})", dropped.join(", ")));
    }
    if !set.is_empty() {
        clauses.push(format!("set {}", option_list(&set)));
    }
    clauses
}

/// ` with (…)`, or nothing.
pub(crate) fn options_clause(options: &[&str]) -> String {
    if options.is_empty() { String::new() } else { format!(" with {}", option_list(options)) }
}

fn option_list(options: &[&str]) -> String {
    let items: Vec<_> = options
        .iter()
        .map(|option| match option.split_once('=') {
            Some((key, value)) => format!("{key} = {}", super::literal(value)),
            None => (*option).to_owned(),
        })
        .collect();
    format!("({})", items.join(", "))
}

/// Makes a sequence with all its options.
pub(super) fn create_sequence(fact: &Fact, path: &str) -> String {
    let unlogged = if fact.flag("unlogged") { "unlogged " } else { "" };
    format!("create {unlogged}sequence {path}{}", sequence_options(fact))
}

/// Makes a sequence under a name in between, and gives it its own afterwards.
pub(crate) fn create_sequence_aside(fact: &Fact, between: &str) -> Vec<Piece> {
    let between = format!("{}.{between}", fact.identity.prefix());
    let named = format!("alter sequence {between} rename to {}", fact.identity.last());
    vec![Piece::new(create_sequence(fact, &between)), Piece::new(named)]
}

/// All options of a sequence.
pub(crate) fn sequence_options(fact: &Fact) -> String {
    let number = |field: &str| fact.fields.get(field).cloned().unwrap_or(Value::Null);
    format!(
        " as {} increment by {} minvalue {} maxvalue {} start with {} cache {} {}cycle",
        fact.text("type"),
        number("increment"),
        number("minimum"),
        number("maximum"),
        number("start"),
        number("cache"),
        if fact.flag("cycle") { "" } else { "no " },
    )
}

/// All options at once, because Postgres checks them together.
pub(crate) fn alter_sequence(from: &Fact, to: &Fact) -> Change {
    let path = to.identity.path();
    let mut pieces = Vec::new();
    let options = |fact: &Fact| (sequence_options(fact), fact.text("type").to_owned());
    if options(from) != options(to) {
        let number = |fact: &Fact, field: &str| fact.fields.get(field).and_then(Value::as_i64).unwrap_or_default();
        let restart = restart(number(from, "start"), number(to, "minimum"), number(to, "maximum"));
        pieces.push(Piece::new(format!("alter sequence {path}{}{restart}", sequence_options(to))));
    }
    if from.flag("unlogged") != to.flag("unlogged") {
        let word = if to.flag("unlogged") { "unlogged" } else { "logged" };
        pieces.push(Piece::new(format!("alter sequence {path} set {word}")));
    }
    pieces.extend(owner(from, to, "sequence"));
    Change::InPlace(pieces)
}

/// A sequence whose values cannot go on within new bounds starts again.
fn restart(start: i64, minimum: i64, maximum: i64) -> &'static str {
    if (minimum..=maximum).contains(&start) { "" } else { " restart" }
}
