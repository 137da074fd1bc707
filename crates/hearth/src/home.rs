//! The home folder: made private, locked by one process of each role at a time, and holding the keys that everything else is sealed with.

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

/// What a process does for a cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Everything.
    Whole,
    /// The API.
    ControlPlane,
    /// Durable operations and the supervision of projects.
    Worker,
    /// The public edge.
    Gateway,
}

impl Role {
    /// Whether this process is, or contains, `part`.
    pub(crate) fn includes(self, part: Self) -> bool {
        self == Self::Whole || self == part
    }

    const fn name(self) -> Option<&'static str> {
        match self {
            Self::Whole => None,
            Self::ControlPlane => Some("control-plane"),
            Self::Worker => Some("worker"),
            Self::Gateway => Some("gateway"),
        }
    }
}

/// Held while a process owns its part of the home; the kernel releases it however the process ends.
pub(crate) struct HomeLock {
    _whole: File,
    _own: Option<File>,
}

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

    /// Takes the home for this process: all of it for a whole cloud, else what one role needs. Two of the same never share a home.
    pub(crate) fn lock(&self, role: Role) -> Result<HomeLock, Failure> {
        let whole = self.lock_file("lock", role == Role::Whole)?;
        let own = match role.name() {
            None => None,
            Some(name) => Some(self.lock_file(&format!("{name}.lock"), true)?),
        };
        Ok(HomeLock { _whole: whole, _own: own })
    }

    fn lock_file(&self, name: &str, exclusive: bool) -> Result<File, Failure> {
        let path = self.0.join(name);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|cause| Failure::io("open", &path, cause))?;
        match if exclusive { file.try_lock() } else { file.try_lock_shared() } {
            Ok(()) => Ok(file),
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
        if !path.exists() {
            // Roles that start at the same moment must agree: the first to link its file has made the secret.
            let draft = self.0.join(format!("{name}.{}", std::process::id()));
            write_private(&draft, generate().expose_secret().as_bytes())
                .map_err(|cause| Failure::io("write", &draft, cause))?;
            let linked = fs::hard_link(&draft, &path);
            fs::remove_file(&draft).map_err(|cause| Failure::io("remove", &draft, cause))?;
            if let Err(cause) = linked
                && cause.kind() != io::ErrorKind::AlreadyExists
            {
                return Err(Failure::io("write", &path, cause));
            }
        }
        let text = fs::read_to_string(&path).map_err(|cause| Failure::io("read", &path, cause))?;
        Ok(SecretString::from(text.trim().to_owned()))
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
