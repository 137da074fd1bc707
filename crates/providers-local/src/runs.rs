//! When data planes end: whoever sees it first notes the moment, and before another process is started the project's meter is told.
//!
//! The launcher of a process and every supervisor watch it by pidfd, so the moment is missed only when none of them lives, or with the machine.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use rustix::{
    fs::{AtFlags, Gid, Mode, OFlags, Uid, fchown, fsync, mkdirat, openat, renameat, unlinkat},
    io::Errno,
};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    layout::ProjectFolder,
    owner::Owner,
    process::{Identity, Noted, Watched, boot_id},
};

/// How long one who saw the end may take to note it, on a machine that is busy. Only where nobody saw it is this waited for in vain.
const NOTING_PATIENCE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(5);
const MOMENT_EXTENSION: &str = "ended";

/// What the meter is told in a file of its usage folder; `data-plane-contract` has the same.
#[derive(Serialize)]
struct EndedRun<'a> {
    started_at: DateTime<Utc>,
    started_ms: u64,
    ended_ms: Option<u64>,
    instance_type: Option<&'a str>,
}

/// Milliseconds since the machine was started, by the clock in which the kernel keeps the starts of processes; to the hundredth, as those.
fn machine_ms() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/uptime")?;
    let seconds = text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    let seconds = seconds.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "an unreadable /proc/uptime"))?;
    // Hundredths of seconds are few enough to be whole in this type.
    Ok((seconds * 100.0).round() as u64 * 10)
}

fn moment(folder: &ProjectFolder, identity: &Identity) -> PathBuf {
    folder.processes().join(format!("{}.{MOMENT_EXTENSION}", identity.run_id()))
}

/// Waits until a data plane ends and notes when that was.
pub(crate) async fn watch_end(folder: &ProjectFolder, identity: &Identity, process: &Watched) {
    process.ended().await;
    note_end(folder, identity);
}

/// Notes that a data plane ended just now, unless somebody has; one that lives is left alone.
pub(crate) fn note_end(folder: &ProjectFolder, identity: &Identity) {
    if identity.alive() {
        return;
    }
    let path = moment(folder, identity);
    let noted = machine_ms().and_then(|now| {
        let mut draft = tempfile::NamedTempFile::new_in(folder.processes())?;
        draft.write_all(now.to_string().as_bytes())?;
        draft.persist_noclobber(&path).map_err(|unsaved| unsaved.error).map(drop)
    });
    match noted {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && folder.processes().exists() => {
            tracing::warn!(error = %error, path = %path.display(), "the end of a process could not be noted");
        }
        _ => {}
    }
}

/// Tells the project's meter of a process that is over. The caller holds the project's lock and starts no other before. The process is
/// known by its note, which the caller removes afterwards, so that nothing is told again once it was counted.
pub(crate) async fn tell_end(folder: &ProjectFolder, noted: &Noted, owner: Option<Owner>) -> io::Result<()> {
    let (identity, started_ms) = (&noted.identity, noted.identity.started_ms());
    let ended_ms = moment_of(&moment(folder, identity), identity).await;
    // Of another boot the clock is over too; its days are about right.
    let since = TimeDelta::milliseconds(i64::try_from(machine_ms()?.saturating_sub(started_ms)).unwrap_or(0));
    let ended = EndedRun {
        started_at: Utc::now() - since,
        started_ms,
        ended_ms,
        instance_type: noted.instance_type.as_deref(),
    };
    let name = format!("{}.{MOMENT_EXTENSION}", identity.run_id());
    put_in_usage(&folder.root, owner, &name, &serde_json::to_vec(&ended)?)
}

/// Forgets moments of processes whose meter was told.
pub(crate) fn forget_ends(folder: &ProjectFolder) -> io::Result<()> {
    for entry in fs::read_dir(folder.processes())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == MOMENT_EXTENSION) {
            crate::failure::remove_file(&path)?;
        }
    }
    Ok(())
}

async fn moment_of(path: &Path, identity: &Identity) -> Option<u64> {
    let deadline = Instant::now() + NOTING_PATIENCE;
    loop {
        if let Ok(text) = fs::read_to_string(path) {
            return text.parse().ok();
        }
        // Nobody who could have seen it lived to note it.
        if Instant::now() > deadline || boot_id().is_ok_and(|boot| boot != identity.boot_id) {
            return None;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Writes a file into `state/usage`, whole or not at all. Both folders belong to the project's user, so no link is followed on the way.
fn put_in_usage(root: &Path, owner: Option<Owner>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let state = openat(rustix::fs::CWD, root.join("state"), folder, Mode::empty())?;
    let hand_over = |file: &rustix::fd::OwnedFd| match owner {
        Some(Owner { uid, gid }) => fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))),
        None => Ok(()),
    };
    let made = mkdirat(&state, "usage", Mode::RWXU);
    let usage = openat(&state, "usage", folder, Mode::empty())?;
    match made {
        Ok(()) => hand_over(&usage)?,
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let draft = format!("{name}.draft");
    match unlinkat(&usage, &draft, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(&usage, &draft, new, Mode::RUSR | Mode::WUSR)?;
    hand_over(&file)?;
    let mut file = fs::File::from(file);
    file.write_all(bytes)?;
    file.sync_all()?;
    renameat(&usage, &draft, &usage, name)?;
    Ok(fsync(&usage)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_for_the_meter_goes_nowhere_but_there() {
        let place = tempfile::tempdir().expect("a folder");
        let (root, elsewhere) = (place.path().join("project"), place.path().join("elsewhere"));
        fs::create_dir_all(root.join("state")).expect("makes");
        fs::create_dir(&elsewhere).expect("makes");
        for content in ["first", "second"] {
            put_in_usage(&root, None, "one.ended", content.as_bytes()).expect("writes");
            assert_eq!(fs::read_to_string(root.join("state/usage/one.ended")).expect("reads"), content);
        }
        symlink(&elsewhere, root.join("state/usage/two.ended")).expect("links");
        put_in_usage(&root, None, "two.ended", b"here").expect("replaces the link");
        fs::remove_dir_all(root.join("state/usage")).expect("removes");
        symlink(&elsewhere, root.join("state/usage")).expect("links");
        assert!(put_in_usage(&root, None, "three.ended", b"nowhere").is_err());
        assert_eq!(fs::read_dir(&elsewhere).expect("reads").count(), 0);
    }
}
