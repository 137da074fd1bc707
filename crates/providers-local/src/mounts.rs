//! Places that unprivileged users can reach: folders of the home, which may lie under `/root`, appear under `/run/hearth/<hash of home>`.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use providers::{Error, Result};
use rustix::mount::{UnmountFlags, mount_bind, unmount};
use sha2::{Digest as _, Sha256};

use crate::{
    failure::Doing as _,
    owner::{folder, operator_is_root},
};

/// A Unix socket's path holds 107 bytes; a project adds `/projects/<uuid>/run/.s.PGSQL.5432`.
const LONGEST_BASE: usize = 107 - 66;
const UNMOUNT_ATTEMPTS: u32 = 100;

/// A short name for a home folder, for places shared by all homes.
pub(crate) fn home_hash(home: &Path) -> String {
    hex::encode(&Sha256::digest(home.as_os_str().as_encoded_bytes())[..6])
}

/// A number for a home folder that differs between homes.
pub(crate) fn home_number(home: &Path) -> u32 {
    let digest = Sha256::digest(home.as_os_str().as_encoded_bytes());
    u32::from_be_bytes([digest[6], digest[7], digest[8], digest[9]])
}

/// Where this home's folders appear to projects' users.
pub(crate) fn exposure_root(home: &Path) -> PathBuf {
    Path::new("/run/hearth").join(home_hash(home))
}

/// Makes the folder `name` of the home reachable and short enough for sockets, and says where.
pub(crate) fn expose(home: &Path, name: &str) -> Result<PathBuf> {
    let source = home.join(name);
    folder(&source, 0o711, None).doing(|| format!("making {}", source.display()))?;
    if !operator_is_root() {
        return shorten(home, name, &source);
    }
    let target = prepare_target(home, name)?;
    if mounted(&target)?.is_some() {
        if same_folder(&source, &target).doing(|| format!("reading {}", target.display()))? {
            return Ok(target);
        }
        withdraw(&target)?;
    }
    match mount_bind(&source, &target) {
        Ok(()) => Ok(target),
        // Containers often forbid mounting; then the home itself must be open to traversal.
        Err(_) if reachable(&source) => shorten(home, name, &source),
        Err(_) => Err(Error::Refused(format!(
            "projects run as users of their own, who cannot reach {}, and mounting is not permitted here; choose a home below a folder that everyone may traverse, such as /var/lib/hearth",
            home.display()
        ))),
    }
}

/// The mount point for `name`, made with its parents.
pub(crate) fn prepare_target(home: &Path, name: &str) -> Result<PathBuf> {
    let root = exposure_root(home);
    let target = root.join(name);
    let made =
        folder(&root, 0o711, None).and_then(|()| if target.is_dir() { Ok(()) } else { folder(&target, 0o711, None) });
    made.and_then(|()| fs::set_permissions("/run/hearth", fs::Permissions::from_mode(0o711)))
        .doing(|| format!("making {}", target.display()))?;
    Ok(target)
}

/// Unmounts what [`expose`] or the pool mounted and removes the mount point; nothing there is fine.
pub(crate) fn withdraw(target: &Path) -> Result<()> {
    let doing = || format!("unmounting {}", target.display());
    let mut attempts = 0;
    while mounted(target)?.is_some() {
        match unmount(target, UnmountFlags::empty()) {
            Ok(()) => {}
            Err(rustix::io::Errno::BUSY) if attempts < UNMOUNT_ATTEMPTS => {
                attempts += 1;
                thread::sleep(Duration::from_millis(20));
            }
            // Someone looks into it, an operator's shell perhaps; it goes when they leave, and mounting it again meanwhile is safe.
            Err(rustix::io::Errno::BUSY) => {
                tracing::warn!(place = %target.display(), "still in use by another program; unmounted as soon as that ends");
                unmount(target, UnmountFlags::DETACH).map_err(std::io::Error::from).doing(doing)?;
            }
            Err(cause) => return Err(Error::transient(doing(), cause)),
        }
    }
    if target.starts_with("/run/hearth") {
        // Fails, rightly, while something else of this home is still exposed.
        drop(fs::remove_dir(target));
        drop(target.parent().map(fs::remove_dir));
    }
    Ok(())
}

/// One line of the kernel's mount table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) kind: String,
    pub(crate) source: String,
}

/// The mount at exactly this path, the topmost if there are several.
pub(crate) fn mounted(target: &Path) -> Result<Option<Mount>> {
    let table = fs::read_to_string("/proc/self/mountinfo").doing(|| "reading the mount table")?;
    Ok(table.lines().rev().filter_map(parse_mount).find(|(path, _)| path == target).map(|(_, mount)| mount))
}

fn parse_mount(line: &str) -> Option<(PathBuf, Mount)> {
    let (place, device) = line.split_once(" - ")?;
    let mut device = device.split(' ');
    let mount = Mount { kind: device.next()?.to_owned(), source: device.next()?.to_owned() };
    Some((PathBuf::from(place.split(' ').nth(4)?), mount))
}

/// The file behind a loop device.
pub(crate) fn loop_file(device: &str) -> Option<PathBuf> {
    let name = Path::new(device).file_name()?.to_str()?;
    let text = fs::read_to_string(format!("/sys/block/{name}/loop/backing_file")).ok()?;
    Some(PathBuf::from(text.trim_end_matches('\n')))
}

/// Runs a system program to its end.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let doing = || format!("running {program}");
    let output =
        Command::new(program).args(arguments).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().doing(doing)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::transient(doing(), String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

fn same_folder(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (fs::metadata(one)?, fs::metadata(other)?);
    Ok(one.dev() == other.dev() && one.ino() == other.ino())
}

fn reachable(path: &Path) -> bool {
    path.ancestors().all(|folder| fs::metadata(folder).is_ok_and(|it| it.mode() & 0o001 != 0))
}

/// A home with a long path gets a short link to it, since sockets must fit.
fn shorten(home: &Path, name: &str, source: &Path) -> Result<PathBuf> {
    if source.as_os_str().len() <= LONGEST_BASE {
        return Ok(source.to_owned());
    }
    let uid = rustix::process::geteuid().as_raw();
    let link = PathBuf::from(format!("/tmp/hearth-{uid}-{}-{name}", home_hash(home)));
    match symlink(source, &link) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.doing(|| format!("making {}", link.display()))?,
    }
    let there = fs::symlink_metadata(&link).doing(|| format!("reading {}", link.display()))?;
    if there.uid() == uid && fs::read_link(&link).is_ok_and(|target| target == *source) {
        return Ok(link);
    }
    Err(Error::Refused(format!("{} is in the way; remove it or choose a home with a shorter path", link.display())))
}

/// Removes what [`expose`] made for an operator who is not root.
pub(crate) fn unlink(exposed: &Path) -> io::Result<()> {
    if fs::symlink_metadata(exposed).is_ok_and(|it| it.is_symlink()) { fs::remove_file(exposed) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_lines_are_read() {
        let line = "36 25 7:0 / /run/hearth/ab/data rw,noatime shared:1 - xfs /dev/loop0 rw,attr2";
        let (path, mount) = parse_mount(line).expect("a mount line");
        assert_eq!(path, Path::new("/run/hearth/ab/data"));
        assert_eq!(mount, Mount { kind: "xfs".to_owned(), source: "/dev/loop0".to_owned() });
    }
}
