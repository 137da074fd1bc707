//! Fields that several auth bodies share: addresses, names, ids.

use uuid::Uuid;

use crate::http::{Error, Result, validation::Form};

/// A required e-mail address, lower case.
pub(super) fn email(form: &mut Form<'_>) -> String {
    let before = form.issues().len();
    let text = form.string("email");
    if form.issues().len() == before && !valid_email(text) {
        form.issue("email", "Invalid email format");
    }
    text.to_lowercase()
}

/// An optional name, trimmed, 1–100 characters.
pub(super) fn name(form: &mut Form<'_>) -> Option<String> {
    let text = form.optional_string("name")?.trim();
    match text.chars().count() {
        0 => form.issue("name", "Name is required"),
        1..=100 => {}
        _ => form.issue("name", "Name must be less than 100 characters"),
    }
    Some(text.to_owned())
}

/// A user id in the path.
pub(super) fn user_id(text: &str) -> Result<Uuid> {
    parse_uuid(text).ok_or_else(|| Error::invalid_input("Invalid user ID format"))
}

/// A UUID in its usual form; the other forms that parsers accept are not one on the wire.
pub(super) fn parse_uuid(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::parse_str(text).ok()).flatten()
}

/// The grammar clients expect: one `@`, no leading, trailing or double dot before it, and a domain with a letters-only top label.
fn valid_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let local_char = |c: char| c.is_ascii_alphanumeric() || "_'+-.".contains(c);
    let local_valid = !local.is_empty()
        && local.chars().all(local_char)
        && !local.starts_with('.')
        && !local.ends_with(['.', '\''])
        && !text.contains("..");
    let labels: Vec<&str> = domain.split('.').collect();
    let label_valid = |label: &&str| {
        label.starts_with(|c: char| c.is_ascii_alphanumeric())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let top_valid = labels.last().is_some_and(|top| top.len() >= 2 && top.chars().all(|c| c.is_ascii_alphabetic()));
    local_valid && labels.len() >= 2 && labels.iter().all(label_valid) && top_valid
}

#[cfg(test)]
mod tests {
    use super::valid_email;

    #[test]
    fn addresses() {
        for good in ["a@b.co", "first.last+tag@sub.example.com", "O'b_x@ex-ample.org"] {
            assert!(valid_email(good), "{good}");
        }
        for bad in
            ["", "a", "a@b", " a@b.co", "a@b.co ", ".a@b.co", "a..b@c.de", "a@-b.co", "a@b.c", "a@b.c0", "a@b@c.de"]
        {
            assert!(!valid_email(bad), "{bad}");
        }
    }
}
