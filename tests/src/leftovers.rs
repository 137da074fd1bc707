//! What a cloud may have left behind: processes and mounts that mention its home, or what stands for it elsewhere.

use std::fs;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// A process that belongs to a cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Its command line.
    pub command: String,
}

/// Processes whose command line, working folder or environment names one of these. Zombies are not processes any more.
#[must_use]
pub fn processes_naming(needles: &[&str]) -> Vec<Process> {
    let me = i32::try_from(std::process::id()).expect("a process id fits");
    let named = |text: &str| needles.iter().any(|needle| text.contains(needle));
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != me)
        .filter_map(|pid| {
            let command = read(pid, "cmdline").replace('\0', " ").trim().to_owned();
            let folder = fs::read_link(format!("/proc/{pid}/cwd"))
                .map(|path| path.to_string_lossy().into_owned())
                .unwrap_or_default();
            ((named(&command) || named(&folder) || named(&read(pid, "environ"))) && !zombie(pid))
                .then_some(Process { pid, command })
        })
        .collect()
}

/// Mount points at or below one of these, innermost first.
#[must_use]
pub fn mounts_under(folders: &[&str]) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut mounts: Vec<String> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|point| folders.iter().any(|folder| point.starts_with(folder)))
        .map(str::to_owned)
        .collect();
    mounts.sort_by_key(|point| std::cmp::Reverse(point.len()));
    mounts
}

/// Kills those processes and undoes those mounts; for a cloud whose test has failed.
pub fn clear(folders: &[&str]) {
    for process in processes_naming(folders) {
        // One that has ended meanwhile needs no killing.
        let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
    }
    crate::wait::until_blocking(std::time::Duration::from_secs(5), || processes_naming(folders).is_empty());
    for mount in mounts_under(folders) {
        let _ = nix::mount::umount2(mount.as_str(), nix::mount::MntFlags::MNT_DETACH);
    }
}

/// Sum of the proportional set sizes of the processes, in bytes.
#[must_use]
pub fn proportional_set_bytes(processes: &[Process]) -> u64 {
    processes.iter().filter_map(|process| proportional_set_kib(process.pid)).sum::<u64>() * 1024
}

fn proportional_set_kib(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Pss:"))?.trim().trim_end_matches(" kB").trim().parse().ok()
}

fn read(pid: i32, file: &str) -> String {
    fs::read(format!("/proc/{pid}/{file}"))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

fn zombie(pid: i32) -> bool {
    // The state follows the command's name, which is in parentheses and may hold anything.
    read(pid, "stat").rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z') || rest.starts_with('X'))
}
