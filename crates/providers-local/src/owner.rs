//! Who owns a project's files and runs its processes: its own uid when the operator is root, the operator otherwise.

use std::{
    fs, io,
    os::unix::fs::{self as unix_fs, PermissionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// A uid with the gid of the same number, used by one project only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Owner {
    /// The owner with this number.
    #[must_use]
    pub const fn numbered(number: u32) -> Self {
        Self { uid: number, gid: number }
    }
}

/// Whether this process may change owners, mount and set limits.
#[must_use]
pub fn operator_is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes a folder (and its parents) that only its owner enters; `None` is the operator.
pub(crate) fn private_folder(path: &Path, owner: Option<Owner>) -> io::Result<()> {
    folder(path, 0o700, owner)
}

/// Makes a folder (and its parents) with these permissions.
pub(crate) fn folder(path: &Path, mode: u32, owner: Option<Owner>) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    if let Some(owner) = owner {
        unix_fs::chown(path, Some(owner.uid), Some(owner.gid))?;
    }
    Ok(())
}

/// Gives a folder and all in it to another owner; links themselves, not what they lead to.
pub(crate) fn hand_over(path: &Path, owner: Owner) -> io::Result<()> {
    for entry in walk(path)? {
        unix_fs::lchown(entry, Some(owner.uid), Some(owner.gid))?;
    }
    Ok(())
}

fn walk(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![path.to_owned()];
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { found.extend(walk(&entry.path())?) } else { found.push(entry.path()) }
    }
    Ok(found)
}

/// Writes a file whole or not at all, durably, readable by its owner only.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], owner: Option<Owner>) -> io::Result<()> {
    let parent = path.parent().ok_or_else(|| io::Error::other("a file without a folder"))?;
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    io::Write::write_all(file.as_file_mut(), bytes)?;
    if let Some(owner) = owner {
        unix_fs::fchown(file.as_file(), Some(owner.uid), Some(owner.gid))?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|unsaved| unsaved.error)?;
    fs::File::open(parent)?.sync_all()
}
