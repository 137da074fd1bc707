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
