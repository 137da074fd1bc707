//! Usage records on disk until the control plane has them: numbered without gaps, in append-only segments.
//!
//! The newest segment is never deleted, so the numbering survives restarts. What was acknowledged is not recorded: after a restart
//! the control plane says it in its first answer, and what it gets twice it ignores.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use data_plane_contract::usage::{Metric, UsageRecord};
use ids::ProjectId;

const SEGMENT_BYTES: u64 = 1024 * 1024;
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// A measurement that has no number yet.
pub(super) struct Measured {
    pub(super) project_id: ProjectId,
    pub(super) metric: Metric,
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
    pub(super) amount: u64,
}

/// The records of one source that are not yet known to be stored elsewhere.
pub(crate) struct Spool {
    folder: PathBuf,
    source: String,
    /// Oldest first; never empty.
    segments: VecDeque<Segment>,
    /// The newest segment, open for appending.
    file: File,
    next: i64,
    acknowledged: i64,
}

/// One file, named after its first sequence number.
struct Segment {
    first: i64,
    bytes: u64,
}

impl Spool {
    /// Opens the spool in `folder`, or begins one. An unfinished last line, left by a crash, is cut off.
    pub(crate) fn open(folder: &Path, source: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let source = source_of(folder, source)?;
        let mut firsts: Vec<i64> = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .filter_map(|path: io::Result<PathBuf>| path.map(|path| first_of(&path)).transpose())
            .collect::<io::Result<_>>()?;
        firsts.sort_unstable();
        let mut next = 1;
        let mut segments = VecDeque::new();
        if let Some((&newest, older)) = firsts.split_last() {
            for &first in older {
                segments.push_back(Segment { first, bytes: fs::metadata(path_of(folder, first))?.len() });
            }
            next = cut_unfinished(&path_of(folder, newest), newest)?;
            segments.push_back(Segment { first: newest, bytes: fs::metadata(path_of(folder, newest))?.len() });
        } else {
            segments.push_back(Segment { first: next, bytes: 0 });
        }
        let newest = segments.back().expect("one was just pushed").first;
        let file = append_to(&path_of(folder, newest))?;
        let oldest = segments.front().expect("one was just pushed").first;
        Ok(Self { folder: folder.to_owned(), source, segments, file, next, acknowledged: oldest - 1 })
    }

    /// Who these records say measured.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Newest number given out; 0 when none.
    pub(super) const fn last(&self) -> i64 {
        self.next - 1
    }

    /// True when nothing more should be written.
    pub(super) fn full(&self) -> bool {
        self.segments.iter().map(|segment| segment.bytes).sum::<u64>() >= MAX_BYTES
    }

    /// Numbers and writes measurements, all or none, durably.
    pub(super) fn append(&mut self, measured: &[Measured]) -> io::Result<()> {
        self.rotate()?;
        let mut lines = Vec::with_capacity(measured.len() * 256);
        for (sequence, one) in (self.next..).zip(measured) {
            serde_json::to_writer(&mut lines, &one.numbered(sequence))?;
            lines.push(b'\n');
        }
        let segment = self.segments.back_mut().expect("a spool always has a segment");
        if let Err(error) = self.file.write_all(&lines).and_then(|()| self.file.sync_data()) {
            self.file.set_len(segment.bytes)?;
            return Err(error);
        }
        segment.bytes += lines.len() as u64;
        self.next += i64::try_from(measured.len()).expect("a flush is far smaller than an i64");
        Ok(())
    }

    /// The oldest records that are not acknowledged, at most `limit`, in order.
    pub(super) fn unacknowledged(&self, limit: usize) -> io::Result<Vec<UsageRecord>> {
        let mut records = Vec::new();
        for (index, segment) in self.segments.iter().enumerate() {
            let end = self.segments.get(index + 1).map_or(self.next, |next| next.first);
            if end <= self.acknowledged + 1 {
                continue;
            }
            let text = fs::read(path_of(&self.folder, segment.first))?;
            for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let record: UsageRecord = serde_json::from_slice(line)?;
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

    /// Forgets records up to `sequence`.
    pub(super) fn acknowledge(&mut self, sequence: i64) -> io::Result<()> {
        self.acknowledged = self.acknowledged.max(sequence.min(self.last()));
        while self.segments.len() > 1 && self.segments[1].first <= self.acknowledged + 1 {
            fs::remove_file(path_of(&self.folder, self.segments[0].first))?;
            self.segments.pop_front();
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        if self.segments.back().is_some_and(|segment| segment.bytes < SEGMENT_BYTES) {
            return Ok(());
        }
        self.file = append_to(&path_of(&self.folder, self.next))?;
        File::open(&self.folder)?.sync_all()?;
        self.segments.push_back(Segment { first: self.next, bytes: 0 });
        Ok(())
    }
}

impl Measured {
    fn numbered(&self, sequence: i64) -> UsageRecord {
        UsageRecord {
            project_id: self.project_id,
            metric: self.metric,
            from: self.from,
            to: self.to,
            amount: i64::try_from(self.amount).unwrap_or(i64::MAX),
            sequence,
        }
    }
}

/// The name of this series of records. It is new when the folder is, because then the numbering starts again.
fn source_of(folder: &Path, prefix: &str) -> io::Result<String> {
    let path = folder.join("source");
    match fs::read_to_string(&path) {
        Ok(source) => return Ok(source.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let source = format!("{prefix}:{:016x}", rand::random::<u64>());
    let unfinished = folder.join("source.new");
    let mut file = File::create(&unfinished)?;
    file.write_all(source.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, &path)?;
    File::open(folder)?.sync_all()?;
    Ok(source)
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn path_of(folder: &Path, first: i64) -> PathBuf {
    folder.join(format!("{first:020}.jsonl"))
}

fn first_of(path: &Path) -> Option<i64> {
    (path.extension()? == "jsonl").then(|| path.file_stem()?.to_str()?.parse().ok())?
}

/// Cuts a segment after its last whole record and returns the number of the next.
fn cut_unfinished(path: &Path, first: i64) -> io::Result<i64> {
    let text = fs::read(path)?;
    let mut kept = 0;
    let mut next = first;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match serde_json::from_slice::<UsageRecord>(line) {
            Ok(record) if record.sequence == next && line.ends_with(b"\n") => {
                kept += line.len();
                next += 1;
            }
            _ => break,
        }
    }
    if kept < text.len() {
        tracing::warn!(path = %path.display(), bytes = text.len() - kept, "the end of a usage segment was not written whole and is cut off");
        OpenOptions::new().write(true).open(path)?.set_len(kept as u64)?;
    }
    Ok(next)
}
