//! The second observer: what `pg_dump` says of a schema, made comparable.

use std::collections::HashSet;

/// The entries of a schema-only dump in an order of their own, with the columns of tables and the lines of grants sorted.
///
/// What is left out says nothing of the schema: settings, and the random key of newer dumps.
pub(crate) fn normalised(dump: &str) -> Vec<String> {
    let mut entries: Vec<Vec<&str>> = vec![Vec::new()];
    let mut lines = dump.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "--" && lines.peek().is_some_and(|next| next.starts_with("-- Name: ")) {
            entries.push(lines.next().into_iter().collect());
            lines.next();
        } else if !noise(line) {
            entries.last_mut().expect("there is a first entry").push(line);
        }
    }
    let unproven = not_valid_checks(&entries);
    for lines in &mut entries {
        lines.retain(|line| !unproven.contains(line.trim_start().trim_end_matches(',')));
    }
    let mut entries: Vec<String> = entries.into_iter().map(entry).filter(|entry| !entry.trim().is_empty()).collect();
    entries.sort();
    entries
}

/// Checks that are not valid, as their tables' children may show them: a child that came later has them valid, one that was there
/// before has not, and is then silent.
fn not_valid_checks(entries: &[Vec<&str>]) -> HashSet<String> {
    entries
        .iter()
        .filter(|lines| lines.first().is_some_and(|header| header.contains("; Type: CHECK CONSTRAINT;")))
        .flat_map(|lines| lines.iter())
        .filter_map(|line| line.trim_start().strip_prefix("ADD ")?.strip_suffix(" NOT VALID;"))
        .map(str::to_owned)
        .collect()
}

fn noise(line: &str) -> bool {
    line.is_empty()
        || [
            "SET default_",
            "SET statement_",
            "SET lock_",
            "SET idle_",
            "SET transaction_timeout",
            "SET client_",
            "SET standard_",
            "SET check_",
            "SET xmloption",
            "SET row_security",
            "SELECT pg_catalog.set_config",
            "\\restrict",
            "\\unrestrict",
            "-- PostgreSQL",
            "-- Dumped",
            "--",
        ]
        .iter()
        .any(|start| line.starts_with(start))
}

fn entry(mut lines: Vec<&str>) -> String {
    let Some(header) = lines.first().copied() else { return String::new() };
    let is = |kind: &str| header.contains(&format!("; Type: {kind};"));
    let composite = is("TYPE") && lines.iter().any(|line| line.ends_with(" AS ("));
    if is("TABLE") || is("FOREIGN TABLE") || composite {
        // Columns are in another order after a merge, so the comma moves too.
        if let (Some(first), Some(last)) =
            (lines.iter().position(|line| line.ends_with('(')), lines.iter().rposition(|line| line.starts_with(')')))
            && first < last
        {
            let body = &mut lines[first + 1..last];
            for line in body.iter_mut() {
                *line = line.trim_end_matches(',');
            }
            body.sort_unstable();
        }
        // And so do the statements about them.
        let settings: Vec<usize> =
            lines.iter().enumerate().filter(|(_, line)| line.contains(" ALTER COLUMN ")).map(|(at, _)| at).collect();
        let mut texts: Vec<&str> = settings.iter().map(|at| lines[*at]).collect();
        texts.sort_unstable();
        for (at, text) in settings.into_iter().zip(texts) {
            lines[at] = text;
        }
    } else if is("ACL") || is("DEFAULT ACL") {
        lines[1..].sort_unstable();
    }
    if is("FUNCTION") || is("PROCEDURE") {
        // Nor have the settings of a function.
        let settings: Vec<usize> =
            lines.iter().enumerate().filter(|(_, line)| line.starts_with("    SET ")).map(|(at, _)| at).collect();
        if let (Some(first), Some(last)) = (settings.first(), settings.last()) {
            lines[*first..=*last].sort_unstable();
        }
    }
    lines
        .iter()
        .map(|line| options_sorted(&list_of_texts(&statistics_sorted(&unnamed_not_null(line)))))
        .collect::<Vec<_>>()
        .join("\n")
}

/// From 18 on a column's `not null` has a name, which is no fact: what it is called by itself depends on whether the column or its
/// table's parent had it first.
fn unnamed_not_null(line: &str) -> String {
    let parts = || {
        let (before, rest) = line.split_once(" CONSTRAINT ")?;
        let (name, after) = rest.split_once(" NOT NULL")?;
        name.trim_matches('"').ends_with("_not_null").then(|| format!("{before} NOT NULL{after}"))
    };
    parts().unwrap_or_else(|| line.to_owned())
}

/// Nor have the columns of statistics.
fn statistics_sorted(line: &str) -> String {
    let parts = || {
        let (before, rest) = line.strip_prefix("CREATE STATISTICS ")?.split_once(" ON ")?;
        let (columns, after) = rest.rsplit_once(" FROM ")?;
        let mut columns: Vec<_> = columns.split(", ").collect();
        columns.sort_unstable();
        Some(format!("CREATE STATISTICS {before} ON {} FROM {after}", columns.join(", ")))
    };
    parts().unwrap_or_else(|| line.to_owned())
}

/// Storage parameters have no order.
fn options_sorted(line: &str) -> String {
    let Some((before, (options, after))) =
        line.split_once("WITH (").and_then(|(before, rest)| Some((before, rest.split_once(')')?)))
    else {
        return line.to_owned();
    };
    let mut options: Vec<_> = options.split(", ").collect();
    options.sort_unstable();
    format!("{before}WITH ({}){after}", options.join(", "))
}

/// Postgres prints a list of texts in one way as it was written, and in another after it was read from its own printing.
fn list_of_texts(line: &str) -> String {
    if !line.contains("ARRAY[") {
        return line.to_owned();
    }
    let plain = ["::text[]", "::text", "::character varying[]", "::character varying", "(", ")"];
    plain.iter().fold(line.to_owned(), |line, word| line.replace(word, ""))
}

/// Entries that only one of two dumps has.
pub(crate) fn differences(left: &str, right: &str) -> Vec<String> {
    let (left, right) = (normalised(left), normalised(right));
    let only = |these: &[String], others: &[String], sign: &str| {
        these.iter().filter(|entry| !others.contains(entry)).map(|entry| format!("{sign} {entry}")).collect::<Vec<_>>()
    };
    [only(&left, &right, "-"), only(&right, &left, "+")].concat()
}
