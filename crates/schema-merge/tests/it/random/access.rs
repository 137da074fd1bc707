//! Edits of row security, policies, grants, owners and comments.

use rand::Rng;

use super::edits::Editor;

pub(super) fn edit(edit: &mut Editor<'_>) -> Option<String> {
    let role = edit.word(&["anon", "authenticated", "public"]);
    let verb = edit.word(&["grant", "grant", "revoke"]);
    let to = if verb == "grant" { "to" } else { "from" };
    let option = if verb == "grant" && role != "public" && edit.chance(2) { " with grant option" } else { "" };
    Some(match edit.rng.random_range(0..20) {
        0..3 => {
            let table = edit.relation("rp")?;
            let column = edit.column_of(&table)?;
            let command = edit.word(&["all", "select", "update", "delete"]);
            let kind = edit.word(&["", "", "as restrictive"]);
            let test = match edit.rng.random_range(0..3) {
                0 => "true".to_owned(),
                1 => format!("{column} is not null"),
                _ => format!("exists (select 1 from {})", edit.relation("rv")?.name),
            };
            format!("create policy {} on {} {kind} for {command} to {role} using ({test})", edit.name(), table.name)
        }
        3..5 => {
            let table = edit.relation("rp").filter(|table| !table.policies.is_empty())?;
            let policy = edit.pick(&table.policies)?.clone();
            match edit.rng.random_range(0..4) {
                0 => format!("drop policy {policy} on {}", table.name),
                1 => format!("alter policy {policy} on {} rename to {}", table.name, edit.name()),
                2 => format!("alter policy {policy} on {} to {role}", table.name),
                _ => format!(
                    "alter policy {policy} on {} using ({})",
                    table.name,
                    edit.word(&["true", "false", "1 = 1"])
                ),
            }
        }
        5..7 => format!(
            "alter table {} {} row level security",
            edit.relation("rp")?.name,
            edit.word(&["enable", "disable", "force", "no force"])
        ),
        7..10 => {
            let what = edit.word(&["select", "insert, update", "all", "references", "trigger"]);
            format!("{verb} {what} on {} {to} {role}{option}", edit.relation("rpvm")?.name)
        }
        10..12 => {
            let table = edit.relation("rpv")?;
            let column = edit.column_of(&table)?;
            format!(
                "{verb} {} ({column}) on {} {to} {role}{option}",
                edit.word(&["select", "update", "insert"]),
                table.name
            )
        }
        12 => format!("{verb} usage on sequence {} {to} {role}{option}", edit.relation("S")?.name),
        13 => {
            let own: Vec<_> = edit.there.routines.iter().filter(|own| edit.within(&own.signature)).cloned().collect();
            format!("{verb} execute on routine {} {to} {role}{option}", edit.pick(&own)?.signature)
        }
        14 => {
            let own: Vec<_> = edit.there.types.iter().filter(|own| edit.within(&own.name)).cloned().collect();
            format!("{verb} usage on type {} {to} {role}{option}", edit.pick(&own)?.name)
        }
        15 => format!("{verb} usage on schema {} {to} {role}{option}", edit.schema()),
        16 => format!(
            "alter default privileges in schema {} {verb} {} {to} {role}",
            edit.schema(),
            edit.word(&["select on tables", "usage on sequences", "execute on functions", "usage on types"])
        ),
        17 => {
            let relation = edit.relation("rpvm")?;
            let words = match relation.kind {
                'v' => "view",
                'm' => "materialized view",
                _ => "table",
            };
            format!("reset role; alter {words} {} owner to {}", relation.name, edit.word(&["tester", "project_admin"]))
        }
        _ => {
            let relation = edit.relation("rpvmSi")?;
            let words = match relation.kind {
                'v' => "view",
                'm' => "materialized view",
                'S' => "sequence",
                'i' => "index",
                _ => "table",
            };
            format!("comment on {words} {} is {}", relation.name, edit.literal())
        }
    })
}
