//! The metadata as a short document.

use serde_json::Value;

/// Renders what `GET /api/metadata` answers as JSON.
pub(super) fn render(metadata: &Value) -> String {
    let mut lines = vec!["# Project Metadata".to_owned(), format!("> v{}", text(&metadata["version"])), String::new()];
    auth(&mut lines, &metadata["auth"]);
    database(&mut lines, &metadata["database"]);
    storage(&mut lines, &metadata["storage"]);
    functions(&mut lines, &metadata["functions"]);
    realtime(&mut lines, &metadata["realtime"]);
    lines.join("\n")
}

fn auth(lines: &mut Vec<String>, auth: &Value) {
    lines.push("## Auth".to_owned());
    for (title, field) in [("OAuth providers", "oAuthProviders"), ("Custom OAuth providers", "customOAuthProviders")] {
        let names: Vec<&str> = list(&auth[field]).iter().map(text).collect();
        if !names.is_empty() {
            lines.push(format!("- **{title}**: {}", names.join(", ")));
        }
    }
    let verification = if auth["requireEmailVerification"] == true { "required" } else { "not required" };
    lines.push(format!("- **Email verification**: {verification}"));
    let sign_up = if auth["disableSignup"] == true { "disabled" } else { "enabled" };
    lines.push(format!("- **Signup**: {sign_up}"));
    lines.push(String::new());
}

fn database(lines: &mut Vec<String>, database: &Value) {
    lines.extend(["## Database", "| Table | Records |", "|-------|---------|"].map(str::to_owned));
    for table in list(&database["tables"]) {
        let name = text(&table["tableName"]).replace('|', "\\|");
        lines.push(format!("| {name} | {} |", table["recordCount"]));
    }
    lines.push(String::new());
    lines.push(total_size(database));
    lines.push(format!("- **Hint**: {}", text(&database["hint"])));
    lines.push(String::new());
}

fn storage(lines: &mut Vec<String>, storage: &Value) {
    lines.push("## Storage".to_owned());
    let buckets = list(&storage["buckets"]);
    if buckets.is_empty() {
        lines.push("No storage buckets configured.".to_owned());
    }
    for bucket in buckets {
        let visibility = if bucket["public"] == true { "public" } else { "private" };
        lines.push(format!("- `{}` — {visibility}, {} objects", text(&bucket["name"]), bucket["objectCount"]));
    }
    lines.push(total_size(storage));
    lines.push(String::new());
}

fn functions(lines: &mut Vec<String>, functions: &Value) {
    lines.push("## Edge Functions".to_owned());
    let functions = list(functions);
    if functions.is_empty() {
        lines.push("No edge functions deployed.".to_owned());
    }
    for function in functions {
        let mut line = format!("- `{}` — {}", text(&function["slug"]), text(&function["status"]));
        if let Some(description) = function["description"].as_str().filter(|text| !text.is_empty()) {
            line.push_str(": ");
            line.push_str(description);
        }
        lines.push(line);
    }
    lines.push(String::new());
}

fn realtime(lines: &mut Vec<String>, realtime: &Value) {
    lines.push("## Realtime".to_owned());
    let channels = list(&realtime["channels"]);
    if channels.is_empty() {
        lines.push("No realtime channels configured.".to_owned());
    }
    for channel in channels {
        let mut line = format!("- `{}`", text(&channel["pattern"]));
        if let Some(description) = channel["description"].as_str().filter(|text| !text.is_empty()) {
            line.push_str(" — ");
            line.push_str(description);
        }
        lines.push(line);
    }
    lines.push(String::new());
}

/// Without decimals where there are none.
fn total_size(slice: &Value) -> String {
    format!("- **Total size**: {} GB", slice["totalSizeInGB"].as_f64().unwrap_or_default())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
