//! Reads what a cloud logged: an ERROR line or a panic means that a person must act, so no test may cause one unannounced.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// Longer lines are cut when shown.
const LINE_LENGTH: usize = 400;

/// Lines at level ERROR, and panics, in the logs of the cloud itself.
#[must_use]
pub fn alarms(log_folder: &Path) -> Vec<String> {
    alarms_in(files_below(log_folder, 1))
}

/// The same in the logs of the data planes; `projects` holds a folder for each.
#[must_use]
pub fn alarms_of_projects(projects: &Path) -> Vec<String> {
    alarms_in(files_below(projects, 4).into_iter().filter(|path| data_plane_log(path)).collect())
}

fn alarms_in(files: Vec<PathBuf>) -> Vec<String> {
    let mut alarms = Vec::new();
    for file in files {
        let text = fs::read(&file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        alarms.extend(text.lines().filter(|line| alarming(line)).map(|line| format!("{}: {line}", file.display())));
    }
    alarms
}

/// The last lines of the newest log, to be shown with a failure.
#[must_use]
pub fn tail(log_folder: &Path, lines: usize) -> String {
    let mut files = files_below(log_folder, 1);
    files.sort();
    tail_of(&files, lines)
}

fn tail_of(files: &[PathBuf], lines: usize) -> String {
    let text: String =
        files.iter().map(|file| String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()).collect();
    let all: Vec<String> = text.lines().map(|line| line.chars().take(LINE_LENGTH).collect()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// The last lines of every log that a project has, its cluster's among them, to be shown with a failure.
#[must_use]
pub fn tails_of_projects(projects: &Path, lines: usize) -> String {
    let mut files = files_below(projects, 4);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    files.sort();
    let shown =
        files.iter().map(|file| format!("{}:\n{}\n", file.display(), tail_of(std::slice::from_ref(file), lines)));
    shown.collect()
}

/// Postgres has its own word "ERROR", for clients' mistakes; its logs are not looked at.
fn data_plane_log(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.ends_with(".log") && !name.contains("postgres")
}

fn alarming(line: &str) -> bool {
    if let Ok(Value::Object(fields)) = serde_json::from_str(line) {
        return fields.get("level").and_then(Value::as_str) == Some("ERROR");
    }
    line.contains(" ERROR ") || line.contains("panicked at")
}

fn files_below(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .flat_map(|entry| {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_file() => vec![path],
                Ok(kind) if kind.is_dir() && depth > 1 => files_below(&path, depth - 1),
                _ => Vec::new(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::alarming;

    #[test]
    fn errors_and_panics_alarm_and_the_rest_does_not() {
        assert!(alarming(r#"{"level":"ERROR","fields":{"message":"disk gone"}}"#));
        assert!(alarming("2026-01-01T00:00:00Z ERROR hearth::up: disk gone"));
        assert!(alarming("thread 'main' panicked at src/main.rs:1:1:"));
        assert!(!alarming(r#"{"level":"INFO","fields":{"message":"an ERROR in text"}}"#));
        assert!(!alarming("2026-01-01T00:00:00Z  INFO hearth::up: ready"));
    }
}
