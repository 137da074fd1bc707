//! A diff for a terminal: grouped, with colours where they are wanted.

use super::sections::{Line, Mark, headline, sections};
use crate::report::DiffResult;

/// A diff for a terminal. Names and texts of developers cannot move the cursor or change colours.
pub fn terminal(diff: &DiffResult, color: bool) -> String {
    let paint = |code: &str, text: &str| {
        let text = harmless(text);
        if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text }
    };
    let mut out = paint("1", &headline(diff)) + "\n";
    for section in sections(diff) {
        out += &format!("\n{}\n", paint("1;4", &section.title));
        for line in &section.lines {
            out += &shown(line, &paint);
        }
    }
    if !diff.plan_hash.is_empty() {
        out += &format!("\n{}\n", paint("2", &format!("plan {}", diff.plan_hash)));
    }
    out
}

fn shown(line: &Line, paint: &impl Fn(&str, &str) -> String) -> String {
    let (sign, code) = match line.mark {
        Mark::Add => ("+", "32"),
        Mark::Modify => ("~", "33"),
        Mark::Drop => ("-", "31"),
        Mark::Conflict => ("✗", "1;31"),
        Mark::Warning => ("!", "1;33"),
        Mark::Info => ("·", "0"),
    };
    let mut out = format!("  {}\n", paint(code, &format!("{sign} {}", line.text)));
    for detail in &line.details {
        out += &format!("      {}\n", paint("2", detail));
    }
    for (side, sql) in &line.sql {
        if !side.is_empty() {
            out += &format!("      {}\n", paint("2", &format!("on the {side}:")));
        }
        for line in sql.lines() {
            out += &format!("      {}\n", paint("36", line));
        }
    }
    out
}

/// The text without what a terminal would obey.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() && character != '\t' { '\u{fffd}' } else { character })
        .collect()
}
