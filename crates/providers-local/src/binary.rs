//! The data-plane program, copied to where projects' users reach it, under its own hash: an upgrade never pulls it from under a running one.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use providers::{Error, Result};
use sha2::{Digest as _, Sha256};

use crate::{failure::Doing as _, owner::folder};

/// A copy of the program.
#[derive(Clone, Debug)]
pub(crate) struct Binary {
    /// Where it is started from.
    pub(crate) path: PathBuf,
    /// First 12 hex digits of its SHA-256.
    pub(crate) hash: String,
}

impl Binary {
    /// Copies `source` into `binaries`, unless it is there, and removes other versions that nothing runs.
    pub(crate) fn install(source: &Path, binaries: &Path) -> Result<Self> {
        let mut file = File::open(source).map_err(|cause| {
            Error::Refused(format!("the data-plane program {} cannot be read: {cause}", source.display()))
        })?;
        let doing = || format!("copying {}", source.display());
        let mut hasher = Sha256::new();
        io::copy(&mut file, &mut hasher).doing(doing)?;
        let hash = hex::encode(&hasher.finalize()[..6]);
        let path = binaries.join(&hash).join("hearth-data-plane");
        folder(binaries, 0o711, None).doing(doing)?;
        if !path.exists() {
            copy(source, &path).doing(doing)?;
        }
        drop_others(binaries, &hash).doing(|| "removing old data-plane programs")?;
        Ok(Self { path, hash })
    }
}

fn copy(source: &Path, path: &Path) -> io::Result<()> {
    let parent = path.parent().ok_or_else(|| io::Error::other("a program without a folder"))?;
    folder(parent, 0o711, None)?;
    let unfinished = tempfile::NamedTempFile::new_in(parent)?.into_temp_path();
    fs::copy(source, &unfinished)?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755))?;
    File::open(&unfinished)?.sync_all()?;
    unfinished.persist(path).map_err(|unsaved| unsaved.error)
}

fn drop_others(binaries: &Path, hash: &str) -> io::Result<()> {
    let others: Vec<PathBuf> =
        fs::read_dir(binaries)?.flatten().map(|entry| entry.path()).filter(|path| !path.ends_with(hash)).collect();
    if others.is_empty() {
        return Ok(());
    }
    let processes = fs::read_dir("/proc")?.flatten();
    let running: Vec<PathBuf> = processes.filter_map(|entry| fs::read_link(entry.path().join("exe")).ok()).collect();
    for other in others.iter().filter(|other| !running.iter().any(|program| program.starts_with(other))) {
        fs::remove_dir_all(other)?;
    }
    Ok(())
}
