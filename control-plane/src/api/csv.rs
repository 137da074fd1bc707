//! Tables as comma-separated values (RFC 4180).

use axum::response::{IntoResponse, Response};
use http::header;

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// JSON.
    #[default]
    Json,
    /// Comma-separated values.
    Csv,
}

/// One line of a table.
pub(crate) fn line<T: AsRef<str>>(fields: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        push(&mut text, field.as_ref());
    }
    text.push_str("\r\n");
    text
}

/// Text that a spreadsheet would take for a formula is written so that it does not: names are chosen by strangers.
fn push(text: &mut String, field: &str) {
    let number = field.parse::<f64>().is_ok();
    let formula = !number && field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !formula && !field.contains(['"', ',', '\n', '\r']) {
        text.push_str(field);
        return;
    }
    text.push('"');
    if formula {
        text.push('\'');
    }
    text.push_str(&field.replace('"', "\"\""));
    text.push('"');
}

/// A table as an answer that is saved under this name.
pub(crate) fn answer(name: &str, body: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(line(["a", "-1", "b c", "1.5"]), "a,-1,b c,1.5\r\n");
        assert_eq!(line(["a,b", "say \"x\"", "two\nlines"]), "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"\r\n");
        assert_eq!(line(["=cmd()", "-x", "@y"]), "\"'=cmd()\",\"'-x\",\"'@y\"\r\n");
    }
}
