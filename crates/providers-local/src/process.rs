//! Processes that outlive this one: started in groups of their own, written down by pid and start time, found again after `kill -9` of
//! whoever started them. Signals go through pidfds, so a reused pid is never hit.

use std::{
    ffi::OsString,
    fs, io,
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{Interest, unix::AsyncFd},
    process::Command,
};

use crate::owner::{Owner, write_whole};

const LOG_BYTES_KEPT: u64 = 16 * 1024 * 1024;

/// One process, told apart from every other that has or will have its pid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    started_ticks: u64,
    pub(crate) boot_id: String,
}

/// What is written down about a process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Noted {
    pub(crate) identity: Identity,
    /// Whether it has begun to serve.
    pub(crate) ready: bool,
    /// Of a data plane: as which instance type it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instance_type: Option<String>,
}

/// How to start a process.
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a Path,
    pub(crate) arguments: Vec<OsString>,
    /// The whole environment; nothing is inherited.
    pub(crate) environment: Vec<(String, OsString)>,
    pub(crate) folder: &'a Path,
    pub(crate) owner: Option<Owner>,
    pub(crate) log: &'a Path,
}

impl Launch<'_> {
    /// A command with everything set but its output.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.args(&self.arguments).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.folder).stdin(Stdio::null()).process_group(0);
        if let Some(owner) = self.owner {
            // Supplementary groups are dropped with the uid.
            command.gid(owner.gid).uid(owner.uid);
        }
        command
    }

    /// Starts it; it goes on when this process ends.
    pub(crate) fn start(&self) -> io::Result<Identity> {
        let log = open_log(self.log, self.owner)?;
        let mut child = self.command().stdout(log.try_clone()?).stderr(log).spawn()?;
        let pid = child.id().and_then(|pid| pid.try_into().ok()).ok_or_else(|| io::Error::other("it ended at once"))?;
        let identity = Identity::of(pid)?;
        // Someone must collect the exit status, or the dead stay listed.
        drop(tokio::spawn(async move { child.wait().await }));
        Ok(identity)
    }
}

fn open_log(path: &Path, owner: Option<Owner>) -> io::Result<fs::File> {
    if fs::symlink_metadata(path).is_ok_and(|log| log.len() > LOG_BYTES_KEPT) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    // The folder belongs to the project's user, who must not lead the operator elsewhere by a link or a pipe.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if let Some(owner) = owner {
        std::os::unix::fs::fchown(&file, Some(owner.uid), Some(owner.gid))?;
    }
    Ok(file)
}

/// The last line with something in it, for error texts.
pub(crate) fn last_line(log: &Path) -> String {
    let text = fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(4096)..]).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let telling = lines.iter().rev().find(|line| line.contains("FATAL") || line.contains("PANIC"));
    telling.or(lines.last()).map_or_else(|| "it wrote nothing".to_owned(), |line| (*line).to_owned())
}

impl Identity {
    /// The process that has this pid now.
    pub(crate) fn of(pid: i32) -> io::Result<Self> {
        let (_, started_ticks) = stat(pid)?;
        Ok(Self { pid, started_ticks, boot_id: boot_id()? })
    }

    /// When it was started, in milliseconds since the machine was. The kernel tells hundredths of a second.
    pub(crate) const fn started_ms(&self) -> u64 {
        self.started_ticks * 10
    }

    /// What this run is called in its meter's usage folder; `data-plane-contract` says how.
    pub(crate) fn run_id(&self) -> String {
        format!("{}-{}-{}", self.boot_id, self.pid, self.started_ms())
    }

    /// Whether it still runs; the dead that nobody collected do not.
    pub(crate) fn alive(&self) -> bool {
        let same =
            stat(self.pid).is_ok_and(|(state, ticks)| ticks == self.started_ticks && !matches!(state, 'Z' | 'X'));
        same && boot_id().is_ok_and(|boot| boot == self.boot_id)
    }

    /// A handle to it, or `None` when it has ended.
    pub(crate) fn watch(&self) -> io::Result<Option<Watched>> {
        let pid = Pid::from_raw(self.pid).ok_or_else(|| io::Error::other("pid 0"))?;
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            handle => handle?,
        };
        // Checked after opening: from here on the handle means this process and no later one.
        if !self.alive() {
            return Ok(None);
        }
        #[expect(
            deprecated,
            reason = "its replacement is unsafe only for types that may change their descriptor; an OwnedFd cannot"
        )]
        let handle = AsyncFd::with_interest(handle, Interest::READABLE)?;
        Ok(Some(Watched { handle }))
    }
}

/// A handle to a process of ours.
#[derive(Debug)]
pub(crate) struct Watched {
    handle: AsyncFd<OwnedFd>,
}

impl Watched {
    /// Waits until it ends.
    pub(crate) async fn ended(&self) {
        // An error would come from the runtime shutting down, when nobody acts on the answer any more.
        drop(self.handle.readable().await);
    }

    /// Sends a signal; an ended process is no error.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(self.handle.get_ref(), signal) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            sent => Ok(sent?),
        }
    }

    /// Sends each signal in turn and waits for the end; false when even the last did not help.
    pub(crate) async fn stop(&self, steps: &[(Signal, Duration)]) -> io::Result<bool> {
        for (signal, patience) in steps {
            self.signal(*signal)?;
            if tokio::time::timeout(*patience, self.ended()).await.is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Noted {
    /// The process noted in this file, dead or alive.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// The live process noted in this file.
    pub(crate) fn live(path: &Path) -> Option<Self> {
        Self::read(path).filter(|noted| noted.identity.alive())
    }

    /// The live process noted in this file, if it has begun to serve.
    pub(crate) fn serving(path: &Path) -> Option<Identity> {
        Self::live(path).filter(|noted| noted.ready).map(|noted| noted.identity)
    }

    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        write_whole(path, &serde_json::to_vec(self)?, None)
    }
}

/// Processes that belong to a folder: those working in it, and when it has a user of its own, all of that user's.
pub(crate) fn strays(folder: &Path, owner: Option<Owner>) -> io::Result<Vec<(Identity, PathBuf)>> {
    // The kernel reports working folders with links resolved.
    let folder = fs::canonicalize(folder).unwrap_or_else(|_gone| folder.to_owned());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let working = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        let owned = || owner.is_some_and(|owner| real_uid(pid).is_some_and(|uid| uid == owner.uid));
        if working.starts_with(&folder) || owned() {
            found.extend(Identity::of(pid).ok().filter(Identity::alive).map(|identity| (identity, working)));
        }
    }
    Ok(found)
}

/// Kills what [`strays`] finds and `choose` picks by working folder, and waits until it is gone.
pub(crate) async fn kill_strays(folder: &Path, owner: Option<Owner>, choose: impl Fn(&Path) -> bool) -> io::Result<()> {
    // A process may start another while being hunted; a second round finds that one.
    for _ in 0..5 {
        let found: Vec<_> = strays(folder, owner)?.into_iter().filter(|(_, working)| choose(working)).collect();
        if found.is_empty() {
            return Ok(());
        }
        for (identity, _) in found {
            if let Some(process) = identity.watch()? {
                process.stop(&[(Signal::KILL, Duration::from_secs(10))]).await?;
            }
        }
    }
    Err(io::Error::other("processes of the project keep coming back"))
}

fn real_uid(pid: i32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok())
}

/// Which boot of the machine this is.
pub(crate) fn boot_id() -> io::Result<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned())
}

/// State letter and start time. The command name before them may hold anything, so fields count from its closing bracket.
fn stat(pid: i32) -> io::Result<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "an unreadable /proc stat line");
    let fields: Vec<&str> = text.rsplit_once(')').ok_or_else(odd)?.1.split_whitespace().collect();
    let state = fields.first().and_then(|field| field.chars().next()).ok_or_else(odd)?;
    let started = fields.get(19).and_then(|field| field.parse().ok()).ok_or_else(odd)?;
    Ok((state, started))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper<'a>(folder: &'a Path, log: &'a Path) -> Launch<'a> {
        let environment = vec![("PATH".to_owned(), OsString::from("/usr/bin:/bin"))];
        Launch { program: Path::new("sleep"), arguments: vec!["60".into()], environment, folder, owner: None, log }
    }

    #[tokio::test]
    async fn a_process_is_known_by_pid_and_start_time_and_found_by_its_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("log");
        let identity = sleeper(folder.path(), &log).start().expect("starts");
        let note = folder.path().join("note");
        Noted { identity: identity.clone(), ready: false, instance_type: None }.save(&note).expect("saves");
        assert_eq!(Noted::live(&note).map(|noted| noted.identity), Some(identity.clone()));
        assert_eq!(Noted::serving(&note), None);
        assert!(!Identity { started_ticks: identity.started_ticks + 1, ..identity.clone() }.alive());
        assert!(!Identity { boot_id: "another".to_owned(), ..identity.clone() }.alive());
        assert_eq!(strays(folder.path(), None).expect("reads").len(), 1);
        kill_strays(folder.path(), None, |_| true).await.expect("kills");
        assert!(!identity.alive());
        assert!(identity.watch().expect("asks").is_none());
        assert!(Noted::live(&note).is_none());
    }
}
