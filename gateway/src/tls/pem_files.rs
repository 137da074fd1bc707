//! The operator's own certificate and key.

use std::{fs, path::Path, time::SystemTime};

use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

use crate::error::Error;

/// Reads both files and checks that they belong together.
pub(super) fn read(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
    let unusable = |path: &Path, reason: String| Error::Certificate { path: path.to_owned(), reason };
    let certificate_pem = fs::read(certificate).map_err(Error::folder(certificate))?;
    let key_pem = fs::read(key).map_err(Error::folder(key))?;
    let chain = CertificateDer::pem_slice_iter(&certificate_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(unusable(certificate, "it holds no certificate".to_owned()));
    }
    let key_der = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|error| unusable(key, error.to_string()))?;
    CertifiedKey::from_der(chain, key_der, provider).map_err(|error| unusable(certificate, error.to_string()))
}

/// When a file was last written.
pub(super) fn written_at(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
