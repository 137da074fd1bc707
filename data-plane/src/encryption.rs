//! Stored secrets: AES-256-GCM under SHA-256 of the configured key, written `hex(iv16):hex(tag16):hex(ciphertext)`.
//!
//! The format is shared with other programs that read the same database, so it has no version and no associated data.

use aes_gcm::{
    AeadInPlace as _, AesGcm, KeyInit as _,
    aead::{consts::U16, generic_array::GenericArray},
    aes::Aes256,
};
use rand::RngCore as _;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

type Aes256Gcm16 = AesGcm<Aes256, U16>;

/// Encrypts and decrypts.
pub struct Cipher(Aes256Gcm16);

/// A text that is not a ciphertext of ours, or was made with another key.
#[derive(Debug, thiserror::Error)]
#[error("a stored secret cannot be decrypted")]
pub struct Undecipherable;

impl Cipher {
    /// The cipher of a configured secret.
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        let key = Sha256::digest(secret.expose_secret().as_bytes());
        Self(Aes256Gcm16::new(&key))
    }

    /// Encrypts with a fresh nonce.
    #[must_use]
    pub fn encrypt(&self, plain: &str) -> String {
        let mut nonce = [0_u8; 16];
        rand::rng().fill_bytes(&mut nonce);
        let mut buffer = plain.as_bytes().to_vec();
        let tag = self
            .0
            .encrypt_in_place_detached(GenericArray::from_slice(&nonce), b"", &mut buffer)
            .expect("a secret is far below the size limit of GCM");
        format!("{}:{}:{}", hex::encode(nonce), hex::encode(tag), hex::encode(buffer))
    }

    /// Decrypts what [`Cipher::encrypt`] wrote.
    ///
    /// # Errors
    /// Another key, or not a ciphertext.
    pub fn decrypt(&self, stored: &str) -> Result<String, Undecipherable> {
        let mut parts = stored.splitn(3, ':').map(hex::decode);
        let (Some(Ok(nonce)), Some(Ok(tag)), Some(Ok(mut buffer))) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Undecipherable);
        };
        if nonce.len() != 16 || tag.len() != 16 {
            return Err(Undecipherable);
        }
        self.0
            .decrypt_in_place_detached(
                GenericArray::from_slice(&nonce),
                b"",
                &mut buffer,
                GenericArray::from_slice(&tag),
            )
            .map_err(|_| Undecipherable)?;
        String::from_utf8(buffer).map_err(|_| Undecipherable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusal() {
        let cipher = Cipher::new(&SecretString::from("key"));
        for plain in ["", "ik_1", "ünïcode €"] {
            let stored = cipher.encrypt(plain);
            assert_eq!(stored.split(':').map(str::len).take(2).collect::<Vec<_>>(), [32, 32]);
            assert_eq!(cipher.decrypt(&stored).expect("own output"), plain);
            assert!(Cipher::new(&SecretString::from("other")).decrypt(&stored).is_err());
        }
        for text in ["", "a:b", "00:00:00", "zz:zz:zz", "no"] {
            assert!(cipher.decrypt(text).is_err(), "{text}");
        }
    }
}
