//! What a source of usage keeps on disk: counts from the moment they are made, and records until the control plane has them.
//!
//! A count is in the journal before what was counted is answered, so a process that is killed loses none. A flush reads the journal and
//! appends its sums to the spool as numbered records, durably; the records say which part of the journal they are of, so that a crash
//! between the two neither loses nor doubles. Numbers have no gaps, and the control plane ignores what it has.

mod journal;
mod runs;
mod spool;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use data_plane_contract::usage::Metric;
use ids::ProjectId;

pub use journal::{Counts, Journal, Sealed};
pub use runs::OwnRun;
pub use spool::{NotTaken, SOURCE_FILE, Spool};

use runs::{Due, Runs};
use spool::Mark;

/// A measurement that has no number yet.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Whose usage.
    pub project_id: ProjectId,
    /// What.
    pub metric: Metric,
    /// Of compute: which instance ran.
    pub instance_type: Option<String>,
    /// Start of the window.
    pub from: DateTime<Utc>,
    /// End of the window.
    pub to: DateTime<Utc>,
    /// How much.
    pub amount: u64,
}

/// The journal and the spool of one source.
#[derive(Debug)]
pub struct Ledger {
    spool: Spool,
    flushed_at: DateTime<Utc>,
    folder: PathBuf,
    /// Whose processes are counted by the time they run.
    runs: Option<Runs>,
}

impl Ledger {
    /// Opens both in `folder`, or begins them; the first window starts `now`, or with what a crash left. The journal is for whoever counts.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn open(folder: &Path, prefix: &str, now: DateTime<Utc>) -> io::Result<(Self, Journal)> {
        let spool = Spool::open(folder, prefix)?;
        let (journal, since) = Journal::open(folder, spool.mark().journal)?;
        // What was counted before a crash lies in the day of the crash.
        let flushed_at = since.map_or(now, |since| DateTime::from(since).min(now));
        Ok((Self { spool, flushed_at, folder: folder.to_owned(), runs: None }, journal))
    }

    /// From now on a flush also counts how long the project's processes ran: `own`, in which this is, and those that are told to be over.
    pub fn count_runs(&mut self, project_id: ProjectId, own: Option<OwnRun>) {
        self.runs = Some(Runs { project_id, own, folder: self.folder.clone() });
    }

    /// The records.
    pub const fn spool(&mut self) -> &mut Spool {
        &mut self.spool
    }

    /// Makes records of what was counted since the last flush and of `more`, all or none, durably. False when there is nothing.
    ///
    /// # Errors
    /// The folder cannot be written; everything stays counted.
    pub fn flush(&mut self, journal: &Journal, now: DateTime<Utc>, more: Vec<Measured>) -> io::Result<bool> {
        // A clock that is put back must not end a window before its beginning.
        let (from, to) = (self.flushed_at, now.max(self.flushed_at));
        let Due { measured: ran, counted: runs, settled } = match &self.runs {
            Some(runs) => runs.due(&self.spool.mark().runs, now)?,
            None => Due::default(),
        };
        let sealed = journal.seal()?;
        let counted = sealed.counts().iter().map(|(&(project_id, metric), &amount)| Measured {
            project_id,
            metric,
            instance_type: None,
            from,
            to,
            amount,
        });
        let measured: Vec<Measured> =
            counted.chain(more).chain(ran).filter(|one| one.amount > 0 || one.metric.peak()).collect();
        // One far in the future would hold every later window there; the clock is right by now.
        self.flushed_at = now;
        if measured.is_empty() {
            journal.forget(&sealed)?;
            return Ok(false);
        }
        self.spool.append(&measured, Mark { journal: sealed.newest(), runs })?;
        journal.forget(&sealed)?;
        for path in settled {
            fs::remove_file(path)?;
        }
        Ok(true)
    }
}

/// Sums by project and metric.
pub(crate) type Sums = BTreeMap<(ProjectId, Metric), u64>;

/// Writes a file so that it has old or new content, whatever happens; readable by its owner alone.
///
/// # Errors
/// The file or its folder cannot be written.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file = private().truncate(true).open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes what was created, renamed or removed in a folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Opens or makes files that only their owner reads.
fn private() -> fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).mode(0o600);
    options
}
