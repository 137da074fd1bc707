//! Edits of functions, procedures, aggregates, operators and casts.

use rand::Rng;

use super::edits::Editor;
use super::inventory::Routine;

fn own(edit: &mut Editor<'_>, kinds: &str) -> Option<Routine> {
    let found: Vec<Routine> = edit
        .there
        .routines
        .iter()
        .filter(|own| kinds.contains(own.kind) && edit.within(&own.signature))
        .cloned()
        .collect();
    edit.pick(&found).cloned()
}

fn function(edit: &mut Editor<'_>, name: &str) -> String {
    let (argument, sql_type) = (edit.name(), edit.column_type());
    let quoted = edit.literal();
    match edit.rng.random_range(0..7) {
        0 => format!(
            "create or replace function {name}() returns int language sql {} as 'select {}'",
            edit.word(&["", "stable", "immutable parallel safe"]),
            edit.rng.random_range(1..4)
        ),
        1 => format!(
            "create or replace function {name}({argument} {sql_type} default null) returns {sql_type} language sql as 'select $1'"
        ),
        2 => format!(
            "create or replace function {name}({argument} int, variadic \"the rest\" text[] default '{{}}') returns text language plpgsql as $fn$ begin return {quoted}; end $fn$"
        ),
        3 => format!(
            "create or replace function {name}({argument} int) returns boolean language sql immutable return {argument} > {}",
            edit.rng.random_range(0..3)
        ),
        4 => {
            let from = edit.relation("rv");
            from.map_or_else(
                || format!("create or replace function {name}() returns text language sql as {quoted}"),
                |table| format!("create or replace function {name}() returns setof {0} language sql stable as $fn$ select * from {0} $fn$", table.name),
            )
        }
        5 => {
            let from = edit.relation("rv");
            from.map_or_else(
                || format!("create or replace function {name}() returns bigint language sql return 1"),
                |table| format!("create or replace function {name}() returns bigint language sql begin atomic select count(*) from {}; end", table.name),
            )
        }
        _ => format!(
            "create or replace function {name}() returns trigger language plpgsql security definer set search_path = '' as 'begin return new; end'"
        ),
    }
}

pub(super) fn edit(edit: &mut Editor<'_>) -> Option<String> {
    let new = edit.qualified();
    Some(match edit.rng.random_range(0..20) {
        0..7 => function(edit, &new),
        7..10 => {
            let known = own(edit, "f")?.signature;
            let name = known.split('(').next()?.to_owned();
            function(edit, &name)
        }
        10 => format!("drop function {}", own(edit, "f")?.signature),
        11..13 => {
            let change = edit.word(&[
                "stable",
                "immutable",
                "volatile",
                "security definer",
                "security invoker",
                "strict",
                "called on null input",
                "cost 7",
                "parallel safe",
                "set work_mem = '8MB'",
                "reset all",
            ]);
            format!("alter function {} {change}", own(edit, "f")?.signature)
        }
        13 => format!("alter function {} rename to {}", own(edit, "f")?.signature, edit.name()),
        14 => format!(
            "create or replace procedure {new}(inout x int) language plpgsql as 'begin x := {}; end'",
            edit.rng.random_range(1..4)
        ),
        15 => format!(
            "create aggregate {new}(int) (sfunc = int4pl, stype = int, initcond = '{}')",
            edit.rng.random_range(0..3)
        ),
        16 => {
            let known = own(edit, "fpa")?;
            let words = match known.kind {
                'a' => "aggregate",
                'p' => "procedure",
                _ => "function",
            };
            format!("comment on {words} {} is {}", known.signature, edit.literal())
        }
        17 => {
            let (known, table) = (
                own(edit, "f").filter(|known| known.arguments == 0 && known.returns == "integer")?,
                edit.relation("r")?,
            );
            let column = table.columns.iter().find(|column| column.sql_type == "integer")?;
            format!("alter table {} alter {} set default {}", table.name, column.name, known.signature)
        }
        18 => {
            let known = own(edit, "f").filter(|known| known.returns == "trigger")?;
            let table = edit.relation("r")?;
            format!(
                "create trigger {} after insert on {} for each row execute function {}",
                edit.name(),
                table.name,
                known.signature
            )
        }
        _ => {
            let known = own(edit, "f").filter(|known| known.arguments == 0)?;
            let table = edit.relation("r")?;
            format!("create policy {} on {} using ({}::text <> '')", edit.name(), table.name, known.signature)
        }
    })
}
