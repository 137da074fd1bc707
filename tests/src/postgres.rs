//! Finds the Postgres programs of this machine.

use std::{fs, path::PathBuf};

/// A program of the newest installed Postgres, such as `pgbench`.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let mut folders: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    folders.sort();
    folders.into_iter().rev().map(|(_, folder)| folder.join(name)).find(|path| path.is_file())
}
