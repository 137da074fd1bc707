//! Hashing and checking passwords on blocking threads, a few at once so that a burst of sign-ins cannot take all memory and CPU.

use std::sync::Arc;

use argon2::{
    Argon2, PasswordHasher as _, PasswordVerifier as _,
    password_hash::{PasswordHash, SaltString, rand_core::OsRng},
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use crate::http::{Error, Result};

const AT_ONCE: usize = 2;

/// bcrypt's cost for codes.
const CODE_COST: u32 = 10;

/// Hashes and checks.
pub struct Passwords(Arc<Semaphore>);

/// What checking a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not the password.
    Wrong,
    /// The password.
    Right,
    /// The password, stored in a form that should be replaced.
    RightButOutdated,
}

impl Default for Passwords {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Passwords {
    /// An Argon2id hash.
    ///
    /// # Errors
    /// The process is shutting down.
    pub async fn hash(&self, password: SecretString) -> Result<String> {
        self.work(move || {
            let salt = SaltString::generate(&mut OsRng);
            Argon2::default()
                .hash_password(password.expose_secret().as_bytes(), &salt)
                .expect("default parameters accept every password below 4 GiB")
                .to_string()
        })
        .await
    }

    /// Checks against a stored hash, Argon2 or bcrypt. Without one it spends the same time and says no, so that response times
    /// tell nothing about which accounts exist.
    ///
    /// # Errors
    /// The process is shutting down.
    pub async fn check(&self, password: SecretString, stored: Option<String>) -> Result<Verdict> {
        self.work(move || match stored {
            Some(stored) => verdict(&password, &stored),
            None => {
                let salt = SaltString::generate(&mut OsRng);
                let _same_work = Argon2::default().hash_password(password.expose_secret().as_bytes(), &salt);
                Verdict::Wrong
            }
        })
        .await
    }

    /// A hash of a short-lived code. Codes have so few values that no hash hides them for long; bcrypt is what the table holds.
    ///
    /// # Errors
    /// The process is shutting down.
    pub async fn hash_code(&self, code: SecretString) -> Result<String> {
        self.work(move || bcrypt::hash(code.expose_secret(), CODE_COST).expect("the cost is within bcrypt's bounds"))
            .await
    }

    /// Checks a code against its hash; without one it spends the same time and says no.
    ///
    /// # Errors
    /// The process is shutting down.
    pub async fn check_code(&self, code: SecretString, stored: Option<String>) -> Result<Verdict> {
        self.work(move || match stored {
            Some(stored) => verdict(&code, &stored),
            None => {
                let _same_work = bcrypt::hash(code.expose_secret(), CODE_COST);
                Verdict::Wrong
            }
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let permit = Arc::clone(&self.0).acquire_owned().await.expect("the semaphore is never closed");
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            job()
        })
        .await
        .map_err(|error| Error::internal("work on a password", &error))
    }
}

fn verdict(password: &SecretString, stored: &str) -> Verdict {
    if stored.starts_with("$2") {
        // The older form reads only the first 72 bytes.
        let bytes = password.expose_secret().as_bytes();
        let read = &bytes[..bytes.len().min(72)];
        return match bcrypt::verify(read, stored) {
            Ok(true) => Verdict::RightButOutdated,
            _ => Verdict::Wrong,
        };
    }
    match PasswordHash::new(stored) {
        Ok(hash) if Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok() => {
            Verdict::Right
        }
        _ => Verdict::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_forms_are_checked() {
        let passwords = Passwords::default();
        let right = || SecretString::from("correct horse");
        let argon = passwords.hash(right()).await.expect("hash");
        assert!(argon.starts_with("$argon2id$"));
        let old = bcrypt::hash("correct horse", 4).expect("bcrypt");
        let check = async |stored: &str, password: &str| {
            passwords.check(SecretString::from(password), Some(stored.to_owned())).await.expect("check")
        };
        assert_eq!(check(&argon, "correct horse").await, Verdict::Right);
        assert_eq!(check(&old, "correct horse").await, Verdict::RightButOutdated);
        assert_eq!(check(&argon, "wrong").await, Verdict::Wrong);
        assert_eq!(check(&old, "wrong").await, Verdict::Wrong);
        assert_eq!(check("garbage", "wrong").await, Verdict::Wrong);
        assert_eq!(passwords.check(right(), None).await.expect("check"), Verdict::Wrong);
    }
}
