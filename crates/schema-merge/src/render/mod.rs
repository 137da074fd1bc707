//! The script a person reads: every statement in execution order under the contract's headings.

mod markdown;
mod sections;
mod terminal;

pub use markdown::markdown;
pub use terminal::terminal;

use crate::merge::qualified;
use crate::report::{Action, Conflict, DiffResult, MergePlan, Object, ObjectType, Origin, Statement};

/// Heading of what runs outside the transaction, while writers go on.
const CONCURRENT: &str = "CONCURRENT";

/// The plan as one SQL script. `generated_at` is printed as it is.
pub fn rendered_sql(plan: &MergePlan, generated_at: &str) -> String {
    let mut out = format!("-- Generated {generated_at}\n");
    if plan.blocked() {
        out += &banner(plan);
    }
    let (within, early, late) = apart(plan);
    section(plan, &early, CONCURRENT, &mut out);
    out += "BEGIN;\n";
    migrations(plan, &mut out);
    let (data, structure): (Vec<_>, Vec<_>) =
        within.into_iter().partition(|statement| statement.origin == Origin::Rows);
    section(plan, &structure, "DDL", &mut out);
    section(plan, &data, "DATA", &mut out);
    out += "\nCOMMIT;\n";
    section(plan, &late, CONCURRENT, &mut out);
    out
}

/// What runs in transactions, and what runs outside any before and after that.
fn apart(plan: &MergePlan) -> (Vec<&Statement>, Vec<&Statement>, Vec<&Statement>) {
    let apart = |number: u32| {
        plan.segments.iter().any(|segment| segment.number == number && (segment.concurrent || segment.early))
    };
    let (outside, within): (Vec<_>, Vec<_>) = plan.statements.iter().partition(|statement| apart(statement.segment));
    let first = within.first().map_or(0, |statement| statement.segment);
    let (early, late) = outside.into_iter().partition(|statement| statement.segment < first);
    (within, early, late)
}

/// The contract's result of a merge or a dry run.
pub fn diff_result(plan: &MergePlan, generated_at: &str) -> DiffResult {
    DiffResult {
        summary: plan.summary,
        rendered_sql: rendered_sql(plan, generated_at),
        changes: plan.changes.clone(),
        conflicts: plan.conflicts.clone(),
        unsupported: plan.unsupported.clone(),
        hazards: plan.hazards.clone(),
        plan_hash: plan.plan_hash.clone(),
        facts: plan.facts.clone(),
        segments: plan.segments.clone(),
        prediction: plan.prediction,
        rehearsal: None,
    }
}

fn banner(plan: &MergePlan) -> String {
    let mut out = String::new();
    if plan.conflicts.is_empty() && plan.unsupported.is_empty() {
        out += &format!(
            "-- ⚠️ MERGE BLOCKED: {} hazard(s) wait for approval. Nothing is applied until they are approved.\n",
            plan.unapproved().len()
        );
    } else if plan.conflicts.is_empty() {
        out += &format!(
            "-- ⚠️ MERGE BLOCKED: {} change(s) cannot be merged. Nothing is applied.\n",
            plan.unsupported.len()
        );
    } else {
        out += &format!(
            "-- ⚠️ MERGE BLOCKED: {} conflict(s) detected. Nothing is applied until they are resolved.\n",
            plan.conflicts.len()
        );
    }
    for conflict in &plan.conflicts {
        out += &conflict_lines(conflict);
    }
    for entry in &plan.unsupported {
        let name =
            if entry.schema.is_empty() { entry.name.clone() } else { format!("{}.{}", entry.schema, entry.name) };
        out += &comment(&format!("[UNSUPPORTED] {} {name}: {}", entry.kind, entry.reason));
    }
    out + "\n"
}

fn conflict_lines(conflict: &Conflict) -> String {
    let hash = |value: &Option<String>| value.clone().unwrap_or_else(|| "(absent)".to_owned());
    let mut out = "--\n".to_owned();
    out += &comment(&format!("[CONFLICT] {} {}", conflict.object.object_type.word(), qualified(&conflict.object)));
    out += &format!("--   parent_t0_hash:  {}\n", hash(&conflict.parent_t0_hash));
    out += &format!("--   parent_now_hash: {}\n", hash(&conflict.parent_now_hash));
    out += &format!("--   branch_now_hash: {}\n", hash(&conflict.branch_now_hash));
    for field in &conflict.fields {
        out += &comment(&format!(
            "  {} {}: base {} · parent {} · branch {}",
            field.fact, field.field, field.base, field.target, field.source
        ));
    }
    out + &comment(&format!("  hint: {}", conflict.hint))
}

/// A comment that no line break can end.
fn comment(text: &str) -> String {
    text.split(['\n', '\r']).map(|line| format!("-- {line}\n")).collect()
}

/// Migrations are shown verbatim, commented out: their structure is in the DDL below and their rows in DATA.
fn migrations(plan: &MergePlan, out: &mut String) {
    let mut any = false;
    for change in plan.changes.iter().filter(|change| change.object.object_type == ObjectType::Migration) {
        if !any {
            *out += "\n-- ===== MIGRATION =====\n";
            any = true;
        }
        *out += &format!(
            "-- [MIGRATION] {} ({}), recorded below; its statements:\n",
            qualified(&change.object),
            change.action.word()
        );
        *out += &comment(&change.sql.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"));
    }
}

fn section(plan: &MergePlan, statements: &[&Statement], lead: &str, out: &mut String) {
    if statements.iter().all(|statement| statement.origin == Origin::Session) {
        return;
    }
    *out += &format!("\n-- ===== {lead} =====\n");
    let (mut last, mut role): (Option<&Object>, Option<&str>) = (None, None);
    let set = if lead == CONCURRENT { "set role" } else { "set local role" };
    for statement in statements {
        if let Some(object) = statement.object.as_ref().filter(|object| last != Some(*object)) {
            let tag = if object.object_type == ObjectType::Migration { "MIGRATION" } else { lead };
            out.push('\n');
            *out += &comment(&format!("[{tag}] {} {} ({})", object.kind, qualified(object), what(plan, object)));
            last = Some(object);
        }
        if statement.role_hint.as_deref() != role {
            role = statement.role_hint.as_deref();
            *out += &role.map_or_else(|| "reset role;\n".to_owned(), |role| format!("{set} {role};\n"));
        }
        *out += &format!("{};\n", crate::catalog::masked(&statement.sql));
    }
    if role.is_some() {
        *out += "reset role;\n";
    }
}

fn what(plan: &MergePlan, object: &Object) -> &'static str {
    plan.changes
        .iter()
        .find(|change| change.object == *object)
        .map_or("recreate", |change: &_| Action::word(change.action))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Change, Hazard};

    fn diff(name: &str) -> DiffResult {
        let object = Object {
            schema: "public".to_owned(),
            object: name.to_owned(),
            object_type: ObjectType::Table,
            kind: "table".to_owned(),
        };
        let sql = "create table x (a text default '```')".to_owned();
        DiffResult {
            changes: vec![Change { object, action: Action::Add, sql, destructive: false }],
            hazards: vec![Hazard::new("widened_access", name, "more may read").needs_approval()],
            rehearsal: Some(
                serde_json::json!({ "duration_ms": 12.4, "blocking_ms": 3.0, "observer": { "verdict": "agrees" } }),
            ),
            ..diff_result(&crate::merge(&Default::default(), &Default::default(), &Default::default()), "now")
        }
    }

    #[test]
    fn names_cannot_dress_themselves_up() {
        let diff = diff("\u{1b}[2J`evil`\n# heading");
        let text = terminal(&diff, false);
        assert!(!text.contains('\u{1b}') && text.contains("evil"), "{text}");
        assert!(terminal(&diff, true).contains("\u{1b}[32m"));
        let page = markdown(&diff);
        assert!(page.lines().filter(|line| line.starts_with('#')).all(|line| !line.contains("heading")), "{page}");
        assert!(page.contains("````sql"), "a longer fence than the text holds: {page}");
        for shown in [text, page] {
            assert!(shown.contains("Waits for 1 approvals") && shown.contains("writers blocked for 3 ms"), "{shown}");
        }
    }
}
