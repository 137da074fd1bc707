//! The migrations of real applications, kept beside the repository and not in it.

use std::{fs, path::PathBuf};

use crate::binaries::repository;

/// The text of an application's first migration, such as `todo.sql`; `None`, said loudly, where the fixtures are not there.
#[must_use]
pub fn migration(name: &str) -> Option<String> {
    let path = folder().join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(_) => {
            eprintln!(
                "SKIPPED: {} is not there; set HEARTH_FIXTURES to the folder that holds apps/{name}",
                path.display()
            );
            None
        }
    }
}

fn folder() -> PathBuf {
    match std::env::var_os("HEARTH_FIXTURES") {
        Some(folder) => PathBuf::from(folder).join("apps"),
        None => repository().join("../shared/fixtures/apps"),
    }
}
