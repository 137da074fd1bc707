//! Time that a data plane's processes run, from start to end as the operating system tells them.
//!
//! A flush counts the process it is made in up to the present moment. The rest of one that was killed is counted by the first flush that
//! finds the file in which its supervisor tells of its end. Of a process whose end nobody saw, because the machine fell or nobody supervised, no
//! more counts than is in records. How much that is stands in the spool's newest line, so that nothing counts twice. Records are whole seconds;
//! what is less is carried to the next record of its instance type, so that all records of a type are the whole seconds of all its runs.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use chrono::{DateTime, TimeDelta, Utc};
use data_plane_contract::{
    runs::{ENDED_RUN_EXTENSION, EndedRun, run_id},
    usage::Metric,
};
use ids::ProjectId;
use serde::{Deserialize, Serialize};

use crate::Measured;

/// The kernel tells starts in hundredths of a second, whatever its own tick is.
const TICK_MS: u64 = 10;

/// What of runs is in records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CountedRuns {
    /// Milliseconds of each run, those that are carried included.
    runs: BTreeMap<String, u64>,
    /// Milliseconds of each instance type that are no whole second yet.
    carried: BTreeMap<String, u64>,
}

/// The process in which usage is measured.
#[derive(Clone, Debug)]
pub struct OwnRun {
    id: String,
    started_ms: u64,
    instance_type: Option<String>,
}

impl OwnRun {
    /// This process.
    ///
    /// # Errors
    /// The kernel does not tell when it was started.
    pub fn of_this_process(instance_type: Option<String>) -> io::Result<Self> {
        let odd =
            || io::Error::new(io::ErrorKind::InvalidData, "the kernel does not tell when this process was started");
        let stat = fs::read_to_string("/proc/self/stat")?;
        // The command's name may hold anything, so fields are counted from the bracket behind it.
        let ticks =
            stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().nth(19)?.parse::<u64>().ok());
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let started_ms = ticks.ok_or_else(odd)? * TICK_MS;
        Ok(Self { id: run_id(boot_id.trim(), std::process::id(), started_ms), started_ms, instance_type })
    }
}

/// Milliseconds since the machine was started.
fn machine_ms() -> io::Result<u64> {
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "the kernel does not tell how long the machine is up");
    let text = fs::read_to_string("/proc/uptime")?;
    let (seconds, hundredths) = text.split_whitespace().next().and_then(|word| word.split_once('.')).ok_or_else(odd)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| odd());
    Ok(number(seconds)? * 1000 + number(hundredths)? * TICK_MS)
}

/// The runs of one project's process.
#[derive(Debug)]
pub(crate) struct Runs {
    pub(crate) project_id: ProjectId,
    /// The process that asks; none where the project's own is over.
    pub(crate) own: Option<OwnRun>,
    pub(crate) folder: PathBuf,
}

/// What is to be recorded of runs, and how things stand once it is.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub(crate) measured: Vec<Measured>,
    pub(crate) counted: CountedRuns,
    /// Files that say nothing more once the records are written.
    pub(crate) settled: Vec<PathBuf>,
}

/// A run up to some moment.
struct Span {
    id: String,
    instance_type: Option<String>,
    /// Absent when nobody knows; then as long as is in records.
    length_ms: Option<u64>,
    started_at: DateTime<Utc>,
}

impl Runs {
    /// What is to be recorded, `now` by the clock that dates records.
    pub(crate) fn due(&self, known: &CountedRuns, now: DateTime<Utc>) -> io::Result<Due> {
        let (mut spans, mut settled) = (Vec::new(), Vec::new());
        for (id, path) in ended_files(&self.folder)? {
            // One that cannot be read says as much as one that was never written.
            let ended = serde_json::from_slice::<EndedRun>(&fs::read(&path)?).ok();
            settled.push(path);
            let Some(EndedRun { started_at, started_ms, ended_ms, instance_type }) = ended else { continue };
            let length_ms = ended_ms.map(|ended_ms| ended_ms.saturating_sub(started_ms));
            spans.push(Span { id, instance_type, length_ms, started_at });
        }
        if let Some(OwnRun { id, started_ms, instance_type }) = self.own.clone() {
            let length_ms = machine_ms()?.saturating_sub(started_ms);
            spans.push(Span {
                id,
                instance_type,
                length_ms: Some(length_ms),
                started_at: now - milliseconds(length_ms),
            });
        }
        Ok(Due { settled, ..self.count(known, spans) })
    }

    /// Counts what is new of each run. Runs that are neither given nor over by a file are forgotten: nothing more can be said of them.
    fn count(&self, known: &CountedRuns, spans: Vec<Span>) -> Due {
        let mut due =
            Due { counted: CountedRuns { carried: known.carried.clone(), ..CountedRuns::default() }, ..Due::default() };
        for Span { id, instance_type, length_ms, started_at } in spans {
            let before = known.runs.get(&id).copied().unwrap_or(0);
            let length_ms = length_ms.unwrap_or(before).max(before);
            due.counted.runs.insert(id, length_ms);
            let carried = due.counted.carried.entry(instance_type.clone().unwrap_or_default()).or_insert(0);
            let total = *carried + (length_ms - before);
            *carried = total % 1000;
            if total >= 1000 {
                due.measured.push(Measured {
                    project_id: self.project_id,
                    metric: Metric::ComputeSeconds,
                    instance_type,
                    from: started_at + milliseconds(before),
                    to: started_at + milliseconds(length_ms),
                    amount: total / 1000,
                });
            }
        }
        due
    }
}

fn milliseconds(number: u64) -> TimeDelta {
    i64::try_from(number).ok().and_then(TimeDelta::try_milliseconds).unwrap_or_default()
}

/// The files of ended runs with the runs' ids, in one order always.
fn ended_files(folder: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new(ENDED_RUN_EXTENSION))
            && let Some(id) = path.file_stem().and_then(OsStr::to_str)
        {
            found.insert(id.to_owned(), path.clone());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ledger;

    const START: i64 = 1_700_000_000;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(START + second, 0).expect("a valid time")
    }

    fn tell(folder: &Path, id: &str, started_ms: u64, ended_ms: Option<u64>) {
        let ended = EndedRun { started_at: at(0), started_ms, ended_ms, instance_type: Some("nano".to_owned()) };
        let path = folder.join(id).with_extension(ENDED_RUN_EXTENSION);
        fs::write(path, serde_json::to_vec(&ended).expect("JSON")).expect("writes");
    }

    fn seconds(ledger: &mut Ledger) -> Vec<i64> {
        ledger.spool().unacknowledged(1000).expect("reads").iter().map(|record| record.amount).collect()
    }

    #[test]
    fn a_run_counts_to_its_end_whoever_is_killed_between() {
        let folder = tempfile::tempdir().expect("a folder");
        let id = ProjectId::generate();
        let open = || {
            let (mut ledger, journal) = Ledger::open(folder.path(), "test", at(0)).expect("opens");
            ledger.count_runs(id, None);
            (ledger, journal)
        };
        let (mut ledger, journal) = open();
        tell(folder.path(), "one", 10_000, Some(12_700));
        assert!(ledger.flush(&journal, at(1), Vec::new()).expect("flushes"));
        assert!(!folder.path().join("one.ended").exists());
        // Killed before the file was removed.
        tell(folder.path(), "one", 10_000, Some(12_700));
        let (mut ledger, journal) = open();
        assert!(!ledger.flush(&journal, at(1), Vec::new()).expect("flushes"));
        // 0.7 s are carried; another 0.6 s make a second.
        tell(folder.path(), "two", 20_000, Some(20_600));
        assert!(ledger.flush(&journal, at(2), Vec::new()).expect("flushes"));
        // Nobody saw its end, and nothing of it is in records; and one that was not written whole.
        tell(folder.path(), "three", 30_000, None);
        fs::write(folder.path().join("four.ended"), "{").expect("writes");
        assert!(!ledger.flush(&journal, at(3), Vec::new()).expect("flushes"));
        assert_eq!(seconds(&mut ledger), [2, 1]);
        let records = ledger.spool().unacknowledged(10).expect("reads");
        assert!(records.iter().all(|record| record.instance_type.as_deref() == Some("nano")));
        assert_eq!((records[0].from, records[0].to), (at(0), at(2) + milliseconds(700)));
    }

    #[test]
    fn this_process_counts_from_its_start_and_only_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = OwnRun::of_this_process(None).expect("the kernel tells");
        let runs = |own| Runs { project_id: ProjectId::generate(), own: Some(own), folder: folder.path().to_owned() };
        // As if it had been started ten seconds earlier.
        let own = OwnRun { started_ms: own.started_ms.saturating_sub(10_000), ..own };
        let first = runs(own.clone()).due(&CountedRuns::default(), at(0)).expect("counts");
        assert!(first.measured[0].amount >= 10);
        let again = runs(own.clone()).due(&first.counted, at(0)).expect("counts");
        let of = |due: &Due| due.counted.runs.values().sum::<u64>();
        let carried = |due: &Due| due.counted.carried.values().sum::<u64>();
        let amounts = |due: &Due| due.measured.iter().map(|one| one.amount * 1000).sum::<u64>();
        assert_eq!(amounts(&first) + amounts(&again) + carried(&again), of(&again));
        assert!(of(&again) >= of(&first));
    }

    #[test]
    fn runs_that_were_counted_in_part_and_never_ended_are_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let runs = Runs { project_id: ProjectId::generate(), own: None, folder: folder.path().to_owned() };
        let known =
            CountedRuns { runs: [("gone".to_owned(), 5_300)].into(), carried: [("nano".to_owned(), 300)].into() };
        let due = runs.due(&known, at(0)).expect("counts");
        assert!(due.measured.is_empty() && due.counted.runs.is_empty());
        assert_eq!(due.counted.carried["nano"], 300);
        // One that is known in part counts the rest.
        tell(folder.path(), "gone", 1_000, Some(8_000));
        let due = runs.due(&known, at(0)).expect("counts");
        assert_eq!((due.measured[0].amount, due.counted.carried["nano"]), (2, 0));
        assert_eq!(due.measured[0].from, at(5) + milliseconds(300));
    }
}
