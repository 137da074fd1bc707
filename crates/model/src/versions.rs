//! Backend versions: `2.2.2`, with a leading `v` only where the wire shows a tag.

use std::{fmt, str::FromStr};

/// A backend version of three numbers, ordered by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

/// A text that is not a version.
#[derive(Debug, thiserror::Error)]
#[error("a version is three numbers, such as 2.2.2")]
pub struct InvalidVersion;

impl Version {
    /// The oldest backend that can be branched.
    pub const FIRST_BRANCHABLE: Self = Self { major: 2, minor: 0, patch: 0 };

    /// With the leading `v` of a tag.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("v{self}")
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    /// Accepts a leading `v`.
    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        let mut number = || {
            let part = parts.next().ok_or(InvalidVersion)?;
            let digits = !part.is_empty() && part.len() <= 6 && part.bytes().all(|byte| byte.is_ascii_digit());
            if digits { part.parse().map_err(|_| InvalidVersion) } else { Err(InvalidVersion) }
        };
        let version = Self { major: number()?, minor: number()?, patch: number()? };
        if parts.next().is_some() { Err(InvalidVersion) } else { Ok(version) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_by_number_and_refuse_other_text() {
        let parse = |text: &str| text.parse::<Version>();
        assert!(parse("2.10.0").expect("valid") > parse("v2.9.9").expect("valid"));
        assert_eq!(parse("v2.2.2").expect("valid").to_string(), "2.2.2");
        for text in ["", "v", "2", "2.2", "2.2.2.2", "2.2.x", "2.2.-1", "latest", "2.2.2; rm -rf /", "2..2"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
