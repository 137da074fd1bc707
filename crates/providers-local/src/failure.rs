//! Turns causes into provider errors that say what was being done; a full disk is told apart, since trying again does not help there.

use std::{error::Error as StdError, io, path::Path};

use providers::{Error, Result};

/// Adds what was being done.
pub(crate) trait Doing<T> {
    /// Names the work; the text goes to operators and holds no secrets.
    fn doing<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|cause| match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => full(),
            _ => Error::transient(what(), cause),
        })
    }
}

impl<T> Doing<T> for std::result::Result<T, tokio_postgres::Error> {
    fn doing<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|cause| Error::transient(what(), cause))
    }
}

/// The disk has no room left.
pub(crate) fn full() -> Error {
    Error::Full("this machine's disk has no room for another project".to_owned())
}

/// `error` with its causes on one line, for logs.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// Runs blocking file work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|cause| Error::transient("working on files", cause))?
}

/// Runs `work` to its end even when the caller stops waiting, so that a timed-out call never leaves a lock without its holder.
pub(crate) async fn detached<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work).await.map_err(|cause| Error::transient("waiting for work on a project", cause))?
}

/// Removes a folder and what is in it; nothing there is fine.
pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    absent_is_fine(std::fs::remove_dir_all(path))
}

/// Removes a file; nothing there is fine.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    absent_is_fine(std::fs::remove_file(path))
}

/// Not found counts as done.
pub(crate) fn absent_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
