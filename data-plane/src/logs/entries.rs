//! One entry of a log, and how people and clients see it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// An entry.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) at: DateTime<Utc>,
    pub(super) message: String,
    pub(super) body: Value,
}

impl Entry {
    /// Reads a line of a JSON log; `None` when it is none.
    pub(super) fn from_json_line(line: &str) -> Option<Self> {
        let body: Value = serde_json::from_str(line).ok()?;
        let timestamp = body.get("timestamp")?.as_str()?;
        let at = DateTime::parse_from_rfc3339(timestamp).ok()?.with_timezone(&Utc);
        let id = body.get("id").and_then(Value::as_str).unwrap_or(timestamp).to_owned();
        Some(Self { id, at, message: message(&body), body })
    }

    /// Whether it is a request that the data API served.
    pub(super) fn is_data_api_request(&self) -> bool {
        let path = self.body["metadata"]["path"].as_str().unwrap_or_default();
        path.starts_with("/api/database/records/") || path.starts_with("/api/database/rpc/")
    }

    /// Whether it has the text, in whatever case.
    pub(super) fn mentions(&self, lower_case: &str) -> bool {
        self.message.to_lowercase().contains(lower_case) || self.body.to_string().to_lowercase().contains(lower_case)
    }

    /// As clients see it.
    pub(super) fn as_json(&self) -> Value {
        json!({
            "id": self.id,
            "timestamp": clock::iso_millis(self.at),
            "eventMessage": self.message,
            "body": self.body,
        })
    }
}

/// A request as one line; anything else with its level, and its error below.
fn message(body: &Value) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let metadata = &body["metadata"];
    if body["message"] == "HTTP Request" {
        let field = |name: &str| text(&metadata[name]);
        return format!(
            "{} {} {} {} {} - {} - {}",
            field("method"),
            field("path"),
            field("status"),
            field("size"),
            field("duration"),
            field("ip"),
            field("userAgent")
        );
    }
    let mut line = format!("{} - {}", body["level"].as_str().unwrap_or("info"), text(&body["message"]));
    for (title, names) in [("Error", ["error", "err"]), ("Stack Trace", ["stack", "stackTrace"])] {
        let found = names.iter().map(|name| text(&metadata[*name])).find(|text| !text.is_empty());
        if let Some(found) = found {
            line.push_str(&format!("\n{title}: {found}"));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_entries() {
        let line = r#"{"id":"1","timestamp":"2026-01-02T03:04:05.678Z","message":"HTTP Request","level":"info","metadata":{"method":"GET","path":"/api/database/records/t","status":200,"size":"12","duration":"3ms","ip":"1.2.3.4","userAgent":"curl"}}"#;
        let entry = Entry::from_json_line(line).expect("an entry");
        assert_eq!(entry.message, "GET /api/database/records/t 200 12 3ms - 1.2.3.4 - curl");
        assert!(entry.is_data_api_request() && entry.mentions("records/t") && !entry.mentions("nowhere"));
        let line = r#"{"timestamp":"2026-01-02T03:04:05.678Z","message":"went wrong","level":"error","metadata":{"error":"because"}}"#;
        assert_eq!(Entry::from_json_line(line).expect("an entry").message, "error - went wrong\nError: because");
        assert!(Entry::from_json_line("no json").is_none() && Entry::from_json_line("{}").is_none());
    }
}
