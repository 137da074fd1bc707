//! What the subcommands print: results to standard output, remarks to standard error.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
};

use clock::{Clock as _, SystemClock};
use schema_merge::{MergePlan, Origin, Snapshot, Unsupported, plan::Plan, render};
use serde::Serialize;
use serde_json::{Value, json};

use super::{CONFLICT, place::Place};
use crate::failure::Failure;

/// Writes to standard output; a closed pipe is no failure.
fn print(text: &str) {
    let _closed = io::stdout().write_all(text.as_bytes());
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(value).map_err(|cause| Failure::caused("Could not write the result", cause))?;
    print(&(text + "\n"));
    Ok(())
}

/// Names what the engine does not model, so that nobody takes silence for agreement.
pub(super) fn name_unmodelled(place: &Place, snapshot: &Snapshot) {
    let what = match place {
        Place::Database(config) => config.get_dbname().unwrap_or("the database").to_owned(),
        Place::File(path) => path.display().to_string(),
    };
    for object in snapshot.catalog.unmodelled() {
        let (kind, name) = object.split_once(':').unwrap_or(("object", &object));
        eprintln!("hearth: {what} has a {} that is not modelled: {name}", kind.replace('_', " "));
    }
}

/// A schema, fact by fact.
pub(super) fn extracted(snapshot: &Snapshot, as_json: bool) -> Result<ExitCode, Failure> {
    if as_json {
        print_json(&snapshot.catalog)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for fact in snapshot.catalog.iter() {
        let fields = Value::Object(fact.fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect());
        writeln!(text, "{} {fields}", fact.identity).expect("writing to a string");
    }
    print(&text);
    Ok(ExitCode::SUCCESS)
}

/// The way from one schema to another; nothing when they are equal.
pub(super) fn planned(plan: &Plan, as_json: bool) -> Result<ExitCode, Failure> {
    if as_json {
        let steps = plan.steps.iter().map(|step| {
            json!({ "sql": step.sql, "role": step.role, "subject": step.subject, "destructive": step.destructive })
        });
        print_json(&json!({ "statements": steps.collect::<Vec<_>>(), "unsupported": plan.unsupported }))?;
    } else if plan.unsupported.is_empty() {
        print(&script(plan.steps.iter().map(|step| (step.sql.as_str(), step.role.as_deref()))));
    } else {
        print(&unsupported(&plan.unsupported));
    }
    Ok(code(!plan.unsupported.is_empty()))
}

/// The outcome of a merge: the way from the target to the merged schema, or why there is none.
pub(super) fn merged(plan: &MergePlan, as_json: bool) -> Result<ExitCode, Failure> {
    if as_json {
        let mut result = serde_json::to_value(render::diff_result(plan, &clock::iso_millis(SystemClock.now())))
            .map_err(|cause| Failure::caused("Could not write the result", cause))?;
        result["statements"] = json!(plan.statements);
        print_json(&result)?;
    } else if plan.blocked() {
        print(&(conflicts(plan) + &unsupported(&plan.unsupported) + &unapproved(plan)));
    } else {
        // Settings of the session come with every script.
        let statements = plan.statements.iter().filter(|statement| statement.origin != Origin::Session);
        print(&script(statements.map(|statement| (statement.sql.as_str(), statement.role_hint.as_deref()))));
    }
    for hazard in &plan.hazards {
        eprintln!("hearth: {} ({}): {}", hazard.object, hazard.class.replace('_', " "), hazard.detail);
    }
    Ok(code(plan.blocked()))
}

fn code(blocked: bool) -> ExitCode {
    if blocked { ExitCode::from(CONFLICT) } else { ExitCode::SUCCESS }
}

/// Statements with the roles they need, as one transaction.
fn script<'a>(statements: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let mut body = String::new();
    let mut current = None;
    for (sql, role) in statements {
        if role != current {
            body += &role.map_or_else(
                || "reset role;\n".to_owned(),
                |role| format!("set local role \"{}\";\n", role.replace('"', "\"\"")),
            );
            current = role;
        }
        writeln!(body, "{sql};").expect("writing to a string");
    }
    if body.is_empty() {
        return body;
    }
    format!("begin;\nset local check_function_bodies = off;\nset local search_path = '';\n{body}commit;\n")
}

fn conflicts(plan: &MergePlan) -> String {
    let mut text = String::new();
    for conflict in &plan.conflicts {
        let object = &conflict.object;
        let name = if object.schema.is_empty() {
            object.object.clone()
        } else {
            format!("{}.{}", object.schema, object.object)
        };
        writeln!(text, "conflict {} {} {name} ({}): {}", conflict.class, object.kind, conflict.id, conflict.hint)
            .expect("writing to a string");
        for field in &conflict.fields {
            writeln!(
                text,
                "  {} {}: base {} · target {} · source {}",
                field.fact, field.field, field.base, field.target, field.source
            )
            .expect("writing to a string");
        }
    }
    text
}

fn unsupported(entries: &[Unsupported]) -> String {
    let mut text = String::new();
    for entry in entries {
        let name =
            if entry.schema.is_empty() { entry.name.clone() } else { format!("{}.{}", entry.schema, entry.name) };
        writeln!(text, "unsupported {} {name}: {}", entry.kind, entry.reason).expect("writing to a string");
    }
    text
}

fn unapproved(plan: &MergePlan) -> String {
    let mut text = String::new();
    for hazard in plan.unapproved() {
        writeln!(text, "approve {} or {}: {}: {}", hazard.id, hazard.class, hazard.object, hazard.detail)
            .expect("writing to a string");
    }
    text
}
