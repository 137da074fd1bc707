//! The body of a function's creation or change, and its validation: issues travel as a JSON array in the message.

use serde_json::{Value, json};

use crate::http::{
    Error, Result,
    validation::{Form, Issue},
};

const STATUSES: &[&str] = &["draft", "active"];

/// What a body says about a function.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: Option<String>,
    pub(super) slug: Option<String>,
    pub(super) code: Option<String>,
    pub(super) description: Option<String>,
    pub(super) status: Option<&'static str>,
}

impl Source {
    /// A new function: name and code are required, the slug follows from the name.
    pub(super) fn for_creation(body: &Value) -> Result<Self> {
        let mut form = Form::new(body);
        form.string("name");
        form.string("code");
        let mut source = Self::read(body, form)?;
        if source.slug.is_none() {
            let name = source.name.as_deref().unwrap_or_default().to_lowercase();
            let slug = name.split_whitespace().collect::<Vec<_>>().join("-");
            if slug.eq_ignore_ascii_case("health") {
                return Err(Error::bad_request("FUNCTION_SLUG_RESERVED", "The slug \"health\" is reserved"));
            }
            if !valid_slug(&slug) {
                return Err(refusal(&[slug_issue()]));
            }
            source.slug = Some(slug);
        }
        Ok(source)
    }

    /// A change: everything is optional, and the slug stays.
    pub(super) fn for_change(body: &Value) -> Result<Self> {
        Self::read(body, Form::new(body))
    }

    fn read(body: &Value, mut required: Form<'_>) -> Result<Self> {
        let mut form = Form::new(body);
        let text = |form: &mut Form<'_>, name: &str| form.optional_string(name).map(str::to_owned);
        let source = Self {
            name: text(&mut form, "name"),
            slug: text(&mut form, "slug"),
            code: text(&mut form, "code"),
            description: form.nullable_string("description").flatten().map(str::to_owned),
            status: form.optional_choice("status", STATUSES),
        };
        for (field, value, message) in
            [("name", &source.name, "Name is required"), ("code", &source.code, "Code is required")]
        {
            if value.as_deref() == Some("") {
                required.issue(field, message);
            }
        }
        if source.slug.as_deref().is_some_and(|slug| !valid_slug(slug) || slug.eq_ignore_ascii_case("health")) {
            let issue = slug_issue();
            required.issue(issue.path, issue.message);
        }
        let mut issues = required.issues().to_vec();
        for issue in form.issues() {
            if !issues.contains(issue) {
                issues.push(issue.clone());
            }
        }
        if !issues.is_empty() {
            return Err(refusal(&issues));
        }
        if source.code.as_deref().is_some_and(starts_own_server) {
            return Err(Error::invalid_input(
                "Deno.serve() is not allowed: export a handler function instead of starting a server",
            ));
        }
        Ok(source)
    }
}

fn valid_slug(slug: &str) -> bool {
    !slug.is_empty()
        && slug.len() <= 255
        && slug.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn slug_issue() -> Issue {
    Issue {
        path: "slug".to_owned(),
        message: "Invalid slug format - must be alphanumeric with hyphens or underscores only, and not \"health\""
            .to_owned(),
    }
}

/// Whether the code contains `Deno.serve(`, with any blanks before the parenthesis.
fn starts_own_server(code: &str) -> bool {
    code.match_indices("Deno.serve").any(|(at, found)| code[at + found.len()..].trim_start().starts_with('('))
}

fn refusal(issues: &[Issue]) -> Error {
    let list: Vec<Value> = issues
        .iter()
        .map(|issue| {
            let path: Vec<&str> = issue.path.split('.').filter(|part| !part.is_empty()).collect();
            json!({"code": "custom", "path": path, "message": issue.message})
        })
        .collect();
    Error::invalid_input(Value::Array(list).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_follow_from_names() {
        let source = Source::for_creation(&json!({"name": "Send  the Mail", "code": "x"})).expect("valid");
        assert_eq!(source.slug.as_deref(), Some("send-the-mail"));
        let reserved = Source::for_creation(&json!({"name": "Health", "code": "x"})).expect_err("reserved");
        assert_eq!(reserved.code(), "FUNCTION_SLUG_RESERVED");
    }

    #[test]
    fn bad_bodies_list_their_issues() {
        for body in [json!({}), json!({"name": "", "code": 5}), json!({"name": "a", "code": "x", "slug": "a b"})] {
            let error = Source::for_creation(&body).expect_err("refused");
            let issues: Value = serde_json::from_str(error.message()).expect("a JSON array");
            assert!(issues.as_array().is_some_and(|list| !list.is_empty()));
        }
        assert!(Source::for_creation(&json!({"name": "a", "code": "Deno.serve (h)"})).is_err());
        assert!(Source::for_change(&json!({})).is_ok());
    }
}
