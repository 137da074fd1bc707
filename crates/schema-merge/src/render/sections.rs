//! A diff in sections for people, before it is dressed as terminal text or as Markdown.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::merge::qualified;
use crate::report::{Action, Conflict, DiffResult, FactChange, Hazard, Object, Severity, Side};

/// What a line begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Add,
    Modify,
    Drop,
    Conflict,
    Warning,
    Info,
}

/// One line with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) mark: Mark,
    pub(super) text: String,
    pub(super) details: Vec<String>,
    /// SQL to be shown as it is.
    pub(super) sql: Vec<(String, String)>,
}

/// Lines under a title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) lines: Vec<Line>,
}

impl Line {
    fn new(mark: Mark, text: impl Into<String>) -> Self {
        Self { mark, text: text.into(), details: Vec::new(), sql: Vec::new() }
    }
}

/// The one sentence that says it all.
pub(super) fn headline(diff: &DiffResult) -> String {
    let summary = diff.summary;
    let waiting = unapproved(diff);
    let counts = format!("{} added, {} modified, {} dropped", summary.added, summary.modified, summary.dropped);
    if summary.conflicts > 0 || !diff.unsupported.is_empty() {
        let unsupported = diff.unsupported.len();
        return format!("Blocked: {} conflicts, {unsupported} unsupported changes ({counts}).", summary.conflicts);
    }
    if waiting > 0 {
        return format!("Waits for {waiting} approvals ({counts}).");
    }
    if diff.changes.is_empty() { "Nothing to merge.".to_owned() } else { format!("Merges: {counts}.") }
}

fn unapproved(diff: &DiffResult) -> usize {
    diff.hazards.iter().filter(|hazard| waits(hazard)).count()
}

fn waits(hazard: &Hazard) -> bool {
    hazard.severity == Severity::NeedsApproval && !hazard.approved
}

/// Everything a person wants to know, in the order of urgency; empty sections are left out.
pub(super) fn sections(diff: &DiffResult) -> Vec<Section> {
    let all = [
        ("Conflicts", diff.conflicts.iter().map(conflict).collect()),
        ("Unsupported", unsupported(diff)),
        ("Hazards", hazards(diff)),
        ("What merges", merges(diff)),
        ("Changed on the branch", changed(diff, Side::Source)),
        ("Changed on the parent", changed(diff, Side::Target)),
        ("Changed on both", both(diff)),
        ("Rehearsal", rehearsal(diff.rehearsal.as_ref())),
    ];
    all.into_iter()
        .filter(|(_, lines): &(&str, Vec<Line>)| !lines.is_empty())
        .map(|(title, lines)| Section { title: title.to_owned(), lines })
        .collect()
}

fn named(object: &Object) -> String {
    format!("{} {}", object.kind.replace('_', " "), qualified(object))
}

fn mark(action: Action) -> Mark {
    match action {
        Action::Add => Mark::Add,
        Action::Modify => Mark::Modify,
        Action::Drop => Mark::Drop,
    }
}

fn conflict(conflict: &Conflict) -> Line {
    let mut line = Line::new(Mark::Conflict, format!("{} [{}]", named(&conflict.object), conflict.class));
    line.details.push(conflict.hint.clone());
    for field in &conflict.fields {
        line.details.push(format!("{} {}", field.fact, field.field));
        for (side, value) in [("base", &field.base), ("parent", &field.target), ("branch", &field.source)] {
            line.details.push(format!("  {side:<6} {}", shown(value)));
        }
    }
    if !conflict.dependents.is_empty() {
        line.details.push(format!("stands under {}", conflict.dependents.join(", ")));
    }
    for suggestion in &conflict.resolutions {
        line.details.push(format!("{}: {}", suggestion.choice, suggestion.detail));
    }
    if !conflict.id.is_empty() {
        line.details.push(format!("id {}", conflict.id));
    }
    for (side, statements) in [("parent", &conflict.target_change), ("branch", &conflict.source_change)] {
        if !statements.is_empty() {
            line.sql.push((side.to_owned(), statements.join(";\n") + ";"));
        }
    }
    line
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(absent)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn unsupported(diff: &DiffResult) -> Vec<Line> {
    let line = |entry: &crate::plan::Unsupported| {
        let name =
            if entry.schema.is_empty() { entry.name.clone() } else { format!("{}.{}", entry.schema, entry.name) };
        Line::new(Mark::Conflict, format!("{} {name}: {}", entry.kind.replace('_', " "), entry.reason))
    };
    diff.unsupported.iter().map(line).collect()
}

/// Those that wait for approval first.
fn hazards(diff: &DiffResult) -> Vec<Line> {
    let mut hazards: Vec<&Hazard> = diff.hazards.iter().collect();
    hazards.sort_by_key(|hazard| !waits(hazard));
    let line = |hazard: &Hazard| {
        let mark = if waits(hazard) { Mark::Warning } else { Mark::Info };
        let rule = hazard.rule.as_ref().map(|rule| format!(" {rule}")).unwrap_or_default();
        let mut line = Line::new(mark, format!("{}: {} [{}{rule}]", hazard.object, hazard.detail, hazard.class));
        line.details.extend(hazard.lock.as_ref().map(|lock| format!("takes an {lock} lock")));
        if waits(hazard) {
            line.details.push(format!("approve {} or {}", hazard.id, hazard.class));
        }
        line
    };
    hazards.into_iter().map(line).collect()
}

fn merges(diff: &DiffResult) -> Vec<Line> {
    let line = |change: &crate::report::Change| {
        let loses = if change.destructive { " (loses data)" } else { "" };
        let mut line = Line::new(mark(change.action), format!("{}{loses}", named(&change.object)));
        if !change.sql.is_empty() {
            line.sql.push((String::new(), change.sql.clone()));
        }
        line
    };
    diff.changes.iter().map(line).collect()
}

fn changed(diff: &DiffResult, side: Side) -> Vec<Line> {
    by_object(diff.facts.iter().filter(|change| change.side == side))
}

fn both(diff: &DiffResult) -> Vec<Line> {
    by_object(diff.facts.iter().filter(|change| matches!(change.side, Side::Both | Side::Mixed)))
}

fn by_object<'a>(facts: impl Iterator<Item = &'a FactChange>) -> Vec<Line> {
    let mut objects: BTreeMap<&Object, Vec<&FactChange>> = BTreeMap::new();
    for change in facts {
        objects.entry(&change.object).or_default().push(change);
    }
    let line = |(object, changes): (&Object, Vec<&FactChange>)| {
        let same = changes.iter().all(|change| change.action == changes[0].action);
        let action = if same { mark(changes[0].action) } else { Mark::Modify };
        let mut line = Line::new(action, named(object));
        line.details.extend(changes.iter().map(|change| {
            let fields =
                if change.fields.is_empty() { String::new() } else { format!(": {}", change.fields.join(", ")) };
            format!("{} {}{fields}", change.action.word(), change.fact)
        }));
        line
    };
    objects.into_iter().map(line).collect()
}

fn rehearsal(report: Option<&Value>) -> Vec<Line> {
    let Some(report) = report else { return Vec::new() };
    let number = |name: &str| report[name].as_f64().unwrap_or_default();
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (took, blocks) = (number("duration_ms"), number("blocking_ms"));
    let mut lines =
        vec![Line::new(Mark::Info, format!("took {took:.0} ms on a copy, writers blocked for {blocks:.0} ms"))];
    for violation in list("violations") {
        let count = violation["count"].as_i64().map_or_else(|| "many".to_owned(), |count| count.to_string());
        let (table, what) = (text(&violation["table"]), text(&violation["what"]));
        let mut line =
            Line::new(Mark::Conflict, format!("{count} rows of {table} {what} [{}]", text(&violation["rule"])));
        line.details.push(format!("such as {}", violation["sample"]));
        lines.push(line);
    }
    for table in list("rewritten") {
        lines.push(Line::new(Mark::Warning, format!("{} is written anew", text(&table))));
    }
    for lock in list("locks") {
        let (object, mode, what) = (text(&lock["object"]), text(&lock["mode"]), text(&lock["blocks"]));
        lines.push(Line::new(Mark::Info, format!("{object}: {mode}, blocks {what}")));
    }
    for slow in list("slowest").iter().take(3) {
        let sql = text(&slow["sql"]).replace('\n', " ");
        lines.push(Line::new(Mark::Info, format!("{:.1} ms: {sql}", slow["duration_ms"].as_f64().unwrap_or_default())));
    }
    let observer = &report["observer"];
    let verdict = text(&observer["verdict"]);
    let mark = if verdict == "disagrees" { Mark::Conflict } else { Mark::Info };
    let mut line = Line::new(
        mark,
        format!("the second observer {}", if verdict == "absent" { "could not look" } else { &verdict }),
    );
    line.details.extend(observer["reason"].as_str().map(str::to_owned));
    line.details.extend(observer["differences"].as_array().into_iter().flatten().map(text));
    lines.push(line);
    lines
}
