//! Migrations: a set keyed by version, compared as numbers of any length.

use std::cmp::Ordering;

use serde_json::json;

use super::{DEVELOPER_ROLE, RowsMerged, Sides, hash, statement};
use crate::catalog::{Identity, Kind};
use crate::ddl::literal;
use crate::plan::{Step, Unsupported};
use crate::report::{Action, Change, Conflict, FieldConflict, Hazard, Object, ObjectType};
use crate::snapshot::Migration;

pub(super) fn merge(merged: &mut RowsMerged, sides: &Sides<'_, Migration>) {
    let latest = sides.target.iter().map(|row| row.version.as_str()).max_by(|left, right| compare(left, right));
    let find = |rows: &'_ [Migration], version: &str| {
        rows.iter().find(|row| compare(&row.version, version) == Ordering::Equal).cloned()
    };
    let mut ours: Vec<&Migration> = sides.source.iter().collect();
    ours.sort_by(|left, right| compare(&left.version, &right.version));
    for row in ours {
        let old = find(sides.base_of_source, &row.version);
        if old.as_ref() == Some(row) {
            continue;
        }
        match find(sides.target, &row.version) {
            Some(theirs) if theirs.statements == row.statements && theirs.name == row.name => {}
            Some(theirs) => {
                let hint = format!(
                    "Version {} holds different migrations on the two sides. Give the branch's one a newer version.",
                    row.version
                );
                if merged.decide(conflict(old.as_ref(), Some(&theirs), row, hint)) {
                    replace(merged, row);
                }
            }
            None => {
                // The history is a set of versions: what the catalogs say is merged by the catalogs.
                if latest.is_some_and(|latest| compare(&row.version, latest) != Ordering::Greater) {
                    let detail = format!(
                        "it is older than the parent's latest ({}) and is recorded after it",
                        latest.unwrap_or_default()
                    );
                    merged.hazards.push(Hazard::new("order", format!("migration {}", row.version), detail).rule("S27"));
                }
                add(merged, row);
            }
        }
    }
    for row in sides.base_of_source {
        if find(sides.source, &row.version).is_none() && find(sides.target, &row.version).is_some() {
            if merged.undo && find(sides.target, &row.version).as_ref() == Some(row) {
                let sql = format!("delete from system.custom_migrations where version = {}", literal(&row.version));
                merged.take_away(sql, object(row));
                continue;
            }
            let detail = "the branch has no record of this migration any more; the parent's stays";
            merged.hazards.push(Hazard::new("row_kept", format!("migration {}", row.version), detail));
        }
    }
}

/// The statements of later migrations that changed rows, for a person.
pub(super) fn data_statements(before: &[Migration], after: &[Migration]) -> Vec<String> {
    let new =
        after.iter().filter(|row| !before.iter().any(|old| compare(&old.version, &row.version) == Ordering::Equal));
    new.flat_map(|row| {
        row.statements.iter().enumerate().filter(|(_, statement)| classify(statement) == Class::Data).map(
            |(index, _)| format!("what statement {} of migration {} did to rows stays done", index + 1, row.version),
        )
    })
    .collect()
}

/// Numeric order of digit strings of any length.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

fn object(row: &Migration) -> Object {
    Object {
        schema: "system".to_owned(),
        object: row.version.clone(),
        object_type: ObjectType::Migration,
        kind: "migration".to_owned(),
    }
}

fn conflict(base: Option<&Migration>, target: Option<&Migration>, source: &Migration, hint: String) -> Conflict {
    let value = |row: &Migration| json!({ "version": row.version, "name": row.name, "statements": row.statements });
    let hashed = |row: Option<&Migration>| row.map(|row| hash(&value(row)));
    let shown = |row: Option<&Migration>| row.map(|row| json!(row.statements)).unwrap_or_default();
    Conflict {
        parent_t0_hash: hashed(base),
        parent_now_hash: hashed(target),
        branch_now_hash: hashed(Some(source)),
        hint,
        class: "S27".to_owned(),
        fields: vec![FieldConflict {
            fact: format!("migration:{}", source.version),
            field: "statements".to_owned(),
            base: shown(base),
            target: shown(target),
            source: shown(Some(source)),
        }],
        ..Conflict::of(object(source))
    }
}

/// Records the source's migration under a version that the target has used. Nothing of it is run again: what it says of structure the
/// catalogs decide, and its rows may be there already.
fn replace(merged: &mut RowsMerged, row: &Migration) {
    let statements: Vec<_> = row.statements.iter().map(|statement| literal(statement)).collect();
    let sql = format!(
        "update system.custom_migrations set name = {}, statements = array[{}]::text[] where version = {}",
        literal(&row.name),
        statements.join(", "),
        literal(&row.version),
    );
    merged.changes.push(Change { object: object(row), action: Action::Modify, sql: sql.clone(), destructive: false });
    merged.statements.push(statement(sql, object(row)));
}

fn add(merged: &mut RowsMerged, row: &Migration) {
    let object = object(row);
    for (index, statement) in row.statements.iter().enumerate() {
        match classify(statement) {
            Class::Structure => {}
            Class::Data => {
                let subject = Identity::new(Kind::Unmodelled, format!("migration:{}", row.version));
                let sql = statement.trim().trim_end_matches(';').to_owned();
                merged.data.push((
                    Step { sql, role: Some(DEVELOPER_ROLE.to_owned()), subject, destructive: false, data: true },
                    object.clone(),
                ));
                let detail = format!("statement {} changes data and is run again on the parent", index + 1);
                merged.hazards.push(Hazard::new("data_statement", format!("migration {}", row.version), detail));
            }
            Class::Refused(reason) => merged.unsupported.push(Unsupported {
                kind: "migration".to_owned(),
                schema: "system".to_owned(),
                name: format!("{} statement {}", row.version, index + 1),
                reason: reason.to_owned(),
            }),
        }
    }
    let statements: Vec<_> = row.statements.iter().map(|statement| literal(statement)).collect();
    let sql = format!(
        "insert into system.custom_migrations (version, name, statements)\nvalues ({}, {}, array[{}]::text[])\non conflict (version) do nothing",
        literal(&row.version),
        literal(&row.name),
        statements.join(", "),
    );
    let verbatim: Vec<_> =
        row.statements.iter().map(|statement| format!("{};", statement.trim().trim_end_matches(';'))).collect();
    merged.changes.push(Change {
        object: object.clone(),
        action: Action::Add,
        sql: verbatim.join("\n"),
        destructive: false,
    });
    merged.statements.push(statement(sql, object));
}

#[derive(Debug, PartialEq, Eq)]
enum Class {
    /// The catalog difference does it.
    Structure,
    /// Only running it again does it.
    Data,
    Refused(&'static str),
}

/// What a statement is, by its first words.
fn classify(statement: &str) -> Class {
    let words = leading_words(statement, 400);
    let word = |index: usize| words.get(index).map(String::as_str).unwrap_or_default();
    match word(0) {
        "" | "begin" | "commit" | "rollback" | "start" | "end" | "savepoint" | "release" | "set" | "reset"
        | "notify" | "analyze" | "vacuum" | "explain" | "show" => Class::Structure,
        "create" if fills_a_table(&words) => Class::Refused(
            "it fills a table from a query, which neither the catalog nor a replay can repeat: insert the rows with a statement of their own",
        ),
        "create" | "alter" | "drop" | "comment" | "grant" | "revoke" | "security" | "reassign" | "cluster"
        | "reindex" | "import" => Class::Structure,
        "copy" => Class::Refused("its rows are not part of the statement"),
        _ => Class::Data,
    }
}

/// Whether it computes a materialized view anew.
pub(crate) fn refreshes(statement: &str) -> bool {
    leading_words(statement, 3) == ["refresh", "materialized", "view"]
}

fn fills_a_table(words: &[String]) -> bool {
    let table = words.iter().take(4).any(|word| word == "table");
    let as_at = words.iter().position(|word| word == "as");
    table
        && as_at
            .and_then(|index| words.get(index + 1))
            .is_some_and(|next| ["select", "with", "values", "table", "execute"].contains(&next.as_str()))
}

/// The first words outside comments, strings and parentheses, in lower case.
fn leading_words(statement: &str, most: usize) -> Vec<String> {
    let (mut words, mut current, mut depth, mut rest) = (Vec::new(), String::new(), 0_i32, statement);
    while let Some(character) = rest.chars().next() {
        let skip = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if character == '\'' || character == '"' {
            rest[1..].find(character).map_or(rest.len(), |end| end + 2)
        } else {
            0
        };
        let ends_word = skip > 0 || !(character.is_alphanumeric() || character == '_');
        if ends_word && !current.is_empty() {
            words.push(std::mem::take(&mut current));
        }
        if words.len() >= most {
            break;
        }
        if skip > 0 {
            rest = &rest[skip..];
            continue;
        }
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if !ends_word && depth == 0 => current.extend(character.to_lowercase()),
            _ => {}
        }
        rest = &rest[character.len_utf8()..];
    }
    if !current.is_empty() {
        words.push(current);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(compare("9", "10"), Ordering::Less);
        assert_eq!(compare("0010", "10"), Ordering::Equal);
        assert_eq!(compare("20260101000000000000000000000000001", "3"), Ordering::Greater);
    }

    #[test]
    fn statements_are_told_apart() {
        assert_eq!(classify("-- seed\ninsert into t values (1)"), Class::Data);
        assert_eq!(classify("/* x */ DO $$ begin end $$"), Class::Data);
        assert_eq!(classify("with x as (select 1) insert into t select * from x"), Class::Data);
        assert_eq!(classify("CREATE TABLE t (a int default (1))"), Class::Structure);
        assert!(matches!(classify("create table t as select 1"), Class::Refused(_)));
        assert!(refreshes("/* now */ refresh materialized view concurrently v") && !refreshes("refresh"));
        assert_eq!(classify("create view v as select 1"), Class::Structure);
        assert_eq!(classify("alter table t add column a int generated always as (1) stored"), Class::Structure);
    }
}
