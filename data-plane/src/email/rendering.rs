//! Placeholders of templates: `{{ name }}`, `{{ token }}`, `{{ link }}` and `{{ email }}`, with or without spaces. Templates are texts of
//! the project's administrators and hold nothing else that is evaluated.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::Variables;

static PLACEHOLDER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}").expect("a constant pattern"));

/// A body with its values, escaped for HTML.
pub(super) fn html(template: &str, email: &str, variables: &Variables) -> String {
    replaced(template, |name| value(name, email, variables).map(|text| escaped(&text)))
}

/// A subject with its values; it is one line, whatever they hold.
pub(super) fn subject(template: &str, email: &str, variables: &Variables) -> String {
    replaced(template, |name| value(name, email, variables)).replace(|c: char| c.is_control(), " ")
}

/// Replaces what has a value; what has none stays as it is.
fn replaced(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    PLACEHOLDER
        .replace_all(template, |found: &Captures<'_>| value(&found[1]).unwrap_or_else(|| found[0].to_owned()))
        .into_owned()
}

fn value(name: &str, email: &str, variables: &Variables) -> Option<String> {
    match name {
        "name" => Some(variables.name.clone()),
        "email" => Some(email.to_owned()),
        "token" => variables.token.clone(),
        "link" => variables.link.as_deref().map(safe_link),
        _ => None,
    }
}

/// A link that leads to the web, or one that leads nowhere.
fn safe_link(link: &str) -> String {
    match url::Url::parse(link) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => link.to_owned(),
        _ => "#".to_owned(),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_never_evaluated_again() {
        let variables = Variables {
            name: "<b>{{ token }}</b>".to_owned(),
            token: Some("123456".to_owned()),
            link: Some("https://a.example/?x=1&y='2'".to_owned()),
        };
        let body = html("{{name}} {{ token }} {{  link  }} {{ email }} {{ other }}", "a@b.co", &variables);
        assert_eq!(
            body,
            "&lt;b&gt;{{ token }}&lt;/b&gt; 123456 https://a.example/?x=1&amp;y=&#39;2&#39; a@b.co {{ other }}"
        );
        let evil = Variables {
            name: "a\r\nBcc: x@y.zz".to_owned(),
            link: Some("javascript:alert(1)".to_owned()),
            ..variables
        };
        assert_eq!(subject("Hi {{ name }}", "a@b.co", &evil), "Hi a  Bcc: x@y.zz");
        assert_eq!(html("{{ link }}", "a@b.co", &evil), "#");
    }
}
