//! The list of addresses that links in mails and sign-in providers may lead back to: the syntax of its entries, matching, and redirecting.

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use regex::Regex;
use url::Url;

use super::policy::Policy;
use crate::http::{Error, Result};

/// Schemes that run or show something instead of leading somewhere.
const REFUSED_SCHEMES: [&str; 4] = ["javascript", "data", "file", "vbscript"];

/// Whether a text may stand in the list.
pub(super) fn valid_pattern(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme = scheme.to_ascii_lowercase();
    if scheme == "http" || scheme == "https" {
        return rest.strip_prefix("//").is_some_and(valid_web_target);
    }
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
        && !REFUSED_SCHEMES.contains(&scheme.as_str());
    let target = match rest.strip_prefix("//") {
        Some(target) => !target.is_empty() && !target.starts_with('/'),
        None => rest.len() > 1 && rest.starts_with('/'),
    };
    named && target && !text.chars().any(char::is_whitespace)
}

fn valid_web_target(target: &str) -> bool {
    let end = target.find(['/', '?', '#']).unwrap_or(target.len());
    let (authority, tail) = target.split_at(end);
    if tail.starts_with(['?', '#']) || target.chars().any(char::is_whitespace) {
        return false;
    }
    let (host, port) = split_port(authority);
    let Some(host) = host else { return false };
    host.chars().any(|c| c.is_ascii_alphanumeric())
        && port.is_none_or(|port| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()))
}

/// Host and port of an authority; no host when brackets do not close or are followed by something else than a port.
fn split_port(authority: &str) -> (Option<&str>, Option<&str>) {
    let Some(close) = authority.starts_with('[').then(|| authority.find(']')).flatten() else {
        return match authority.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(authority).filter(|host| !host.starts_with('[')), None),
        };
    };
    let (host, rest) = authority.split_at(close + 1);
    match rest {
        "" => (Some(host), None),
        rest => (rest.starts_with(':').then_some(host), rest.strip_prefix(':')),
    }
}

/// Refuses a target that the project's list does not have.
///
/// # Errors
/// 400 naming the target.
pub(super) fn check(target: &str, policy: &Policy) -> Result<()> {
    if allowed(target, policy.allowed_redirect_urls.as_deref().unwrap_or_default()) {
        return Ok(());
    }
    Err(Error::invalid_input(format!("{target} is not in the allowed redirect URLs"))
        .with_next_actions("Please add this URL to the allowed redirect URLs in the authentication configuration."))
}

/// Whether a link may lead to `target`: everything that leads somewhere when the list is empty, else what equals an entry or matches its
/// wildcards. `*` stands for anything without a slash, `**` also across slashes, `?` for one character, `[ab]` for one of these.
pub(super) fn allowed(target: &str, patterns: &[String]) -> bool {
    let Ok(url) = Url::parse(target) else { return patterns.is_empty() };
    if REFUSED_SCHEMES.contains(&url.scheme()) {
        return false;
    }
    let target = normalized(&url);
    patterns.is_empty()
        || patterns.iter().any(|pattern| match has_wildcard(pattern) {
            false => Url::parse(pattern).is_ok_and(|pattern| normalized(&pattern) == target),
            true => wildcard(pattern).is_some_and(|pattern| pattern.is_match(&target)),
        })
}

/// A redirect of a browser, with `parameters` added to the target.
pub(super) fn found(target: &str, parameters: &[(&str, &str)]) -> Response {
    let Ok(mut url) = Url::parse(target) else {
        return Error::invalid_input("No redirect target configured for this verification link").into_response();
    };
    for (name, _) in parameters {
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(other, _)| other != name)
            .map(|(n, v)| (n.into_owned(), v.into_owned()))
            .collect();
        match kept.is_empty() {
            true => url.set_query(None),
            false => _ = url.query_pairs_mut().clear().extend_pairs(kept),
        }
    }
    url.query_pairs_mut().extend_pairs(parameters);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    let location = HeaderValue::try_from(url.as_str()).expect("a parsed URL is printable ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

fn normalized(url: &Url) -> String {
    let text = url.as_str();
    text.strip_suffix('/').unwrap_or(text).to_owned()
}

/// Whether a pattern has wildcards; the brackets of an IPv6 host are none.
fn has_wildcard(pattern: &str) -> bool {
    let (head, tail) = pattern.split_once("://").unwrap_or(("", pattern));
    let authority = &tail[..tail.find('/').unwrap_or(tail.len())];
    let path = &tail[authority.len()..];
    let host_is_v6 = authority.starts_with('[') && authority.contains(']');
    head.contains('*') || (!host_is_v6 && authority.contains(['*', '?'])) || path.contains(['*', '?', '['])
}

/// A pattern with wildcards as an expression over normalised targets; scheme and port are literal.
fn wildcard(pattern: &str) -> Option<Regex> {
    let (scheme, rest) = pattern.split_once(':')?;
    let scheme = scheme.to_ascii_lowercase();
    let mut expression = format!("^{}:", regex::escape(&scheme));
    let Some(rest) = rest.strip_prefix("//") else {
        expression.push_str(&path_expression(rest.strip_suffix('/').unwrap_or(rest)));
        return Regex::new(&(expression + "$")).ok();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = split_port(authority);
    let host = host?.to_lowercase();
    let default_port = [("http", "80"), ("https", "443")].contains(&(scheme.as_str(), port.unwrap_or_default()));
    expression.push_str("//");
    match host.starts_with('[') {
        true => expression.push_str(&regex::escape(&host)),
        false => expression.push_str(&host_expression(&host)),
    }
    if let Some(port) = port.filter(|_| !default_port) {
        expression.push(':');
        expression.push_str(&regex::escape(port));
    }
    expression.push_str(&path_expression(path.strip_suffix('/').unwrap_or(path)));
    Regex::new(&(expression + "$")).ok()
}

/// A host's wildcards stay within the host: no slash, port, user or query gets in.
fn host_expression(host: &str) -> String {
    let mut expression = String::new();
    for c in host.chars() {
        match c {
            '*' => expression.push_str("[^/:@?#]*"),
            '?' => expression.push_str("[^/:@?#]"),
            other => expression.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    expression
}

fn path_expression(path: &str) -> String {
    let mut expression = String::new();
    let mut rest = path;
    while !rest.is_empty() {
        if rest == "/**" {
            expression.push_str("(?:/.*)?");
            break;
        }
        if let Some(after) = rest.strip_prefix("/**/") {
            expression.push_str("/(?:.*/)?");
            rest = after;
            continue;
        }
        let c = rest.chars().next().expect("it is not empty");
        rest = &rest[c.len_utf8()..];
        match c {
            '*' => expression.push_str("[^/]*"),
            '?' => expression.push_str("[^/]"),
            '[' => match rest.split_once(']').filter(|(class, _)| !class.is_empty()) {
                Some((class, after)) => {
                    expression.push_str(&class_expression(class));
                    rest = after;
                }
                None => expression.push_str("\\["),
            },
            other => expression.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    expression
}

fn class_expression(class: &str) -> String {
    let (negated, members) = match class.strip_prefix('^') {
        Some(members) if !members.is_empty() => ("^", members),
        _ => ("", class),
    };
    let mut expression = format!("[{negated}");
    for c in members.chars() {
        if "[]\\&~^".contains(c) {
            expression.push('\\');
        }
        expression.push(c);
    }
    expression.push(']');
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        for good in [
            "https://a.example/x",
            "http://localhost:3000",
            "https://*.example.com/**",
            "myapp://open",
            "app:/path",
            "http://[::1]:80/",
            "http://[::1]",
        ] {
            assert!(valid_pattern(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "https://",
            "https://*",
            "https://a.b?x=1",
            "javascript://x",
            "data:/x",
            "https://a b",
            "http://a:port",
            "http://[::1",
            "http://[::1]x",
        ] {
            assert!(!valid_pattern(bad), "{bad}");
        }
    }

    #[test]
    fn matching() {
        let cases = [
            ("https://A.example:443/x/", "https://a.example/x", true),
            ("https://a.example/y", "https://a.example/x", false),
            ("https://pr.1.example.com/cb", "https://*.example.com/cb", true),
            ("https://x.example.com/a/cb", "https://*.example.com/cb", false),
            ("https://x.example.com/a/b", "https://*.example.com/**", true),
            ("https://x.example.com", "https://*.example.com/**", true),
            ("http://x.example.com/a/b", "https://*.example.com/**", false),
            ("https://x.com/a/z", "https://x.com/a/**/z", true),
            ("https://x.com/a/b/c/z", "https://x.com/a/**/z", true),
            ("https://x.com", "https://x.com/*", false),
            ("https://x.com/cb?x=1", "https://x.com/cb*", true),
            ("https://x.com/cb/d", "https://x.com/cb**", false),
            ("https://x.com/abc", "https://x.com/a?c", true),
            ("https://x.com/bc", "https://x.com/[ab]c", true),
            ("https://x.com/zc", "https://x.com/[ab]c", false),
            ("https://x.com/zc", "https://x.com/[^ab]c", true),
            ("https://x.com/.a", "https://x.com/.*", true),
            ("http://localhost:3000/cb", "http://localhost:3000/*", true),
            ("http://localhost:3001/cb", "http://localhost:3000/*", false),
            ("https://x.com/cb", "https://X.com:443/*", true),
            ("http://[::1]:3000/cb", "http://[::1]:3000/*", true),
            ("http://[::2]:3000/cb", "http://[::1]:3000/*", false),
            ("myapp://cb/x", "myapp://cb/**", true),
            ("https://evil.com/.example.com", "https://*.example.com/**", false),
            ("https://evil.com?.example.com", "https://*.example.com", false),
            ("https://evil.com#.example.com", "https://*.example.com", false),
            ("https://evil.com:80.example.com", "https://*.example.com", false),
            ("https://a@evil.example.com", "https://*.example.com", false),
            ("no url", "https://x.com/**", false),
        ];
        for (target, pattern, expected) in cases {
            assert_eq!(allowed(target, &[pattern.to_owned()]), expected, "{target} and {pattern}");
        }
        assert!(allowed("https://anything.example", &[]));
        assert!(!allowed("javascript:alert(1)", &[]));
    }
}
