//! What is being done with backups now: one thing at a time.

use std::sync::{Arc, Mutex};

use uuid::Uuid;

use crate::http::{Error, Result};

/// What goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// This backup is being made.
    Backup(Uuid),
    /// The database is being restored.
    Restore,
    /// A backup is being renamed or deleted.
    Change,
}

/// Holds what goes on.
#[derive(Clone, Debug, Default)]
pub(in crate::database) struct Busy(Arc<Mutex<Option<Work>>>);

/// The right to do something; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn(Busy);

impl Busy {
    pub(super) fn now(&self) -> Option<Work> {
        *self.0.lock().expect("no holder of this lock panics")
    }

    /// The right to make a backup.
    pub(super) fn begin_backup(&self, id: Uuid) -> Result<Turn> {
        self.begin(Work::Backup(id), |work| match work {
            Work::Restore => "A restore is currently in progress. Try again once it finishes.",
            Work::Backup(_) | Work::Change => "Another backup is already running. Try again once it finishes.",
        })
    }

    /// The right to restore.
    pub(super) fn begin_restore(&self) -> Result<Turn> {
        self.begin(Work::Restore, |work| match work {
            Work::Restore => "Another restore is already in progress.",
            Work::Backup(_) => "A backup is currently running. Try again once it finishes.",
            Work::Change => "A backup is being renamed or deleted. Try again in a moment.",
        })
    }

    /// The right to rename or delete, also while another backup is made.
    pub(super) fn begin_change(&self) -> Result<Option<Turn>> {
        if let Some(Work::Backup(_)) = self.now() {
            return Ok(None);
        }
        self.begin(Work::Change, |work| match work {
            Work::Restore => "A restore is currently in progress. Try again once it finishes.",
            Work::Backup(_) | Work::Change => "A backup is being renamed or deleted. Try again in a moment.",
        })
        .map(Some)
    }

    fn begin(&self, work: Work, objection: impl Fn(Work) -> &'static str) -> Result<Turn> {
        let mut now = self.0.lock().expect("no holder of this lock panics");
        match *now {
            Some(other) => Err(Error::conflict("DATABASE_CONSTRAINT_VIOLATION", objection(other))),
            None => {
                *now = Some(work);
                Ok(Turn(self.clone()))
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.0.lock().expect("no holder of this lock panics") = None;
    }
}
