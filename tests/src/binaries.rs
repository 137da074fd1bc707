//! Finds the binaries under test beside the running test, and builds them first so that they are never older than the source.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The folder with `hearth` and `hearth-data-plane`. `HEARTH_BINARIES` names one that is used as it is.
///
/// # Panics
/// When they cannot be built.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| match env::var_os("HEARTH_BINARIES") {
        Some(folder) => PathBuf::from(folder),
        None => build(),
    })
}

/// The `hearth` binary.
#[must_use]
pub fn hearth() -> PathBuf {
    folder().join("hearth")
}

/// The `hearth-data-plane` binary.
#[must_use]
pub fn data_plane() -> PathBuf {
    folder().join("hearth-data-plane")
}

/// The root of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests package is a folder of the repository")
}

/// Tests run from `<target>/<profile>/deps`; the binaries are in `<target>/<profile>`.
fn build() -> PathBuf {
    let test = env::current_exe().expect("a running test has a path");
    let folder = test.ancestors().nth(2).expect("cargo keeps tests in <profile>/deps").to_owned();
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The selection of packages with which the tests are built, or every dependency would be compiled once more with other features.
    command.current_dir(repository()).args(["build", "--locked", "--quiet", "--workspace", "--bins"]);
    if folder.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().expect("cargo runs, it started this test");
    assert!(status.success(), "hearth and hearth-data-plane do not build");
    folder
}
