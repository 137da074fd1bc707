//! A diff as Markdown, for a pull request.

use super::sections::{Line, Mark, headline, sections};
use crate::report::DiffResult;

/// A diff as Markdown. Names and texts of developers are shown as code, so that they make no headings, links or mentions.
pub fn markdown(diff: &DiffResult) -> String {
    let mut out = format!("## Schema merge\n\n**{}**\n", headline(diff));
    for section in sections(diff) {
        out += &format!("\n### {}\n\n", section.title);
        for line in &section.lines {
            out += &shown(line);
        }
    }
    if !diff.plan_hash.is_empty() {
        out += &format!("\nPlan {}\n", code(&diff.plan_hash));
    }
    out
}

fn shown(line: &Line) -> String {
    let sign = match line.mark {
        Mark::Add => "➕",
        Mark::Modify => "✏️",
        Mark::Drop => "➖",
        Mark::Conflict => "❌",
        Mark::Warning => "⚠️",
        Mark::Info => "ℹ️",
    };
    let mut out = format!("- {sign} {}\n", code(&line.text));
    for detail in &line.details {
        out += &format!("  - {}\n", code(detail.trim_start()));
    }
    for (side, sql) in &line.sql {
        let title = if side.is_empty() { "SQL".to_owned() } else { format!("SQL of the {side}") };
        let fence = "`".repeat(longest_run(sql).max(2) + 1);
        out += &format!("  <details><summary>{title}</summary>\n\n  {fence}sql\n");
        for line in sql.lines() {
            out += &format!("  {line}\n");
        }
        out += &format!("  {fence}\n\n  </details>\n");
    }
    out
}

/// A code span on one line, whatever the text holds.
fn code(text: &str) -> String {
    let text: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let fence = "`".repeat(longest_run(&text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

fn longest_run(text: &str) -> usize {
    let (mut longest, mut current) = (0, 0);
    for character in text.chars() {
        current = if character == '`' { current + 1 } else { 0 };
        longest = longest.max(current);
    }
    longest
}
