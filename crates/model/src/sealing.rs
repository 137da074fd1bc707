//! Secrets at rest: AES-256-GCM under a key per project, itself wrapped by a master key with two slots, so that the master key can be
//! changed without touching every row at once.

use std::fmt;

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rand::{RngCore as _, TryRngCore as _, rngs::OsRng};
use secrecy::{ExposeSecret as _, SecretString};

const NONCE_BYTES: usize = 12;
const KEY_BYTES: usize = 32;

/// A sealed value could not be opened, or a key is not a key. Says nothing about the content.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    /// Not 32 bytes of base64.
    #[error("a master key is 32 bytes in base64")]
    InvalidKey,
    /// Wrong key, wrong context, or damaged.
    #[error("a sealed value could not be opened with any master key slot")]
    CannotOpen,
}

/// 32 bytes of key material; never printed.
#[derive(Clone)]
struct Key([u8; KEY_BYTES]);

impl Key {
    fn random() -> Self {
        let mut bytes = [0; KEY_BYTES];
        OsRng.unwrap_mut().fill_bytes(&mut bytes);
        Self(bytes)
    }

    fn seal(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        OsRng.unwrap_mut().fill_bytes(&mut nonce);
        let sealed = Aes256Gcm::new(&self.0.into())
            .encrypt(Nonce::from_slice(&nonce), Payload { msg: plain, aad: context })
            .expect("AES-GCM fails only beyond 64 GiB");
        [nonce.as_slice(), &sealed].concat()
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_BYTES)?;
        Aes256Gcm::new(&self.0.into()).decrypt(Nonce::from_slice(nonce), Payload { msg: body, aad: context }).ok()
    }
}

/// A project's own key, wrapped by the master key; safe to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey(pub Vec<u8>);

/// A project's own key, ready to seal and open that project's secrets.
#[derive(Clone)]
pub struct ProjectKey(Key);

impl ProjectKey {
    /// Seals `secret`. `context` names what it is (for example `project/<id>/jwt_secret`) and must be given again to open it.
    #[must_use]
    pub fn seal(&self, context: &str, secret: &SecretString) -> Vec<u8> {
        self.0.seal(context.as_bytes(), secret.expose_secret().as_bytes())
    }

    /// Opens what [`Self::seal`] made.
    ///
    /// # Errors
    /// [`SealingError::CannotOpen`] for another key or context, or damage.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<SecretString, SealingError> {
        let plain = self.0.open(context.as_bytes(), sealed).ok_or(SealingError::CannotOpen)?;
        String::from_utf8(plain).map(SecretString::from).map_err(|_| SealingError::CannotOpen)
    }
}

impl fmt::Debug for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProjectKey(…)")
    }
}

/// The master key: the current slot wraps, both slots unwrap.
#[derive(Clone)]
pub struct MasterKey {
    current: Key,
    previous: Option<Key>,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

fn parse(text: &SecretString) -> Result<Key, SealingError> {
    let bytes = STANDARD.decode(text.expose_secret().trim()).map_err(|_| SealingError::InvalidKey)?;
    bytes.try_into().map(Key).map_err(|_| SealingError::InvalidKey)
}

impl MasterKey {
    /// Text for a new master key, base64.
    #[must_use]
    pub fn generate() -> SecretString {
        SecretString::from(STANDARD.encode(Key::random().0))
    }

    /// Reads the two slots.
    ///
    /// # Errors
    /// [`SealingError::InvalidKey`] when one is not 32 bytes of base64.
    pub fn new(current: &SecretString, previous: Option<&SecretString>) -> Result<Self, SealingError> {
        Ok(Self { current: parse(current)?, previous: previous.map(parse).transpose()? })
    }

    /// Makes a project key and its wrapped form. `context` is the project id.
    #[must_use]
    pub fn new_project_key(&self, context: &str) -> (ProjectKey, WrappedKey) {
        let key = Key::random();
        let wrapped = self.current.seal(context.as_bytes(), &key.0);
        (ProjectKey(key), WrappedKey(wrapped))
    }

    /// Unwraps a project key with whichever slot fits.
    ///
    /// # Errors
    /// [`SealingError::CannotOpen`] when neither does.
    pub fn unwrap(&self, context: &str, wrapped: &WrappedKey) -> Result<ProjectKey, SealingError> {
        let slots = [Some(&self.current), self.previous.as_ref()];
        let plain = slots.into_iter().flatten().find_map(|slot| slot.open(context.as_bytes(), &wrapped.0));
        let bytes = plain.ok_or(SealingError::CannotOpen)?.try_into().map_err(|_| SealingError::CannotOpen)?;
        Ok(ProjectKey(Key(bytes)))
    }

    /// Whether there is a previous key, with which something may still be sealed.
    #[must_use]
    pub const fn rotating(&self) -> bool {
        self.previous.is_some()
    }

    /// What the previous key sealed or wrapped, under the present one; none when it is under that already.
    ///
    /// # Errors
    /// [`SealingError::CannotOpen`] when neither slot fits.
    pub fn reseal(&self, context: &str, sealed: &[u8]) -> Result<Option<Vec<u8>>, SealingError> {
        if self.current.open(context.as_bytes(), sealed).is_some() {
            return Ok(None);
        }
        let plain = self.open(context, sealed)?;
        Ok(Some(self.seal(context, &plain)))
    }

    /// Seals a value that belongs to no project (a node's own files).
    #[must_use]
    pub fn seal(&self, context: &str, plain: &[u8]) -> Vec<u8> {
        self.current.seal(context.as_bytes(), plain)
    }

    /// Opens what [`Self::seal`] made.
    ///
    /// # Errors
    /// [`SealingError::CannotOpen`] when neither slot fits.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, SealingError> {
        let slots = [Some(&self.current), self.previous.as_ref()];
        slots
            .into_iter()
            .flatten()
            .find_map(|slot| slot.open(context.as_bytes(), sealed))
            .ok_or(SealingError::CannotOpen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_key_survives_rotation_of_the_master_key_and_binds_its_context() {
        let (first, second) = (MasterKey::generate(), MasterKey::generate());
        let old = MasterKey::new(&first, None).expect("own output");
        let (key, wrapped) = old.new_project_key("p1");
        let sealed = key.seal("p1/jwt", &SecretString::from("s3cret"));

        let rotated = MasterKey::new(&second, Some(&first)).expect("own output");
        let reopened = rotated.unwrap("p1", &wrapped).expect("previous slot fits");
        assert_eq!(reopened.open("p1/jwt", &sealed).expect("same key").expose_secret(), "s3cret");
        assert!(reopened.open("p1/other", &sealed).is_err());
        assert!(rotated.unwrap("p2", &wrapped).is_err());
        let rewrapped =
            WrappedKey(rotated.reseal("p1", &wrapped.0).expect("opens").expect("it was the previous key's"));
        assert!(rotated.reseal("p1", &rewrapped.0).expect("opens").is_none());
        let after = MasterKey::new(&second, None).expect("own output");
        let reopened = after.unwrap("p1", &rewrapped).expect("the present slot fits");
        assert_eq!(reopened.open("p1/jwt", &sealed).expect("same key").expose_secret(), "s3cret");
        assert!(MasterKey::new(&second, None).expect("own output").unwrap("p1", &wrapped).is_err());
    }
}
