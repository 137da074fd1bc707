//! What is checked before a request reaches the data API: names, and which schema it is about.

use axum::http::{HeaderMap, Method};

/// A request refused before it reaches the data API; the caller answers in the platform's error shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// Platform error code.
    pub(crate) code: &'static str,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) next_actions: Option<&'static str>,
}

const INVALID_INPUT: &str = "INVALID_INPUT";

/// Checks a table or function name.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Rejection> {
    let problem = if name.trim().is_empty() {
        "cannot be empty"
    } else if name.contains('"') || name.chars().any(char::is_control) {
        "cannot contain quotes or control characters"
    } else {
        return Ok(());
    };
    Err(Rejection {
        code: "DATABASE_VALIDATION_ERROR",
        message: format!("Invalid {what} name: {problem}"),
        next_actions: Some("Please check the name, it must be a valid PostgreSQL identifier."),
    })
}

/// Takes `schema` out of the query; falls back to the profile header of the method.
pub(crate) fn take_schema_parameter(
    query: &mut Vec<(String, String)>,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<String>, Rejection> {
    let given: Vec<String> =
        query.iter().filter(|(key, _)| key == "schema").map(|(_, value)| value.trim().to_owned()).collect();
    query.retain(|(key, _)| key != "schema");
    let schema = match given.as_slice() {
        [] => return profile_header(method, headers),
        [one] if !one.is_empty() => one.clone(),
        _ => return Err(invalid("The \"schema\" query parameter must be a single non-empty schema name.")),
    };
    check_schema(&schema)?;
    Ok(Some(schema))
}

/// Refuses the schemas of Postgres itself.
pub(crate) fn check_schema(schema: &str) -> Result<(), Rejection> {
    if schema == "information_schema" || schema.starts_with("pg_") {
        return Err(Rejection {
            code: INVALID_INPUT,
            message: format!("Schema \"{schema}\" is not available in the dashboard."),
            next_actions: Some("Internal PostgreSQL and platform schemas cannot be queried from the dashboard."),
        });
    }
    Ok(())
}

fn profile_header(method: &Method, headers: &HeaderMap) -> Result<Option<String>, Rejection> {
    let name = if matches!(*method, Method::GET | Method::HEAD) { "accept-profile" } else { "content-profile" };
    let values: Vec<&str> =
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::trim).collect();
    match values.as_slice() {
        [] | [""] => Ok(None),
        [one] if !one.contains(',') => {
            check_schema(one)?;
            Ok(Some((*one).to_owned()))
        }
        _ => Err(invalid("The schema profile header must be a single schema name.")),
    }
}

fn invalid(message: &str) -> Rejection {
    Rejection { code: INVALID_INPUT, message: message.to_owned(), next_actions: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_wins_over_the_header_and_is_stripped() {
        let mut headers = HeaderMap::new();
        headers.insert("accept-profile", "b".parse().expect("a header"));
        let mut query = vec![("schema".to_owned(), "a".to_owned()), ("x".to_owned(), "eq.1".to_owned())];
        assert_eq!(take_schema_parameter(&mut query, &Method::GET, &headers), Ok(Some("a".to_owned())));
        assert_eq!(query.len(), 1);
        assert_eq!(take_schema_parameter(&mut query, &Method::GET, &headers), Ok(Some("b".to_owned())));
        assert_eq!(take_schema_parameter(&mut query, &Method::POST, &headers), Ok(None));
    }

    #[test]
    fn postgres_own_schemas_and_bad_names_are_refused() {
        assert!(check_schema("pg_catalog").is_err());
        assert!(check_name("table", "a\"b").is_err());
        assert!(check_name("table", "  ").is_err());
        assert!(check_name("table", "my table").is_ok());
    }
}
