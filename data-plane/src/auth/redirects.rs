//! The list of addresses that links in mails may lead back to: the syntax of its entries, and matching.

use url::Url;

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
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => return false,
        },
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    host.chars().any(|c| c.is_ascii_alphanumeric())
        && port.is_none_or(|port| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()))
}

/// Whether a link may lead to `target`: everything when the list is empty, else what equals an entry or matches its wildcards.
/// `*` stands for anything within a segment, `**` also across segments, `?` for one character.
pub(super) fn allowed(target: &str, patterns: &[String]) -> bool {
    if patterns.is_empty() {
        return true;
    }
    let Some(target) = normalized(target) else { return false };
    patterns.iter().any(|pattern| match pattern.contains(['*', '?', '[']) {
        false => normalized(pattern).is_some_and(|pattern| pattern == target),
        true => {
            let pattern = pattern.strip_suffix('/').unwrap_or(pattern);
            matches(pattern.as_bytes(), target.as_bytes())
        }
    })
}

fn normalized(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let text = url.as_str();
    Some(text.strip_suffix('/').unwrap_or(text).to_owned())
}

fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=text.len()).any(|skip| matches(rest, &text[skip..])),
        [b'*', rest @ ..] => {
            let segment = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
            (0..=segment).any(|skip| matches(rest, &text[skip..]))
        }
        [b'?', rest @ ..] => text.first().is_some_and(|byte| *byte != b'/') && matches(rest, &text[1..]),
        [expected, rest @ ..] => text.first() == Some(expected) && matches(rest, &text[1..]),
    }
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
        ] {
            assert!(!valid_pattern(bad), "{bad}");
        }
    }

    #[test]
    fn matching() {
        let list = |text: &str| vec![text.to_owned()];
        assert!(allowed("anything", &[]));
        assert!(allowed("https://A.example:443/x/", &list("https://a.example/x")));
        assert!(!allowed("https://a.example/y", &list("https://a.example/x")));
        assert!(allowed("https://pr.1.example.com/cb", &list("https://*.example.com/cb")));
        assert!(!allowed("https://x.example.com/a/cb", &list("https://*.example.com/cb")));
        assert!(allowed("https://x.example.com/a/b", &list("https://*.example.com/**")));
        assert!(!allowed("http://x.example.com/a/b", &list("https://*.example.com/**")));
    }
}
