//! Operations as text for people.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use store::operations::{Operation, OperationStep};

/// One line per operation.
pub(crate) fn table(operations: &[Operation]) -> String {
    let mut text =
        format!("{:<36}  {:<16}  {:<10}  {:<20}  {:<36}  ERROR\n", "ID", "KIND", "STATE", "CREATED", "PROJECT");
    for operation in operations {
        let project = operation.project_id.map(|id| id.to_string()).unwrap_or_default();
        let error = operation.error.as_deref().unwrap_or_default();
        line(
            &mut text,
            format_args!(
                "{:<36}  {:<16}  {:<10}  {:<20}  {project:<36}  {error}",
                operation.id.to_string(),
                operation.kind,
                operation.state.as_str(),
                second(operation.created_at),
            ),
        );
    }
    text
}

/// One operation with its steps, errors and times.
pub(crate) fn detail(operation: &Operation, steps: &[OperationStep]) -> String {
    let mut text = String::new();
    line(&mut text, format_args!("operation   {}", operation.id));
    line(&mut text, format_args!("kind        {}", operation.kind));
    line(&mut text, format_args!("state       {}", operation.state.as_str()));
    if let Some(project_id) = operation.project_id {
        line(&mut text, format_args!("project     {project_id}"));
    }
    line(&mut text, format_args!("created     {}", second(operation.created_at)));
    match operation.finished_at {
        Some(at) => line(&mut text, format_args!("finished    {}", second(at))),
        None => line(&mut text, format_args!("next try    {}", second(operation.next_try_at))),
    }
    if let Some(at) = operation.deadline_flagged_at {
        line(&mut text, format_args!("overdue     since {}", second(at)));
    }
    for (name, value) in
        [("error", &operation.error), ("error code", &operation.error_code), ("detail", &operation.error_detail)]
    {
        if let Some(value) = value {
            line(&mut text, format_args!("{name:<11} {value}"));
        }
    }
    line(
        &mut text,
        format_args!("\n{:>3}  {:<24}  {:<8}  {:>8}  {:>5}  LAST ERROR", "#", "STEP", "STATE", "ATTEMPTS", "UNDOS"),
    );
    for step in steps {
        let error = step.last_error.as_deref().unwrap_or_default();
        line(
            &mut text,
            format_args!(
                "{:>3}  {:<24}  {:<8}  {:>8}  {:>5}  {error}",
                step.position,
                step.name,
                step.state.as_str(),
                step.attempts,
                step.undo_attempts
            ),
        );
    }
    text
}

fn second(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a string does not fail");
}
