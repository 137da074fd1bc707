//! The home folder: made private, locked by one process at a time, and holding the keys that everything else is sealed with.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use model::sealing::MasterKey;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{failure::Failure, settings::HomeSettings};

/// Free space below which nothing is started.
const LEAST_FREE_BYTES: u64 = 512 * 1024 * 1024;

/// The home folder of one cloud.
#[derive(Clone, Debug)]
pub(crate) struct Home(PathBuf);

/// Held while a process owns the home; the kernel releases it however the process ends.
pub(crate) struct HomeLock(#[expect(dead_code, reason = "held for its lock")] File);

impl Home {
    /// The folder of the settings, or `~/.hearth`.
    pub(crate) fn locate(settings: &HomeSettings) -> Result<Self, Failure> {
        let path = match &settings.home {
            Some(path) => {
                std::path::absolute(path).map_err(|cause| Failure::io("find the home folder", path, cause))?
            }
            None => std::env::home_dir()
                .ok_or_else(|| Failure::new("The home folder is not known: set HEARTH_HOME."))?
                .join(".hearth"),
        };
        Ok(Self(path))
    }

    /// Makes the folder if it is not there, and refuses one that belongs to somebody else or has no room.
    pub(crate) fn prepare(&self) -> Result<(), Failure> {
        let path = &self.0;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|cause| Failure::io("make the home folder", path, cause))?;
        let metadata = fs::metadata(path).map_err(|cause| Failure::io("look at the home folder", path, cause))?;
        let me = nix::unistd::geteuid();
        if metadata.uid() != me.as_raw() {
            return Err(Failure::new(format!(
                "The home folder {} belongs to uid {}, and this process runs as uid {me}: run as its owner or choose another with --home.",
                path.display(),
                metadata.uid(),
            )));
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))
            .map_err(|cause| Failure::io("make private the home folder", path, cause))?;
        self.check_space()
    }

    fn check_space(&self) -> Result<(), Failure> {
        let space = nix::sys::statvfs::statvfs(&self.0)
            .map_err(|cause| Failure::io("measure the free space of", &self.0, cause.into()))?;
        let free = space.blocks_available().saturating_mul(space.fragment_size());
        if free < LEAST_FREE_BYTES {
            return Err(Failure::new(format!(
                "The disk of {} is full: {} MiB are free and at least {} are needed.",
                self.0.display(),
                free >> 20,
                LEAST_FREE_BYTES >> 20,
            )));
        }
        Ok(())
    }

    /// Takes the home for this process.
    pub(crate) fn lock(&self) -> Result<HomeLock, Failure> {
        let path = self.0.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|cause| Failure::io("open", &path, cause))?;
        match file.try_lock() {
            Ok(()) => Ok(HomeLock(file)),
            Err(fs::TryLockError::WouldBlock) => {
                Err(Failure::new(format!("Another hearth is running with the home folder {}.", self.0.display())))
            }
            Err(fs::TryLockError::Error(cause)) => Err(Failure::io("lock", &path, cause)),
        }
    }

    /// The master key, made on first use.
    pub(crate) fn master_key(&self) -> Result<MasterKey, Failure> {
        let current = self.secret("master.key", MasterKey::generate)?;
        let previous_path = self.0.join("master.previous.key");
        let previous = match fs::read_to_string(&previous_path) {
            Ok(text) => Some(SecretString::from(text)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
            Err(cause) => return Err(Failure::io("read", &previous_path, cause)),
        };
        MasterKey::new(&current, previous.as_ref())
            .map_err(|cause| Failure::caused(format!("{} is not usable.", self.0.join("master.key").display()), cause))
    }

    /// The token that the roles of this cloud know each other by, made on first use.
    pub(crate) fn internal_token(&self) -> Result<SecretString, Failure> {
        self.secret("internal.token", MasterKey::generate)
    }

    fn secret(&self, name: &str, generate: impl FnOnce() -> SecretString) -> Result<SecretString, Failure> {
        let path = self.0.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(SecretString::from(text.trim().to_owned())),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                let secret = generate();
                write_private(&path, secret.expose_secret().as_bytes())
                    .map_err(|cause| Failure::io("write", &path, cause))?;
                Ok(secret)
            }
            Err(cause) => Err(Failure::io("read", &path, cause)),
        }
    }

    /// A path inside the home.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

/// Replaces a file as a whole, readable by its owner only; a crash leaves the old or the new content.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&draft, path)
}
