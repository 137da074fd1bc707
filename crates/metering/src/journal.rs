//! Counts since the last flush, each written to a file when it is made.
//!
//! Writing costs a system call and no wait for the disk: what was written survives the process, and a flush makes it survive the machine.
//! Entries have a fixed size that divides a page, so that none is ever torn.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use data_plane_contract::usage::Metric;
use ids::ProjectId;
use uuid::Uuid;

use crate::{Sums, private};

const ENTRY: usize = 32;
const EXTENSION: &str = "counts";

/// Where counts go. Clones are the same journal.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    open: RwLock<Part>,
    /// There are parts that are no longer written to and are no records yet.
    sealed: AtomicBool,
    /// What could not be written, for example to a full disk. It counts as long as the process lives.
    unwritten: Mutex<HashMap<(ProjectId, Metric), u64>>,
}

/// One file of the journal, named after its number.
#[derive(Debug)]
struct Part {
    number: u64,
    file: File,
}

/// The parts of a journal that are no longer written to, and their sums.
#[derive(Debug)]
pub struct Sealed {
    newest: u64,
    sums: Sums,
    /// What of the sums is in no file.
    unwritten: HashMap<(ProjectId, Metric), u64>,
}

impl Sealed {
    /// The number of the newest part.
    pub(crate) const fn newest(&self) -> u64 {
        self.newest
    }

    /// The sums.
    pub(crate) const fn counts(&self) -> &Sums {
        &self.sums
    }
}

impl Journal {
    /// Opens the journal in `folder`; parts up to `flushed` are records already. Also says when the oldest of the others was last written.
    pub(crate) fn open(folder: &Path, flushed: u64) -> io::Result<(Self, Option<SystemTime>)> {
        let (mut newest, mut since) = (flushed, None::<SystemTime>);
        for number in parts(folder)? {
            let path = path_of(folder, number);
            if number <= flushed {
                remove(&path)?;
                continue;
            }
            newest = number;
            let about = fs::metadata(path)?;
            if about.len() > 0 {
                let written = about.modified()?;
                since = Some(since.map_or(written, |since| since.min(written)));
            }
        }
        let inner = Inner {
            folder: folder.to_owned(),
            open: RwLock::new(Part::create(folder, newest + 1)?),
            sealed: AtomicBool::new(newest > flushed),
            unwritten: Mutex::default(),
        };
        Ok((Self(Arc::new(inner)), since))
    }

    /// Counts. What cannot be written is kept in memory.
    pub fn add(&self, project_id: ProjectId, metric: Metric, amount: u64) {
        self.add_all(project_id, [(metric, amount)]);
    }

    /// Counts several things of one project with one write.
    pub fn add_all<const N: usize>(&self, project_id: ProjectId, amounts: [(Metric, u64); N]) {
        let entries = amounts.map(|(metric, amount)| encode(project_id, metric, amount));
        let part = self.0.open.read().expect("no holder of this lock panics");
        if (&part.file).write_all(entries.as_flattened()).is_err() {
            let mut unwritten = self.0.unwritten.lock().expect("no holder of this lock panics");
            for (metric, amount) in amounts {
                *unwritten.entry((project_id, metric)).or_insert(0) += amount;
            }
        }
    }

    /// The same journal, for one project.
    #[must_use]
    pub fn counts(&self, project_id: ProjectId) -> Counts {
        Counts { journal: self.clone(), project_id }
    }

    /// Sums everything that was counted and is no record yet; what is counted from now on is in a part of its own.
    pub(crate) fn seal(&self) -> io::Result<Sealed> {
        let next = {
            let mut open = self.0.open.write().expect("no holder of this lock panics");
            let next = Part::create(&self.0.folder, open.number + 1)?;
            self.0.sealed.store(true, Ordering::Relaxed);
            std::mem::replace(&mut *open, next)
        };
        let mut sums = Sums::new();
        for number in parts(&self.0.folder)?.into_iter().filter(|number| *number <= next.number) {
            for entry in fs::read(path_of(&self.0.folder, number))?.chunks_exact(ENTRY) {
                let Some((key, amount)) = decode(entry) else { continue };
                *sums.entry(key).or_insert(0) += amount;
            }
        }
        let unwritten = self.0.unwritten.lock().expect("no holder of this lock panics").clone();
        for (key, amount) in &unwritten {
            *sums.entry(*key).or_insert(0) += amount;
        }
        Ok(Sealed { newest: next.number, sums, unwritten })
    }

    /// Drops what is in records now.
    pub(crate) fn forget(&self, sealed: &Sealed) -> io::Result<()> {
        let mut unwritten = self.0.unwritten.lock().expect("no holder of this lock panics");
        for (key, amount) in &sealed.unwritten {
            if let Some(left) = unwritten.get_mut(key) {
                *left -= amount;
            }
        }
        unwritten.retain(|_, amount| *amount > 0);
        drop(unwritten);
        for number in parts(&self.0.folder)?.into_iter().filter(|number| *number <= sealed.newest) {
            remove(&path_of(&self.0.folder, number))?;
        }
        self.0.sealed.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether something was counted that is no record yet.
    #[must_use]
    pub fn holds_counts(&self) -> bool {
        let written = || {
            let part = self.0.open.read().expect("no holder of this lock panics");
            part.file.metadata().is_ok_and(|about| about.len() > 0)
        };
        self.0.sealed.load(Ordering::Relaxed)
            || written()
            || !self.0.unwritten.lock().expect("no holder of this lock panics").is_empty()
    }
}

/// Counts of one project.
#[derive(Clone, Debug)]
pub struct Counts {
    journal: Journal,
    project_id: ProjectId,
}

impl Counts {
    /// Counts.
    pub fn add(&self, metric: Metric, amount: u64) {
        self.journal.add(self.project_id, metric, amount);
    }

    /// Counts several things with one write.
    pub fn add_all<const N: usize>(&self, amounts: [(Metric, u64); N]) {
        self.journal.add_all(self.project_id, amounts);
    }
}

impl Part {
    fn create(folder: &Path, number: u64) -> io::Result<Self> {
        let path = path_of(folder, number);
        let mut options = private();
        options.append(true);
        Ok(Self { number, file: options.open(path)? })
    }
}

fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.{EXTENSION}"))
}

/// Removes a part; one that is gone already is what is wanted.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The numbers of all parts, in order.
fn parts(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            numbers.extend(path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok()));
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Project, place of the metric among all, amount.
fn encode(project_id: ProjectId, metric: Metric, amount: u64) -> [u8; ENTRY] {
    let place = Metric::ALL.iter().position(|one| *one == metric).unwrap_or(Metric::ALL.len());
    let mut entry = [0; ENTRY];
    entry[..16].copy_from_slice(&project_id.as_uuid().into_bytes());
    entry[16..24].copy_from_slice(&(place as u64 + 1).to_le_bytes());
    entry[24..].copy_from_slice(&amount.to_le_bytes());
    entry
}

/// Nothing for an entry of zeros, which a machine that lost power can leave.
fn decode(entry: &[u8]) -> Option<((ProjectId, Metric), u64)> {
    let number = |from: usize| Some(u64::from_le_bytes(entry.get(from..from + 8)?.try_into().ok()?));
    let place = usize::try_from(number(16)?.checked_sub(1)?).ok()?;
    let project_id = Uuid::from_bytes(entry.get(..16)?.try_into().ok()?).into();
    Some(((project_id, *Metric::ALL.get(place)?), number(24)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_survive_whoever_made_them_and_are_summed_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, other) = (ProjectId::generate(), ProjectId::generate());
        let (journal, since) = Journal::open(folder.path(), 0).expect("opens");
        assert!(since.is_none() && !journal.holds_counts());
        let counts = journal.counts(one);
        for _ in 0..100 {
            counts.add(Metric::Requests, 1);
        }
        journal.add(other, Metric::EgressBytes, u64::MAX / 4);
        // As after a kill: nothing was flushed or closed.
        std::mem::forget(journal);
        let (journal, since) = Journal::open(folder.path(), 0).expect("opens again");
        assert!(since.is_some() && journal.holds_counts());
        journal.add(one, Metric::Requests, 5);
        let sealed = journal.seal().expect("reads");
        journal.add(one, Metric::Requests, 7);
        assert_eq!(sealed.counts()[&(one, Metric::Requests)], 105);
        assert_eq!(sealed.counts()[&(other, Metric::EgressBytes)], u64::MAX / 4);

        // Killed after the records were written: their parts are known and dropped.
        let flushed = sealed.newest();
        std::mem::forget(journal);
        let (journal, _) = Journal::open(folder.path(), flushed).expect("opens a third time");
        let sealed = journal.seal().expect("reads");
        assert_eq!(sealed.counts().len(), 1);
        assert_eq!(sealed.counts()[&(one, Metric::Requests)], 7);
        journal.forget(&sealed).expect("removes");
        assert!(journal.seal().expect("reads").counts().is_empty());
    }

    #[test]
    fn an_entry_that_never_reached_the_disk_counts_nothing() {
        assert_eq!(decode(&[0; ENTRY]), None);
        let id = ProjectId::generate();
        assert_eq!(decode(&encode(id, Metric::McpCalls, 3)), Some(((id, Metric::McpCalls), 3)));
    }
}
