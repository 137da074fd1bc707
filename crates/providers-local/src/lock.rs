//! Locks between everything that changes a project, in this process or another: `flock` on a file, with bounded waiting.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    time::Duration,
};

use providers::{Error, Result};
use tokio::time::Instant;

use crate::failure::Doing as _;

const RETRY: Duration = Duration::from_millis(4);

/// Far above what it takes.
const STARTING_A_CHILD: Duration = Duration::from_millis(250);

/// Long enough for any work under a lock but a plain copy of a very large parent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// By several at once, none of which changes processes or files.
    Shared,
    /// By one.
    Exclusive,
}

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Takes the lock at `path`, or `None` when its folder does not exist. The file is made when absent.
pub(crate) async fn acquire(path: &Path, mode: Mode, patience: Duration) -> Result<Option<Lock>> {
    match attempt_for(path, mode, patience).await.doing(|| format!("locking {}", path.display()))? {
        Attempt::Busy => Err(Error::transient(format!("waiting for {}", path.display()), "someone else works on it")),
        outcome => Ok(outcome.lock()),
    }
}

/// Takes a lock that this process has just let go of, if nobody else holds it. A child that is being started keeps its parent's locks until
/// its program begins, so it is tried for a moment.
pub(crate) async fn acquire_alone(path: &Path) -> io::Result<Option<Lock>> {
    attempt_for(path, Mode::Exclusive, STARTING_A_CHILD).await.map(Attempt::lock)
}

/// Takes the lock only if it is free now.
pub(crate) fn acquire_now(path: &Path, mode: Mode) -> io::Result<Option<Lock>> {
    attempt(path, mode).map(Attempt::lock)
}

enum Attempt {
    Held(Lock),
    Busy,
    NoFolder,
}

impl Attempt {
    fn lock(self) -> Option<Lock> {
        match self {
            Self::Held(lock) => Some(lock),
            Self::Busy | Self::NoFolder => None,
        }
    }
}

/// Tries until it is no longer busy, or `patience` has passed.
async fn attempt_for(path: &Path, mode: Mode, patience: Duration) -> io::Result<Attempt> {
    let deadline = Instant::now() + patience;
    loop {
        match attempt(path, mode)? {
            Attempt::Busy if Instant::now() < deadline => tokio::time::sleep(RETRY).await,
            outcome => return Ok(outcome),
        }
    }
}

fn attempt(path: &Path, mode: Mode) -> io::Result<Attempt> {
    let file = match OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Attempt::NoFolder),
        file => file?,
    };
    let outcome = match mode {
        Mode::Shared => file.try_lock_shared(),
        Mode::Exclusive => file.try_lock(),
    };
    match outcome {
        // A holder may have removed the file meanwhile; a lock on what nobody else will open is worth nothing.
        Ok(()) if same_file(&file, path)? => Ok(Attempt::Held(Lock { _file: file })),
        Ok(()) | Err(TryLockError::WouldBlock) => Ok(Attempt::Busy),
        Err(TryLockError::Error(cause)) => Err(cause),
    }
}

fn same_file(file: &File, path: &Path) -> io::Result<bool> {
    let held = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok(there.ino() == held.ino() && there.dev() == held.dev()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(cause),
    }
}
