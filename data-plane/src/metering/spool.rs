//! Records on disk, one JSON object a line, until the control plane has them. A line torn by a crash was never numbered.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use data_plane_contract::usage::{Metric, UsageRecord};
use ids::ProjectId;
use serde::{Deserialize, Serialize};

use super::measure::Measured;

/// Records sent at once.
const BATCH: usize = 500;

/// Records without a number wait until the control plane says where its series stands: a lost folder must not begin at 1 again.
pub(super) struct Spool {
    folder: PathBuf,
    project_id: ProjectId,
    file: File,
    waiting: VecDeque<UsageRecord>,
    unnumbered: Vec<Measured>,
    /// Newest number given; absent until it is known.
    newest: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    metric: Metric,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    amount: i64,
    sequence: i64,
}

impl Spool {
    /// Opens the spool in `folder`, made if it is not there.
    pub(super) fn open(folder: &Path, project_id: ProjectId) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join("records.jsonl");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let lines: Vec<Line> = text.lines().map_while(|line| serde_json::from_str(line).ok()).collect();
        let waiting: VecDeque<UsageRecord> = lines.into_iter().map(|line| record(project_id, line)).collect();
        let accepted = fs::read_to_string(folder.join("accepted")).ok().and_then(|text| text.trim().parse().ok());
        let newest = waiting.back().map(|record| record.sequence).max(accepted);
        let mut spool = Self {
            folder: folder.to_owned(),
            project_id,
            file: OpenOptions::new().create(true).append(true).open(&path)?,
            waiting,
            unnumbered: Vec::new(),
            newest,
        };
        // Drops a torn last line, after which nothing could be read.
        spool.rewrite()?;
        Ok(spool)
    }

    /// Whether every record has its number.
    pub(super) fn numbered(&self) -> bool {
        self.newest.is_some()
    }

    /// The oldest records, in order.
    pub(super) fn waiting(&self) -> Vec<UsageRecord> {
        self.waiting.iter().take(BATCH).cloned().collect()
    }

    /// Numbers and keeps the measurements. On return they survive a crash.
    pub(super) fn append(&mut self, measured: Vec<Measured>) -> io::Result<()> {
        self.unnumbered.extend(measured);
        let Some(mut newest) = self.newest else { return Ok(()) };
        if self.unnumbered.is_empty() {
            return Ok(());
        }
        let mut text = String::new();
        let mut records = Vec::with_capacity(self.unnumbered.len());
        for measured in &self.unnumbered {
            newest += 1;
            let Measured { metric, from, to, amount } = *measured;
            let line = Line { metric, from, to, amount, sequence: newest };
            text.push_str(&serde_json::to_string(&line)?);
            text.push('\n');
            records.push(record(self.project_id, line));
        }
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()?;
        self.unnumbered.clear();
        self.waiting.extend(records);
        self.newest = Some(newest);
        Ok(())
    }

    /// Forgets what the control plane has. False when it lacks records that are gone from here.
    pub(super) fn accepted(&mut self, sequence: i64) -> io::Result<bool> {
        let Some(newest) = self.newest else {
            self.newest = Some(sequence);
            self.note(sequence)?;
            self.append(Vec::new())?;
            return Ok(true);
        };
        let first_here = self.waiting.front().map_or(newest + 1, |record| record.sequence);
        if sequence + 1 < first_here {
            return Ok(false);
        }
        let before = self.waiting.len();
        while self.waiting.front().is_some_and(|record| record.sequence <= sequence) {
            self.waiting.pop_front();
        }
        if before == self.waiting.len() {
            return Ok(before == 0);
        }
        self.note(sequence)?;
        self.rewrite()?;
        Ok(true)
    }

    fn note(&self, sequence: i64) -> io::Result<()> {
        replace(&self.folder.join("accepted"), sequence.to_string().as_bytes())
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let mut text = String::new();
        for UsageRecord { metric, from, to, amount, sequence, .. } in &self.waiting {
            let line = Line { metric: *metric, from: *from, to: *to, amount: *amount, sequence: *sequence };
            text.push_str(&serde_json::to_string(&line)?);
            text.push('\n');
        }
        let path = self.folder.join("records.jsonl");
        replace(&path, text.as_bytes())?;
        self.file = OpenOptions::new().append(true).open(&path)?;
        Ok(())
    }
}

fn record(project_id: ProjectId, line: Line) -> UsageRecord {
    let Line { metric, from, to, amount, sequence } = line;
    UsageRecord { project_id, metric, from, to, amount, sequence }
}

/// Old or new content, whatever happens.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file = File::create(&draft)?;
    file.write_all(content)?;
    file.sync_data()?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(amount: i64) -> Measured {
        let at = DateTime::from_timestamp(1_700_000_000, 0).expect("a valid time");
        Measured { metric: Metric::FunctionCalls, from: at, to: at, amount }
    }

    fn numbers(spool: &Spool) -> Vec<i64> {
        spool.waiting().iter().map(|record| record.sequence).collect()
    }

    #[test]
    fn a_series_goes_on_over_restarts_torn_lines_and_a_lost_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let id = ProjectId::generate();
        let mut spool = Spool::open(folder.path(), id).expect("open");
        spool.append(vec![measured(1)]).expect("append");
        assert!(numbers(&spool).is_empty(), "no number before the control plane says where the series stands");
        assert!(spool.accepted(41).expect("accepted"));
        assert_eq!(numbers(&spool), [42]);
        spool.append(vec![measured(2), measured(3)]).expect("append");
        drop(spool);

        let path = folder.path().join("records.jsonl");
        let mut file = OpenOptions::new().append(true).open(&path).expect("open");
        file.write_all(b"{\"metric\":\"func").expect("write");
        let mut spool = Spool::open(folder.path(), id).expect("open again");
        assert_eq!(numbers(&spool), [42, 43, 44]);
        assert!(spool.accepted(43).expect("accepted"));
        assert_eq!(numbers(&spool), [44]);
        assert!(!spool.accepted(10).expect("accepted"), "records that are gone are missed");
        assert!(spool.accepted(44).expect("accepted"));
        drop(spool);

        let mut spool = Spool::open(folder.path(), id).expect("open a third time");
        spool.append(vec![measured(4)]).expect("append");
        assert_eq!(numbers(&spool), [45]);
    }
}
