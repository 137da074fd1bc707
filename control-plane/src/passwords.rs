//! Passwords: Argon2id, off the async threads and only a few at a time, because each attempt costs memory and a core on purpose.

use std::sync::{Arc, OnceLock};

use argon2::{
    Argon2,
    password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString, rand_core::OsRng},
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

const CONCURRENT: usize = 4;

/// Hashes and verifies passwords.
#[derive(Clone)]
pub(crate) struct Passwords(Arc<Semaphore>);

impl Passwords {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(CONCURRENT)))
    }

    /// Whether the password belongs to the hash. Takes as long when there is no hash, so that time does not tell who has an account.
    pub(crate) async fn verify(&self, password: SecretString, hash: Option<String>) -> bool {
        let permit = Arc::clone(&self.0).acquire_owned().await.expect("the semaphore is never closed");
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let known = hash.is_some();
            let text = hash.unwrap_or_else(|| nobodys().to_owned());
            let matches = PasswordHash::new(&text).is_ok_and(|hash| {
                Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
            });
            known && matches
        });
        work.await.expect("hashing does not panic")
    }
}

/// Hashes a password. Slow; call it off the async threads.
pub(crate) fn hash(password: &SecretString) -> String {
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default().hash_password(password.expose_secret().as_bytes(), &salt);
    hash.expect("the default parameters and a fresh salt are valid").to_string()
}

/// A hash that no account has.
fn nobodys() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| hash(&SecretString::from("nobody")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account_is_accepted() {
        let passwords = Passwords::new();
        let stored = hash(&SecretString::from("correct horse"));
        assert!(stored.starts_with("$argon2id$"));
        assert!(passwords.verify(SecretString::from("correct horse"), Some(stored.clone())).await);
        assert!(!passwords.verify(SecretString::from("wrong horse"), Some(stored)).await);
        assert!(!passwords.verify(SecretString::from("nobody"), None).await);
    }
}
