//! Edits of types, collations, text search and foreign data.

use rand::Rng;

use super::edits::Editor;
use super::inventory::Type;

fn own(edit: &mut Editor<'_>, kinds: &str) -> Option<Type> {
    let found: Vec<Type> =
        edit.there.types.iter().filter(|own| kinds.contains(own.kind) && edit.within(&own.name)).cloned().collect();
    edit.pick(&found).cloned()
}

pub(super) fn edit(edit: &mut Editor<'_>) -> Option<String> {
    let new = edit.qualified();
    Some(match edit.rng.random_range(0..25) {
        0..3 => format!(
            "create type {new} as enum ({})",
            edit.word(&["'a', 'b'", "'low', 'mid', 'high'", "'it''s', 'ü', ''"])
        ),
        3..5 => {
            let known = own(edit, "e")?;
            let label = edit.word(&["'x'", "'y'", "'mid'", "'it''s'", "'zz'"]);
            let place = match (edit.rng.random_range(0..3), edit.pick(&known.labels)) {
                (0, Some(at)) => format!(" before {at}"),
                (1, Some(at)) => format!(" after {at}"),
                _ => String::new(),
            };
            format!("alter type {} add value {label}{place}", known.name)
        }
        5 => {
            let known = own(edit, "e")?;
            format!(
                "alter type {} rename value {} to {}",
                known.name,
                edit.pick(&known.labels)?,
                edit.word(&["'p'", "'q'"])
            )
        }
        6..8 => {
            let base = edit.word(&["int", "text", "numeric", "varchar(30)"]);
            format!(
                "create domain {new} as {base} {}",
                edit.word(&["", "not null", "constraint ok check (value is not null)", "default null"])
            )
        }
        8..10 => {
            let known = own(edit, "d")?.name;
            let change = match edit.rng.random_range(0..5) {
                0 => "set not null".to_owned(),
                1 => "drop not null".to_owned(),
                2 => "drop default".to_owned(),
                3 => format!(
                    "add constraint {} check (value::text <> 'x'){}",
                    edit.name(),
                    edit.word(&["", " not valid"])
                ),
                _ => "drop constraint ok".to_owned(),
            };
            format!("alter domain {known} {change}")
        }
        10..12 => format!("create type {new} as ({} int, {} text)", edit.name(), edit.name()),
        12..14 => {
            let known = own(edit, "c")?;
            let attribute = edit.pick(&known.attributes)?.clone();
            let change = match edit.rng.random_range(0..4) {
                0 => format!("add attribute {} {}", edit.name(), edit.word(&["int", "text", "uuid"])),
                1 => format!("drop attribute {attribute}"),
                2 => format!("rename attribute {attribute} to {}", edit.name()),
                _ => format!("alter attribute {attribute} type {}", edit.word(&["bigint", "text"])),
            };
            // Tables of the type follow.
            format!("alter type {} {change} cascade", known.name)
        }
        14 => format!("create type {new} as range (subtype = {})", edit.word(&["float8", "text", "interval"])),
        24 => {
            let known = own(edit, "c")?.name;
            match edit.rng.random_range(0..4) {
                0 => format!("alter table {} not of", edit.relation("r")?.name),
                1 => format!("alter table {} of {known}", edit.relation("r")?.name),
                _ => format!("create table {new} of {known}"),
            }
        }
        15 => {
            let known = own(edit, "edcr")?;
            let words = if known.kind == 'd' { "domain" } else { "type" };
            match edit.rng.random_range(0..3) {
                0 => format!("drop {words} {}", known.name),
                1 => format!("alter {words} {} rename to {}", known.name, edit.name()),
                _ => format!("comment on {words} {} is {}", known.name, edit.literal()),
            }
        }
        16 => format!("create collation {new} (provider = libc, locale = '{}')", edit.word(&["C", "POSIX"])),
        17 => format!("create text search dictionary {new} (template = simple)"),
        18 => format!("create text search configuration {new} (copy = {})", edit.word(&["simple", "english"])),
        19 if edit.scope.is_empty() => {
            let (wrapper, server, table) = (edit.name(), edit.name(), edit.qualified());
            format!(
                "reset role; create foreign data wrapper {wrapper}; create server {server} foreign data wrapper {wrapper} options (host 'h'); create foreign table {table} (id int options (k 'v'), a text default 'x') server {server}"
            )
        }
        20 if edit.scope.is_empty() => {
            let table = edit.relation("r")?;
            format!("reset role; create publication {} for table {}", edit.name(), table.name)
        }
        21 if edit.scope.is_empty() => {
            let known = edit.pick(&edit.there.others)?.clone();
            format!("reset role; alter {} {} rename to {}", known.words, known.name, edit.name())
        }
        _ => {
            let known: Vec<_> = edit.there.others.iter().filter(|other| edit.within(&other.name)).cloned().collect();
            let known = edit.pick(&known)?.clone();
            let drop = edit.chance(5);
            if drop {
                format!("reset role; drop {} {}", known.words, known.name)
            } else {
                format!("reset role; comment on {} {} is {}", known.words, known.name, edit.literal())
            }
        }
    })
}
