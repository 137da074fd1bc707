//! Which paths never leave the machine, however they are spelt.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

const INTERNAL: &str = "_hearth";
/// Decodings after which no server sees anything new.
const MAX_DECODINGS: usize = 5;

/// True when some server could read `path` as one under `/_hearth`: encoded (repeatedly), with doubled or backward slashes,
/// dot segments, parameters or other case.
pub(super) fn platform_internal(path: &str) -> bool {
    if !path.bytes().any(|byte| matches!(byte, b'%' | b'_')) {
        return false;
    }
    let mut text = Cow::Borrowed(path);
    for _ in 0..MAX_DECODINGS {
        if first_segment_is_internal(&text) {
            return true;
        }
        let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if decoded == text {
            return false;
        }
        text = Cow::Owned(decoded);
    }
    first_segment_is_internal(&text)
}

/// Looks at the first segment both as written and after resolving dot segments.
fn first_segment_is_internal(path: &str) -> bool {
    let mut resolved: Vec<&str> = Vec::new();
    let mut first_written = true;
    for segment in path.split(['/', '\\']) {
        let name = segment.split([';', '?', '#']).next().unwrap_or_default();
        let name = name.trim_matches(|c: char| c.is_whitespace() || c.is_control());
        match name {
            "" | "." => continue,
            ".." => {
                resolved.pop();
            }
            _ => resolved.push(name),
        }
        if first_written && name.eq_ignore_ascii_case(INTERNAL) {
            return true;
        }
        first_written = false;
    }
    resolved.first().is_some_and(|name| name.eq_ignore_ascii_case(INTERNAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_internal_prefix_is_recognised() {
        for path in [
            "/_hearth",
            "/_hearth/v1/status",
            "//_hearth/v1",
            "/%5fhearth/v1",
            "/%5Fhearth",
            "/%255fhearth",
            "/%25255fhearth",
            "/_HEARTH/v1",
            "/./_hearth",
            "/api/../_hearth/v1",
            "/api/%2e%2e/_hearth/v1",
            "/api%2f..%2f_hearth",
            "/\\_hearth",
            "/%5c_hearth",
            "/_hearth;x=1/v1",
            "/_hearth%2fv1",
            "/%20_hearth",
            "/%00_hearth",
            "/../../_hearth",
        ] {
            assert!(platform_internal(path), "{path}");
        }
    }

    #[test]
    fn other_paths_pass() {
        for path in [
            "/",
            "/api/health",
            "/api/storage/buckets/b/objects/_hearth/x",
            "/_hearthstone",
            "/x_hearth",
            "/api/%5fhearth",
            "/%zz",
            "/api/database/records/my_table",
        ] {
            assert!(!platform_internal(path), "{path}");
        }
    }
}
