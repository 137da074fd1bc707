//! Configuration rows, merged per column by a fixed matrix. Rows are never deleted, and secrets never travel.

use serde_json::{Map, Value};

use super::{RowsMerged, Sides, hash, statement};
use crate::catalog::quote_identifier;
use crate::ddl::literal;
use crate::plan::Unsupported;
use crate::report::{Action, Change, Conflict, FieldConflict, Hazard, Object, ObjectType};
use crate::snapshot::ConfigurationRow;

/// A table whose rows merge.
#[derive(Clone, Copy, Debug)]
pub struct ConfigurationTable {
    /// Qualified name.
    pub table: &'static str,
    /// Natural key; empty for a table of one row.
    pub key: &'static [&'static str],
    /// A second way to recognise a row that both sides added.
    pub name: Option<&'static str>,
    /// Columns that merge.
    pub columns: &'static [&'static str],
}

/// Every table whose rows merge.
pub const CONFIGURATION: [ConfigurationTable; 11] = [
    ConfigurationTable {
        table: "auth.config",
        key: &[],
        name: None,
        columns: &[
            "require_email_verification",
            "password_min_length",
            "require_number",
            "require_lowercase",
            "require_uppercase",
            "require_special_char",
            "verify_email_method",
            "reset_password_method",
            "allowed_redirect_urls",
            "disable_signup",
        ],
    },
    ConfigurationTable {
        table: "auth.oauth_configs",
        key: &["provider"],
        name: None,
        columns: &["client_id", "native_client_ids", "scopes", "redirect_uri", "use_shared_key"],
    },
    ConfigurationTable {
        table: "auth.custom_oauth_configs",
        key: &["key"],
        name: None,
        columns: &["name", "discovery_endpoint", "client_id"],
    },
    ConfigurationTable {
        table: "email.config",
        key: &[],
        name: None,
        columns: &["enabled", "host", "port", "username", "sender_email", "sender_name", "min_interval_seconds"],
    },
    ConfigurationTable {
        table: "email.templates",
        key: &["template_type"],
        name: None,
        columns: &["subject", "body_html"],
    },
    ConfigurationTable {
        table: "storage.buckets",
        key: &["name"],
        name: None,
        columns: &["public", "cors_rules", "versioning_status"],
    },
    ConfigurationTable { table: "storage.config", key: &[], name: None, columns: &["max_file_size_mb"] },
    ConfigurationTable {
        table: "realtime.channels",
        key: &["pattern"],
        name: None,
        columns: &["description", "webhook_urls", "enabled"],
    },
    ConfigurationTable { table: "realtime.config", key: &[], name: None, columns: &["retention_days"] },
    ConfigurationTable { table: "schedules.config", key: &[], name: None, columns: &["retention_days"] },
    // Jobs keep their id on a branch; two jobs added apart are the same when their names are.
    ConfigurationTable {
        table: "schedules.jobs",
        key: &["id"],
        name: Some("name"),
        columns: &["name", "cron_schedule", "function_url", "http_method", "headers", "body", "is_active"],
    },
];

pub(super) fn merge(merged: &mut RowsMerged, sides: &Sides<'_, ConfigurationRow>) {
    for table in CONFIGURATION {
        let of =
            |rows: &[ConfigurationRow]| rows.iter().filter(|row| row.table == table.table).cloned().collect::<Vec<_>>();
        let (their_base, our_base, theirs, ours) =
            (of(sides.base_of_target), of(sides.base_of_source), of(sides.target), of(sides.source));
        let find =
            |rows: &[ConfigurationRow], key: &Map<String, Value>| rows.iter().find(|other| other.key == *key).cloned();
        for row in &ours {
            let before = (find(&their_base, &row.key), find(&our_base, &row.key));
            let mut there = find(&theirs, &row.key);
            if let ((None, None), None, Some(name)) = (&before, &there, table.name) {
                there = theirs
                    .iter()
                    .find(|other| {
                        other.values.get(name) == row.values.get(name)
                            && !their_base.iter().any(|known| known.key == other.key)
                    })
                    .cloned();
            }
            one(merged, table, (before.0.as_ref(), before.1.as_ref()), there.as_ref(), row);
        }
        for row in our_base.iter().filter(|row| find(&theirs, &row.key).is_some() && find(&ours, &row.key).is_none()) {
            let detail = "the branch deleted this row; a merge never deletes configuration, so it stays";
            merged.hazards.push(Hazard::new("row_kept", format!("{} {}", row.table, shown_key(row)), detail));
        }
    }
}

fn one(
    merged: &mut RowsMerged,
    table: ConfigurationTable,
    (their_base, our_base): (Option<&ConfigurationRow>, Option<&ConfigurationRow>),
    target: Option<&ConfigurationRow>,
    source: &ConfigurationRow,
) {
    let mut changed = Map::new();
    let mut clashes = Vec::new();
    let value = |row: Option<&ConfigurationRow>, column: &str| row.and_then(|row| row.values.get(column)).cloned();
    for column in table.columns {
        let (theirs, ours) = (value(target, column), source.values.get(*column).cloned());
        let (was_theirs, was_ours) = (value(their_base, column), value(our_base, column));
        if theirs == ours || our_base.is_some() && ours == was_ours {
            continue;
        }
        if target.is_none() && their_base.is_none() || their_base.is_some() && theirs == was_theirs {
            changed.insert((*column).to_owned(), ours.unwrap_or_default());
        } else {
            clashes.push(FieldConflict {
                fact: format!("{} {}", table.table, shown_key(source)),
                field: (*column).to_owned(),
                base: was_theirs.or(was_ours).unwrap_or_default(),
                target: theirs.unwrap_or_default(),
                source: ours.unwrap_or_default(),
            });
        }
    }
    let object = object(table.table);
    if !clashes.is_empty() {
        let names: Vec<String> = clashes.iter().map(|entry| entry.field.clone()).collect();
        let base = their_base.or(our_base);
        if !merged.decide(conflict(object.clone(), clashes, [base, target, Some(source)], table, source)) {
            // What does not clash waits as well: a row is shown and decided as one.
            return;
        }
        for name in names {
            changed.insert(name.clone(), source.values.get(&name).cloned().unwrap_or_default());
        }
    }
    if changed.is_empty() {
        return;
    }
    if target.is_none() && table.table == "auth.custom_oauth_configs" {
        merged.unsupported.push(Unsupported {
            kind: "config_row".to_owned(),
            schema: "auth".to_owned(),
            name: format!("custom_oauth_configs {}", shown_key(source)),
            reason: "a custom provider needs its client secret, which never leaves the branch: create the provider on the parent".to_owned(),
        });
        return;
    }
    warn(merged, table, target, source, &changed);
    let (action, sql) = match target {
        Some(row) => (Action::Modify, update(table, &row.key, &changed)),
        None => (Action::Add, insert(table, source)),
    };
    merged.changes.push(Change { object: object.clone(), action, sql: sql.clone(), destructive: false });
    merged.statements.push(statement(sql, object));
}

fn warn(
    merged: &mut RowsMerged,
    table: ConfigurationTable,
    target: Option<&ConfigurationRow>,
    source: &ConfigurationRow,
    changed: &Map<String, Value>,
) {
    let mut hazard = |detail: &str| {
        merged.hazards.push(Hazard::new("secret", format!("{} {}", table.table, shown_key(source)), detail));
    };
    if table.table == "auth.oauth_configs" && target.is_none() {
        hazard("this provider arrives without its client secret: set it on the parent");
    }
    if table.table == "email.config" && changed.get("enabled") == Some(&Value::Bool(true)) {
        hazard("mail is switched on; the password does not travel, so make sure that the parent has one");
    }
    if table.table == "schedules.jobs" && target.is_none() {
        hazard("encrypted headers of this job do not travel");
    }
}

fn conflict(
    object: Object,
    fields: Vec<FieldConflict>,
    sides: [Option<&ConfigurationRow>; 3],
    table: ConfigurationTable,
    row: &ConfigurationRow,
) -> Conflict {
    let [base, target, source] = sides.map(|side| side.map(|side| hash(&Value::Object(side.values.clone()))));
    let names: Vec<_> = fields.iter().map(|entry| entry.field.clone()).collect();
    Conflict {
        parent_t0_hash: base,
        parent_now_hash: target,
        branch_now_hash: source,
        hint: format!(
            "Both sides set {} of {} {} differently. Make them equal on both sides.",
            names.join(", "),
            table.table,
            shown_key(row)
        ),
        class: "S28".to_owned(),
        fields,
        ..Conflict::of(object)
    }
}

fn object(table: &str) -> Object {
    let (schema, name) = table.split_once('.').unwrap_or(("", table));
    Object {
        schema: schema.to_owned(),
        object: name.to_owned(),
        object_type: ObjectType::ConfigRow,
        kind: "config_row".to_owned(),
    }
}

fn shown_key(row: &ConfigurationRow) -> String {
    row.key
        .values()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Postgres reads the values with the types of its own columns.
fn record(table: &str, values: &Map<String, Value>) -> String {
    format!("jsonb_populate_record(null::{table}, {}::jsonb) r", literal(&Value::Object(values.clone()).to_string()))
}

fn insert(table: ConfigurationTable, source: &ConfigurationRow) -> String {
    let mut values = source.key.clone();
    values.extend(source.values.clone());
    let columns: Vec<_> = values.keys().map(|column| quote_identifier(column)).collect();
    let selected: Vec<_> = columns.iter().map(|column| format!("r.{column}")).collect();
    let same = if table.key.is_empty() { String::new() } else { format!(" where {}", key_condition(table)) };
    format!(
        "insert into {name} ({})\nselect {} from {}\nwhere not exists (select 1 from {name} t{same})",
        columns.join(", "),
        selected.join(", "),
        record(table.table, &values),
        name = table.table,
    )
}

fn key_condition(table: ConfigurationTable) -> String {
    table.key.iter().map(|column| format!("t.{column} = r.{column}")).collect::<Vec<_>>().join(" and ")
}

fn update(table: ConfigurationTable, key: &Map<String, Value>, changed: &Map<String, Value>) -> String {
    let mut values = key.clone();
    values.extend(changed.clone());
    let set: Vec<_> = changed.keys().map(|column| format!("{0} = r.{0}", quote_identifier(column))).collect();
    let condition = if table.key.is_empty() { String::new() } else { format!("\nwhere {}", key_condition(table)) };
    format!("update {} t set {}\nfrom {}{condition}", table.table, set.join(", "), record(table.table, &values))
}
