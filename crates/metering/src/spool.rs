//! Usage records on disk until the control plane has them: numbered without gaps, in append-only segments.
//!
//! The newest record is never deleted, so numbering survives restarts. What was acknowledged is not recorded: after a restart the control
//! plane says it in its first answer, and what it gets twice it ignores.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use data_plane_contract::usage::{UsageAccepted, UsageBatch, UsageRecord};
use serde::{Deserialize, Serialize};

use crate::{Measured, private, replace, runs::CountedRuns, sync_folder};

/// The file that names the source; whoever has none has recorded nothing.
pub const SOURCE_FILE: &str = "source";
const SEGMENT_BYTES: u64 = 1024 * 1024;
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// The records of one source that are not yet known to be stored elsewhere.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    source: String,
    /// Oldest first; never empty.
    segments: VecDeque<Segment>,
    /// The newest segment, open for appending.
    file: File,
    next: i64,
    acknowledged: i64,
    mark: Mark,
}

/// What is in records up to the newest one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Parts of the journal up to this number.
    pub(crate) journal: u64,
    /// Time that processes ran.
    pub(crate) runs: CountedRuns,
}

/// One file, named after its first sequence number.
#[derive(Debug)]
struct Segment {
    first: i64,
    bytes: u64,
}

/// Why a batch that was delivered is not done with.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// Records are missing for good: somebody must look.
    #[error("the control plane lacks usage records that are no longer on disk: it has those up to {0}")]
    Gap(i64),
    /// It is to be tried again.
    #[error("the control plane has usage records up to {0} and takes no later ones")]
    NoProgress(i64),
    /// A segment cannot be removed or begun.
    #[error("usage records could not be removed from disk")]
    Spool(#[from] io::Error),
}

/// A record as it is on disk.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    record: UsageRecord,
    /// Up to which part of the journal its batch is of.
    #[serde(default)]
    journal: u64,
    /// The batch has further lines. Without them it was not written whole, and counts as not written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    more: bool,
    /// In a batch's last line: what of runs is in records with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    runs: Option<CountedRuns>,
}

impl Spool {
    /// Opens the spool in `folder`, or begins one. What a crash left unfinished at its end is cut off.
    pub(crate) fn open(folder: &Path, prefix: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let source = source_of(folder, prefix)?;
        let mut firsts = Vec::new();
        for entry in fs::read_dir(folder)? {
            firsts.extend(first_of(&entry?.path()));
        }
        firsts.sort_unstable();
        if firsts.is_empty() {
            firsts.push(1);
        }
        let (mut next, mut mark) = (1, Mark::default());
        let mut segments = VecDeque::new();
        for first in firsts {
            let path = path_of(folder, first);
            next = first;
            if path.exists() {
                // Of older segments only the last batch matters, and they are whole; there are few.
                (next, mark) = cut_unfinished(&path, first, mark)?;
            }
            let bytes = fs::metadata(&path).map_or(0, |about| about.len());
            segments.push_back(Segment { first, bytes });
        }
        let newest = segments.back().map_or(1, |segment| segment.first);
        let file = append_to(&path_of(folder, newest))?;
        let acknowledged = segments.front().map_or(1, |segment| segment.first) - 1;
        Ok(Self { folder: folder.to_owned(), source, segments, file, next, acknowledged, mark })
    }

    /// Who these records say measured.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Newest number given out; 0 when none.
    #[must_use]
    pub const fn last(&self) -> i64 {
        self.next - 1
    }

    /// What is in records.
    pub(crate) const fn mark(&self) -> &Mark {
        &self.mark
    }

    /// True when records should be few: the control plane has taken none for long.
    #[must_use]
    pub fn full(&self) -> bool {
        self.segments.iter().map(|segment| segment.bytes).sum::<u64>() >= MAX_BYTES
    }

    /// Numbers and writes measurements, all or none, durably.
    pub(crate) fn append(&mut self, measured: &[Measured], mark: Mark) -> io::Result<()> {
        self.rotate()?;
        let mut lines = Vec::with_capacity(measured.len() * 256);
        let numbered = (self.next..).zip(measured).enumerate();
        for (index, (sequence, one)) in numbered {
            let more = index + 1 < measured.len();
            let runs = (!more && mark.runs != CountedRuns::default()).then(|| mark.runs.clone());
            serde_json::to_writer(
                &mut lines,
                &Line { record: one.numbered(sequence), journal: mark.journal, more, runs },
            )?;
            lines.push(b'\n');
        }
        let segment = self.segments.back_mut().expect("a spool always has a segment");
        if let Err(error) = self.file.write_all(&lines).and_then(|()| self.file.sync_data()) {
            self.file.set_len(segment.bytes)?;
            return Err(error);
        }
        segment.bytes += lines.len() as u64;
        self.next += i64::try_from(measured.len()).expect("a flush is far smaller than an i64");
        self.mark = mark;
        Ok(())
    }

    /// What is to be delivered next, at most `limit` records; nothing when all is.
    ///
    /// # Errors
    /// A segment cannot be read.
    pub fn batch(&self, limit: usize) -> io::Result<Option<UsageBatch>> {
        let records = self.unacknowledged(limit)?;
        Ok((!records.is_empty()).then(|| UsageBatch { source: self.source.clone(), records }))
    }

    /// Forgets what of a delivered batch the control plane says it has.
    ///
    /// # Errors
    /// It has not taken any of it.
    pub fn taken(&mut self, batch: &UsageBatch, accepted: &UsageAccepted) -> Result<(), NotTaken> {
        let first = batch.records.first().map_or(self.next, |record| record.sequence);
        match accepted.sequence {
            sequence if sequence < first - 1 => Err(NotTaken::Gap(sequence)),
            sequence if sequence < first => Err(NotTaken::NoProgress(sequence)),
            sequence => Ok(self.acknowledge(sequence)?),
        }
    }

    /// The oldest records that are not acknowledged, at most `limit`, in order.
    pub(crate) fn unacknowledged(&self, limit: usize) -> io::Result<Vec<UsageRecord>> {
        let mut records = Vec::new();
        for (index, segment) in self.segments.iter().enumerate() {
            let end = self.segments.get(index + 1).map_or(self.next, |next| next.first);
            if end <= self.acknowledged + 1 {
                continue;
            }
            let text = fs::read(path_of(&self.folder, segment.first))?;
            for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let Line { record, .. } = serde_json::from_slice(line)?;
                if record.sequence > self.acknowledged {
                    records.push(record);
                }
                if records.len() == limit {
                    return Ok(records);
                }
            }
        }
        Ok(records)
    }

    /// Forgets records up to `sequence`. One beyond the last number given out means that this folder is older than what was sent from it:
    /// numbering goes on behind it, so that nothing new is taken for known.
    pub(crate) fn acknowledge(&mut self, sequence: i64) -> io::Result<()> {
        if sequence > self.last() {
            tracing::warn!(
                stored = sequence,
                written = self.last(),
                "the control plane knows usage records that were not written here; was the folder restored from a copy?"
            );
            self.next = sequence + 1;
            self.begin_segment()?;
        }
        self.acknowledged = self.acknowledged.max(sequence);
        // The newest record stays: it says where numbering and journal stand.
        while self.segments.len() > 1 && self.segments[1].first <= self.acknowledged + 1 && self.segments[1].bytes > 0 {
            fs::remove_file(path_of(&self.folder, self.segments[0].first))?;
            self.segments.pop_front();
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        if self.segments.back().is_some_and(|segment| segment.bytes < SEGMENT_BYTES) {
            return Ok(());
        }
        self.begin_segment()
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        self.file = append_to(&path_of(&self.folder, self.next))?;
        sync_folder(&self.folder)?;
        if self.segments.back().is_none_or(|segment| segment.first != self.next) {
            self.segments.push_back(Segment { first: self.next, bytes: 0 });
        }
        Ok(())
    }
}

impl Measured {
    fn numbered(&self, sequence: i64) -> UsageRecord {
        UsageRecord {
            project_id: self.project_id,
            metric: self.metric,
            instance_type: self.instance_type.clone(),
            from: self.from,
            to: self.to,
            amount: i64::try_from(self.amount).unwrap_or(i64::MAX),
            sequence,
        }
    }
}

/// The name of this series of records. It is new when the folder is, because then the numbering starts again.
fn source_of(folder: &Path, prefix: &str) -> io::Result<String> {
    let path = folder.join(SOURCE_FILE);
    match fs::read_to_string(&path) {
        Ok(source) => return Ok(source.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let source = format!("{prefix}:{:016x}", rand::random::<u64>());
    replace(&path, source.as_bytes())?;
    Ok(source)
}

fn append_to(path: &Path) -> io::Result<File> {
    private().append(true).open(path)
}

fn path_of(folder: &Path, first: i64) -> PathBuf {
    folder.join(format!("{first:020}.jsonl"))
}

fn first_of(path: &Path) -> Option<i64> {
    (path.extension()? == "jsonl").then(|| path.file_stem()?.to_str()?.parse().ok())?
}

/// Cuts a segment after its last whole batch and returns the number of the next record, and what is in records.
fn cut_unfinished(path: &Path, first: i64, mut mark: Mark) -> io::Result<(i64, Mark)> {
    let text = fs::read(path)?;
    let (mut kept, mut read) = (0, 0);
    let (mut next, mut sequence) = (first, first);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match serde_json::from_slice::<Line>(line) {
            Ok(found) if found.record.sequence == sequence && line.ends_with(b"\n") => {
                read += line.len();
                sequence += 1;
                if !found.more {
                    (kept, next) = (read, sequence);
                    mark = Mark { journal: found.journal, runs: found.runs.unwrap_or_default() };
                }
            }
            _ => break,
        }
    }
    if kept < text.len() {
        tracing::warn!(path = %path.display(), bytes = text.len() - kept, "the end of a usage segment was not written whole and is cut off");
        private().open(path)?.set_len(kept as u64)?;
    }
    Ok((next, mark))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use data_plane_contract::usage::Metric;
    use ids::ProjectId;

    use super::*;
    use crate::Ledger;

    fn measured(amount: u64) -> Measured {
        let at = DateTime::from_timestamp(1_700_000_000, 0).expect("a valid time");
        let project_id = ProjectId::generate();
        Measured { project_id, metric: Metric::EmailRequests, instance_type: None, from: at, to: at, amount }
    }

    fn mark(journal: u64) -> Mark {
        Mark { journal, ..Mark::default() }
    }

    fn numbers(spool: &Spool) -> Vec<i64> {
        spool.unacknowledged(100).expect("reads").iter().map(|record| record.sequence).collect()
    }

    #[test]
    fn a_batch_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spool = Spool::open(folder.path(), "test").expect("opens");
        let source = spool.source().to_owned();
        spool.append(&[measured(1), measured(2)], mark(4)).expect("appends");
        spool.append(&[measured(3), measured(4), measured(5)], mark(9)).expect("appends");
        drop(spool);
        let path = path_of(folder.path(), 1);
        let text = fs::read_to_string(&path).expect("reads");
        // Whatever is missing of the second batch, all of it is.
        let second: usize = text.split_inclusive('\n').skip(2).map(str::len).sum();
        for missing in [1, second / 2, second - 1] {
            fs::write(&path, &text[..text.len() - missing]).expect("writes");
            let spool = Spool::open(folder.path(), "test").expect("opens again");
            assert_eq!((numbers(&spool), spool.mark().journal), (vec![1, 2], 4), "{missing} bytes are missing");
            assert_eq!(spool.source(), source);
        }
        fs::write(&path, &text).expect("writes");
        let spool = Spool::open(folder.path(), "test").expect("opens");
        assert_eq!((spool.last(), spool.mark().journal), (5, 9));
    }

    #[test]
    fn numbering_goes_on_behind_what_the_control_plane_knows() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spool = Spool::open(folder.path(), "test").expect("opens");
        spool.append(&[measured(1)], mark(1)).expect("appends");
        spool.acknowledge(41).expect("jumps");
        spool.append(&[measured(2)], mark(2)).expect("appends");
        assert_eq!(numbers(&spool), [42]);
        drop(spool);
        let mut spool = Spool::open(folder.path(), "test").expect("opens again");
        assert_eq!((spool.last(), spool.mark().journal), (42, 2));
        spool.acknowledge(42).expect("acknowledges");
        drop(spool);
        let spool = Spool::open(folder.path(), "test").expect("opens again");
        assert_eq!((spool.last(), spool.mark().journal), (42, 2), "the newest record is never deleted");
    }

    #[test]
    fn what_is_taken_is_forgotten_and_what_is_not_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spool = Spool::open(folder.path(), "test").expect("opens");
        assert!(spool.batch(10).expect("reads").is_none());
        spool.append(&[measured(1), measured(2), measured(3)], mark(1)).expect("appends");
        let first = spool.batch(2).expect("reads").expect("something waits");
        spool.taken(&first, &UsageAccepted { sequence: 2 }).expect("taken");
        let rest = spool.batch(2).expect("reads").expect("something waits");
        assert_eq!(rest.records.iter().map(|record| record.sequence).collect::<Vec<_>>(), [3]);
        assert!(matches!(spool.taken(&rest, &UsageAccepted { sequence: 2 }), Err(NotTaken::NoProgress(2))));
        assert!(matches!(spool.taken(&rest, &UsageAccepted { sequence: 1 }), Err(NotTaken::Gap(1))));
        assert_eq!(numbers(&spool), [3]);
        spool.taken(&rest, &UsageAccepted { sequence: 3 }).expect("taken");
        assert!(spool.batch(2).expect("reads").is_none());
    }

    #[test]
    fn segments_go_when_they_are_acknowledged() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spool = Spool::open(folder.path(), "test").expect("opens");
        let batch: Vec<Measured> = (0..6000).map(measured).collect();
        for journal in 1..=3 {
            spool.append(&batch, mark(journal)).expect("appends");
        }
        assert_eq!(spool.segments.len(), 3);
        spool.acknowledge(18_000).expect("acknowledges");
        assert_eq!((spool.segments.len(), spool.last()), (1, 18_000));
    }

    #[test]
    fn a_flush_that_is_interrupted_anywhere_neither_loses_nor_doubles() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = DateTime::from_timestamp(1_700_000_000, 0).expect("a valid time");
        let id = ProjectId::generate();
        let total = |ledger: &mut Ledger| {
            ledger.spool().unacknowledged(1000).expect("reads").iter().map(|record| record.amount).sum::<i64>()
        };
        let (_ledger, journal) = Ledger::open(folder.path(), "test", now).expect("opens");
        journal.add(id, Metric::Requests, 3);
        // Before the seal, and after it.
        let (mut ledger, journal) = Ledger::open(folder.path(), "test", now).expect("opens");
        journal.add(id, Metric::Requests, 4);
        drop(journal.seal().expect("seals"));
        journal.add(id, Metric::Requests, 5);
        assert_eq!(total(&mut ledger), 0);
        // After the records are written, before their part is dropped.
        let (mut ledger, journal) = Ledger::open(folder.path(), "test", now).expect("opens");
        let sealed = journal.seal().expect("seals");
        let sums = sealed.counts().values().sum();
        ledger.spool.append(&[Measured { amount: sums, ..measured(0) }], mark(sealed.newest())).expect("appends");
        let (mut ledger, journal) = Ledger::open(folder.path(), "test", now).expect("opens");
        assert_eq!(total(&mut ledger), 12);
        assert!(!ledger.flush(&journal, now, Vec::new()).expect("flushes"));
        journal.add(id, Metric::Requests, 1);
        // A clock that is put back.
        assert!(ledger.flush(&journal, now - chrono::Duration::hours(1), Vec::new()).expect("flushes"));
        assert_eq!(total(&mut ledger), 13);
        assert!(ledger.spool().unacknowledged(1000).expect("reads").iter().all(|record| record.from <= record.to));
    }
}
