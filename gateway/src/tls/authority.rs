//! The local certificate authority: made once, kept in its folder, and able to sign for this gateway's hosts.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Datelike as _, Duration, Utc};
use clock::{Clock as _, SystemClock};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::{crypto::CryptoProvider, pki_types::PrivatePkcs8KeyDer, sign::CertifiedKey};

use crate::error::Error;

const CERTIFICATE_FILE: &str = "ca.pem";
const LOCK_FILE: &str = "lock";
const KEY_FILE: &str = "ca.key";
const AUTHORITY_YEARS: i64 = 20;
const LEAF_DAYS: i64 = 90;

/// A certificate authority with its key.
pub(super) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Opens the authority in `folder`, or makes one there.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::folder(folder))?;
        fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(Error::folder(folder))?;
        // A control plane that starts at the same time needs the same one.
        let lock = folder.join(LOCK_FILE);
        let lock = File::create(&lock).and_then(|file| file.lock().map(|()| file)).map_err(Error::folder(&lock))?;
        let authority = Self::open_locked(folder);
        drop(lock);
        authority
    }

    fn open_locked(folder: &Path) -> Result<Self, Error> {
        let certificate_path = folder.join(CERTIFICATE_FILE);
        let key_path = folder.join(KEY_FILE);
        match (read(&certificate_path)?, read(&key_path)?) {
            (Some(pem), Some(key)) => Self::from_pem(pem, &key, key_path),
            // The certificate is written last: without it the key has signed nothing.
            (None, _) => Self::create(&certificate_path, &key_path),
            (Some(_), None) => Err(Error::Certificate { path: key_path, reason: "the key is missing".to_owned() }),
        }
    }

    /// The authority's certificate.
    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// Signs a new key for `names`, valid from yesterday.
    pub(super) fn sign(&self, names: &[String], provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::Sign)?;
        let mut params = CertificateParams::new(names).map_err(Error::Sign)?;
        params.distinguished_name = named("Hearth gateway");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, Duration::days(LEAF_DAYS));
        let certificate = params.signed_by(&key, &self.issuer).map_err(Error::Sign)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        CertifiedKey::from_der(vec![certificate.der().clone()], key.into(), provider).map_err(Error::Tls)
    }

    fn from_pem(pem: String, key: &str, key_path: PathBuf) -> Result<Self, Error> {
        let key =
            KeyPair::from_pem(key).map_err(|error| Error::Certificate { path: key_path, reason: error.to_string() })?;
        Ok(Self { pem, issuer: Issuer::new(authority_params(), key) })
    }

    fn create(certificate_path: &Path, key_path: &Path) -> Result<Self, Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::Sign)?;
        let params = authority_params();
        let pem = params.self_signed(&key).map_err(Error::Sign)?.pem();
        write(key_path, &key.serialize_pem(), 0o600).map_err(Error::folder(key_path))?;
        write(certificate_path, &pem, 0o644).map_err(Error::folder(certificate_path))?;
        tracing::info!(path = %certificate_path.display(), "a local certificate authority was made");
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }
}

/// The certificate (PEM) of the local authority in `folder`, which is made if there is none yet.
///
/// # Errors
/// The folder cannot be used.
pub fn local_authority(folder: &Path) -> Result<String, Error> {
    Authority::open(folder).map(|authority| authority.pem)
}

/// The same at every start, validity aside: a leaf names its issuer by these and by the key.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("Hearth local certificate authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, Duration::days(365 * AUTHORITY_YEARS));
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// Valid from yesterday, for clocks that lag, and for `lasting` from now.
fn set_validity(params: &mut CertificateParams, lasting: Duration) {
    let day = |at: DateTime<Utc>| {
        let month = u8::try_from(at.month()).expect("a month fits");
        let day = u8::try_from(at.day()).expect("a day fits");
        rcgen::date_time_ymd(at.year(), month, day)
    };
    let now = SystemClock.now();
    params.not_before = day(now - Duration::days(1));
    params.not_after = day(now + lasting);
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Folder { path: path.to_owned(), source }),
    }
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(mode).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
