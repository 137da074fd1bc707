//! Fields that several auth bodies share: addresses, names, ids.

use uuid::Uuid;

use crate::{
    email::valid_email,
    http::{Error, Result, validation::Form},
};

/// Longest name of a person.
const NAME_MAX: usize = 100;

/// A required e-mail address, lower case.
pub(super) fn email(form: &mut Form<'_>) -> String {
    let before = form.issues().len();
    let text = form.string("email");
    if form.issues().len() == before && !valid_email(text) {
        form.issue("email", "Invalid email format");
    }
    text.to_lowercase()
}

/// An optional name, trimmed, 1–100 characters as JavaScript counts them.
pub(super) fn name(form: &mut Form<'_>) -> Option<String> {
    let text = form.optional_string("name")?.trim();
    match text.encode_utf16().count() {
        0 => form.issue("name", "Name is required"),
        1..=NAME_MAX => {}
        _ => form.issue("name", format!("Name must be less than {NAME_MAX} characters")),
    }
    Some(text.to_owned())
}

/// A required administrator's name, trimmed, 1–100 characters.
pub(super) fn username<'a>(form: &mut Form<'a>) -> &'a str {
    let before = form.issues().len();
    let text = form.string("username").trim();
    if form.issues().len() == before {
        match text.encode_utf16().count() {
            0 => form.issue("username", "String must contain at least 1 character(s)"),
            1..=NAME_MAX => {}
            _ => form.issue("username", format!("String must contain at most {NAME_MAX} character(s)")),
        }
    }
    text
}

/// A user id in the path.
pub(super) fn user_id(text: &str) -> Result<Uuid> {
    parse_uuid(text).ok_or_else(|| Error::invalid_input("Invalid user ID format"))
}

/// A UUID in its usual form; the other forms that parsers accept are not one on the wire.
pub(super) fn parse_uuid(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::parse_str(text).ok()).flatten()
}

/// A required six-digit code.
pub(super) fn code<'a>(form: &mut Form<'a>, name: &str, label: &str) -> &'a str {
    let before = form.issues().len();
    let text = form.string(name);
    if form.issues().len() == before && !(text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit())) {
        form.issue(name, format!("{label} must be a 6-digit numeric code"));
    }
    text
}

/// An optional address that a link leads back to.
pub(super) fn redirect_to<'a>(form: &mut Form<'a>) -> Option<&'a str> {
    let text = form.optional_string("redirectTo");
    if text.is_some_and(|target| url::Url::parse(target).is_err()) {
        form.issue("redirectTo", "Invalid url");
    }
    text
}
