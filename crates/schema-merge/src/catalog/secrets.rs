//! Options that hold a secret: known by a digest in facts, kept aside for the statement that needs them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Real option entries by the entries that stand for them. Its debug form names no value.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secrets(BTreeMap<String, String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Secrets {
    /// True when nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps what the other keeps, too.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().map(|(stand_in, real)| (stand_in.clone(), real.clone())));
    }

    /// The entry as a statement needs it.
    pub(crate) fn reveal<'a>(&'a self, entry: &'a str) -> &'a str {
        self.0.get(entry).map_or(entry, String::as_str)
    }

    /// The entry as it may be shown; a secret one is kept. The digest is short, so that it tells a change but not the value.
    pub(crate) fn conceal(&mut self, salt: &str, entry: String) -> String {
        let Some((name, value)) = entry.split_once('=') else { return entry };
        if !secret(name) {
            return entry;
        }
        let digest = hex::encode(Sha256::digest(format!("{salt}\0{name}\0{value}")));
        let stand_in = format!("{name}=•{}", &digest[..6]);
        self.0.insert(stand_in.clone(), entry);
        stand_in
    }
}

/// A statement as it may be shown: values of secret options are covered. Only statements about foreign things have options like that.
pub(crate) fn masked(sql: &str) -> std::borrow::Cow<'_, str> {
    const HEADS: [&str; 4] = ["user mapping", "server", "foreign data wrapper", "foreign table"];
    let head = sql.strip_prefix("create ").or_else(|| sql.strip_prefix("alter ")).unwrap_or_default();
    if !HEADS.iter().any(|kind| head.starts_with(kind)) || !sql.contains("options (") {
        return sql.into();
    }
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(start) = rest.find('\'') {
        let escaped = rest[..start].ends_with('e');
        let inner = &rest[start + 1..];
        let end = literal_end(inner, escaped);
        let before = rest[..start].trim_end_matches('e').trim_end();
        let name = before.rsplit([' ', '(', ',']).next().unwrap_or_default().trim_matches('"');
        out.push_str(&rest[..=start]);
        out.push_str(if secret(name) { "•••" } else { &inner[..end] });
        rest = &inner[end..];
        if let Some(after) = rest.strip_prefix('\'') {
            out.push('\'');
            rest = after;
        }
    }
    out.push_str(rest);
    out.into()
}

/// Where a literal ends: at a quote that is not doubled and, in an escaped one, not behind a backslash.
fn literal_end(text: &str, escaped: bool) -> usize {
    let mut letters = text.char_indices().peekable();
    while let Some((index, letter)) = letters.next() {
        match letter {
            '\\' if escaped => {
                letters.next();
            }
            '\'' if letters.peek().is_some_and(|(_, next)| *next == '\'') => {
                letters.next();
            }
            '\'' => return index,
            _ => {}
        }
    }
    text.len()
}

/// Whether an option of this name holds a secret.
fn secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["password", "passcode", "passphrase", "secret", "token", "credential", "api_key", "private_key", "service_key"]
        .iter()
        .any(|word| name.contains(word))
        || matches!(name.as_str(), "key" | "pwd" | "pass")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_shown_without_secrets() {
        let sql = "alter user mapping for a server s options (set password 'o''n, e', add \"api_key\" e'b\\'c', set host 'h')";
        assert_eq!(
            masked(sql),
            "alter user mapping for a server s options (set password '•••', add \"api_key\" e'•••', set host 'h')"
        );
        let plain = "create table t (password text default 'x')";
        assert_eq!(masked(plain), plain);
    }

    #[test]
    fn a_secret_is_known_by_its_digest_and_shown_nowhere() {
        let mut secrets = Secrets::default();
        assert_eq!(secrets.conceal("s", "host=db".to_owned()), "host=db");
        let shown = secrets.conceal("s", "password=hunter2".to_owned());
        assert!(shown.starts_with("password=•") && !shown.contains("hunter2"));
        assert_eq!(secrets.reveal(&shown), "password=hunter2");
        assert_ne!(secrets.conceal("s", "password=hunter3".to_owned()), shown);
        assert!(!format!("{secrets:?}").contains("hunter"));
    }
}
