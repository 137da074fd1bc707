//! The programs that write and read a backup, and where its file is.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use tokio::process::Command;
use uuid::Uuid;

use crate::{config::Config, state::App};

/// Folder of backups below that of stored objects; no bucket may have this name.
pub(crate) const FOLDER: &str = "_database_backups";

/// Longest text of a failure that is kept.
const LONGEST_ERROR: usize = 500;

/// Where a backup's file is, relative to the folder of stored objects.
pub(super) fn key(id: Uuid, at: DateTime<Utc>) -> String {
    format!("{FOLDER}/{}_{id}.dump", at.format("%Y%m%d_%H%M%S"))
}

/// The file of a key.
pub(super) fn path(app: &App, key: &str) -> PathBuf {
    app.config.storage_dir.join(key)
}

/// Writes a backup to a file; its size in bytes.
pub(super) async fn write(app: &App, target: &Path) -> Result<u64, String> {
    let text = |error: std::io::Error| error.to_string();
    if let Some(folder) = target.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(text)?;
    }
    let mut command = client_program(&app.config, "pg_dump");
    command.args(["--format=custom", "--file"]).arg(target);
    let output = run("pg_dump", &mut command).await?;
    if !output.status.success() {
        let _nothing_to_keep = tokio::fs::remove_file(target).await;
        return Err(failure("pg_dump", &output));
    }
    tokio::fs::metadata(target).await.map(|file| file.len()).map_err(text)
}

/// Puts the database into the state of a backup, all of it or nothing.
pub(super) async fn read(app: &App, source: &Path) -> Result<(), String> {
    let mut command = client_program(&app.config, "pg_restore");
    command.env("PGOPTIONS", "-c lock_timeout=30s");
    command.args(["--clean", "--if-exists", "--single-transaction"]).arg(source);
    let output = run("pg_restore", &mut command).await?;
    if output.status.success() {
        return Ok(());
    }
    if String::from_utf8_lossy(&output.stderr).contains("lock timeout") {
        return Err("Restore aborted after waiting more than 30s for a database lock. \
                    End long transactions and try again; nothing was changed."
            .to_owned());
    }
    Err(failure("pg_restore", &output))
}

async fn run(name: &str, command: &mut Command) -> Result<Output, String> {
    command.stdin(Stdio::null()).kill_on_drop(true).output().await.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("{name} is not available in the backend environment. Install the PostgreSQL client programs.")
        }
        _ => format!("{name} could not be started: {error}"),
    })
}

fn client_program(config: &Config, name: &str) -> Command {
    let mut command = Command::new(name);
    command
        .env("PGPASSWORD", config.postgres_password.expose_secret())
        .arg("--no-password")
        .args(["--host", &config.postgres_host, "--port", &config.postgres_port.to_string()])
        .args(["--username", &config.postgres_user, "--dbname", &config.postgres_db]);
    command
}

fn failure(name: &str, output: &Output) -> String {
    let code = output.status.code().map_or_else(|| "?".to_owned(), |code| code.to_string());
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.trim().chars().take(LONGEST_ERROR).collect();
    format!("{name} exited with code {code}: {said}")
}
