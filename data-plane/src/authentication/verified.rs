//! Tokens whose signature was checked before: a client sends its token with every request, and checking an RSA signature costs as much
//! as reading a row.

use std::{collections::HashMap, sync::Mutex};

use sha2::{Digest as _, Sha256};

use super::AccessClaims;

/// Tokens remembered; when there are more, all are forgotten and checked again.
const MOST: usize = 1024;

/// By the hash of the token, so that none is kept.
#[derive(Debug, Default)]
pub(super) struct VerifiedTokens(Mutex<HashMap<[u8; 32], AccessClaims>>);

impl VerifiedTokens {
    /// What a token says that was checked before and has not expired.
    pub(super) fn get(&self, token: &str) -> Option<AccessClaims> {
        let now = i64::try_from(jsonwebtoken::get_current_timestamp()).unwrap_or(i64::MAX);
        let known = self.0.lock().expect("no holder of this lock panics");
        known.get(&hash(token)).filter(|claims| claims.expires_at.is_none_or(|expires_at| expires_at > now)).cloned()
    }

    /// Remembers a token that was just checked.
    pub(super) fn keep(&self, token: &str, claims: &AccessClaims) {
        let mut known = self.0.lock().expect("no holder of this lock panics");
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(hash(token), claims.clone());
    }

    /// Forgets all, because the keys have changed.
    pub(super) fn forget(&self) {
        self.0.lock().expect("no holder of this lock panics").clear();
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authentication::Role;

    fn claims(expires_at: Option<i64>) -> AccessClaims {
        AccessClaims { sub: "u1".to_owned(), email: None, role: Role::Authenticated, issued_at: None, expires_at }
    }

    #[test]
    fn what_expired_or_was_forgotten_is_checked_again() {
        let tokens = VerifiedTokens::default();
        tokens.keep("endless", &claims(None));
        tokens.keep("late", &claims(Some(4_000_000_000)));
        tokens.keep("expired", &claims(Some(1_000_000_000)));
        assert_eq!(tokens.get("endless"), Some(claims(None)));
        assert_eq!(tokens.get("late"), Some(claims(Some(4_000_000_000))));
        assert_eq!((tokens.get("expired"), tokens.get("another")), (None, None));
        tokens.forget();
        assert_eq!(tokens.get("late"), None);
    }

    #[test]
    fn memory_is_bounded() {
        let tokens = VerifiedTokens::default();
        for number in 0..MOST * 2 + 1 {
            tokens.keep(&number.to_string(), &claims(None));
        }
        assert!(tokens.0.lock().expect("no panic").len() <= MOST);
    }
}
