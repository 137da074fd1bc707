//! Copies folders in parallel, by reflink where the file system has it, changing owners in the same pass. Syncs nothing itself.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{self as unix_fs, DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use crate::owner::Owner;

const MOST_THREADS: usize = 8;

/// What to do with one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// Copy it, folders with all in them.
    Whole,
    /// Make the folder, leave it empty.
    Empty,
    /// Leave it out.
    Nothing,
}

/// How to copy a tree.
pub(crate) struct TreeCopy<'a> {
    /// Who shall own the copy; `None` keeps the operator.
    pub(crate) owner: Option<Owner>,
    /// Chooses by the path relative to the root.
    pub(crate) choose: &'a (dyn Fn(&Path) -> Take + Sync),
    /// A second pass over a target: files that are there and have not changed since are left alone.
    pub(crate) refresh: bool,
}

/// Copies everything.
pub(crate) fn everything(_: &Path) -> Take {
    Take::Whole
}

impl TreeCopy<'_> {
    /// Copies `from` to `to`. Files that vanish meanwhile are left out: a live source deletes as it pleases.
    pub(crate) fn run(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = Vec::new();
        self.make_folder(to)?;
        self.walk(from, to, Path::new(""), &mut files)?;
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let threads =
            thread::available_parallelism().map_or(2, usize::from).clamp(2, MOST_THREADS).min(files.len().max(1));
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.work(&files, &next, &failed))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("copying does not panic"))
        })
    }

    fn work(&self, files: &[(PathBuf, PathBuf)], next: &AtomicUsize, failed: &AtomicBool) -> io::Result<()> {
        while let Some((from, to)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            if failed.load(Ordering::Relaxed) {
                break;
            }
            if let Err(cause) = self.file(from, to) {
                failed.store(true, Ordering::Relaxed);
                return Err(cause);
            }
        }
        Ok(())
    }

    fn walk(&self, from: &Path, to: &Path, below: &Path, files: &mut Vec<(PathBuf, PathBuf)>) -> io::Result<()> {
        let entries = match fs::read_dir(from.join(below)) {
            Err(cause) if vanished(&cause) => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = below.join(entry.file_name());
            let take = (self.choose)(&path);
            let kind = match entry.file_type() {
                Err(cause) if vanished(&cause) => continue,
                kind => kind?,
            };
            if take == Take::Nothing {
                continue;
            }
            if kind.is_dir() {
                self.make_folder(&to.join(&path))?;
                if take == Take::Whole {
                    self.walk(from, to, &path, files)?;
                }
            } else if kind.is_file() {
                files.push((from.join(&path), to.join(&path)));
            } else if kind.is_symlink() {
                self.link(&from.join(&path), &to.join(&path))?;
            }
        }
        Ok(())
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.and_then(|()| self.own(path)),
        }
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        match unix_fs::symlink(fs::read_link(from)?, to) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists && self.refresh => Ok(()),
            made => made.and_then(|()| self.own(to)),
        }
    }

    fn own(&self, path: &Path) -> io::Result<()> {
        self.owner.map_or(Ok(()), |owner| unix_fs::lchown(path, Some(owner.uid), Some(owner.gid)))
    }

    fn file(&self, from: &Path, to: &Path) -> io::Result<()> {
        let no_links = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let mut source = match OpenOptions::new().read(true).custom_flags(no_links).open(from) {
            Err(cause) if vanished(&cause) => return Ok(()),
            source => source?,
        };
        let described = source.metadata()?;
        if self.refresh {
            match fs::symlink_metadata(to) {
                Ok(there) if unchanged(&described, &there) => return Ok(()),
                Ok(_) => fs::remove_file(to)?,
                Err(cause) if vanished(&cause) => {}
                Err(cause) => return Err(cause),
            }
        }
        let mode = described.mode() & 0o700 | 0o600;
        let mut target = OpenOptions::new().write(true).create_new(true).mode(mode).open(to)?;
        if rustix::fs::ioctl_ficlone(&target, &source).is_err() {
            io::copy(&mut source, &mut target)?;
        }
        self.owner.map_or(Ok(()), |owner| unix_fs::fchown(&target, Some(owner.uid), Some(owner.gid)))
    }
}

/// A source last written before its copy was made, of the same size, is what was copied.
fn unchanged(source: &fs::Metadata, copy: &fs::Metadata) -> bool {
    source.len() == copy.len() && (source.mtime(), source.mtime_nsec()) < (copy.mtime(), copy.mtime_nsec())
}

fn vanished(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::NotFound
}

/// Whether files in this folder can share their blocks.
pub(crate) fn reflinks(folder: &Path) -> io::Result<bool> {
    let mut source = tempfile::tempfile_in(folder)?;
    io::Write::write_all(&mut source, &[1; 4096])?;
    let target = tempfile::tempfile_in(folder)?;
    Ok(rustix::fs::ioctl_ficlone(&target, &source).is_ok())
}

/// Makes everything written so far to the file system of `folder` durable.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_trees_with_choices_and_fills_gaps_on_a_second_pass() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for path in ["a/b/c", "skipped", "hollow"] {
            fs::create_dir_all(from.join(path)).expect("makes folders");
        }
        for path in ["a/1", "a/b/c/2", "skipped/3", "hollow/4"] {
            fs::write(from.join(path), path).expect("writes");
        }
        unix_fs::symlink("nowhere", from.join("a/link")).expect("links");
        let choose = |path: &Path| match path.to_str() {
            Some("skipped") => Take::Nothing,
            Some("hollow") => Take::Empty,
            _ => Take::Whole,
        };
        TreeCopy { owner: None, choose: &choose, refresh: false }.run(&from, &to).expect("copies");
        assert_eq!(fs::read_to_string(to.join("a/b/c/2")).expect("copied"), "a/b/c/2");
        assert_eq!(fs::read_link(to.join("a/link")).expect("copied"), Path::new("nowhere"));
        assert!(!to.join("skipped").exists() && to.join("hollow").is_dir() && !to.join("hollow/4").exists());

        fs::write(from.join("a/1"), "changed in between").expect("writes");
        fs::write(from.join("a/5"), "new").expect("writes");
        fs::write(to.join("a/b/c/2"), "a/b/C/2").expect("the source is older than this");
        TreeCopy { owner: None, choose: &everything, refresh: true }.run(&from, &to).expect("copies");
        assert_eq!(fs::read_to_string(to.join("a/1")).expect("copied again"), "changed in between");
        assert_eq!(fs::read_to_string(to.join("a/b/c/2")).expect("left alone"), "a/b/C/2");
        assert_eq!(fs::read_to_string(to.join("a/5")).expect("added"), "new");
    }
}
