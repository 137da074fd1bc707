//! Postgres' own text log, written with the line prefix `%m [%p] `.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::json;

use super::entries::Entry;

/// The entries of a text; lines that begin none belong to the one before.
pub(super) fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<(Start<'_>, String)> = Vec::new();
    for line in text.lines() {
        match (Start::read(line), entries.last_mut()) {
            (Some(start), _) => {
                let message = start.message.to_owned();
                entries.push((start, message));
            }
            (None, Some((_, message))) => {
                message.push('\n');
                message.push_str(line);
            }
            (None, None) => {}
        }
    }
    entries.into_iter().map(|(start, message)| start.entry(&message)).collect()
}

struct Start<'a> {
    at: DateTime<Utc>,
    process: &'a str,
    level: &'a str,
    message: &'a str,
}

impl<'a> Start<'a> {
    /// `2026-01-02 03:04:05.678 UTC [123] LOG:  text`
    fn read(line: &'a str) -> Option<Self> {
        let (time, rest) = line.split_once(" UTC [")?;
        let at = NaiveDateTime::parse_from_str(time, "%Y-%m-%d %H:%M:%S%.f").ok()?.and_utc();
        let (process, rest) = rest.split_once("] ")?;
        // Applications may have a prefix of their own here; the level is the word before the first colon.
        let (before, message) = rest.split_once(": ")?;
        let level = before.rsplit(' ').next().unwrap_or(before);
        Some(Self { at, process, level, message: message.trim_start() })
    }

    fn entry(&self, message: &str) -> Entry {
        let id = format!("{}-{}", self.at.timestamp_millis(), self.process);
        let level = self.level.to_ascii_lowercase();
        let body = json!({
            "id": id,
            "timestamp": clock::iso_millis(self.at),
            "level": level,
            "message": message,
            "metadata": {"pid": self.process},
        });
        Entry { id, at: self.at, message: format!("{level} - {message}"), body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_following_lines() {
        let text = "left over\n2026-01-02 03:04:05.678 UTC [12] LOG:  ready\n2026-01-02 03:04:06.000 UTC [13] ERROR:  division by zero\n\tat: here\n2026-01-02 03:04:06.000 UTC [13] STATEMENT:  select 1/0\n";
        let found = entries(text);
        let messages: Vec<&str> = found.iter().map(|entry| entry.message.as_str()).collect();
        assert_eq!(messages, ["log - ready", "error - division by zero\n\tat: here", "statement - select 1/0"]);
        assert_eq!(clock::iso_millis(found[0].at), "2026-01-02T03:04:05.678Z");
    }
}
