//! Running a file of SQL in a database, by `psql`: it reads everything that `pg_dump` writes, rows included. Files cannot run commands of
//! the machine: `psql` is told to refuse every command of its own before the first line of the file.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{io::AsyncWriteExt as _, process::Command};
use tokio_postgres::{Config, config::Host};

use crate::failure::Failure;

/// How files are run.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    pub(crate) psql: PathBuf,
    /// The user to connect as.
    pub(crate) user: Option<String>,
    /// Whether roles that do not exist may be made.
    pub(crate) missing_roles: bool,
}

/// Why a file did not run.
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    /// The role it missed, if that is why.
    pub(crate) missing_role: Option<String>,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { failure, missing_role: None }
    }
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        failed.failure
    }
}

impl Loader {
    /// Runs a file; the first statement that fails ends it.
    pub(crate) async fn run(&self, file: &Path, database: &Config, user: Option<&str>) -> Result<(), Failed> {
        let text = fs::read(file).map_err(|cause| Failure::io("read", file, cause))?;
        let key = ids::OperationId::generate().as_uuid().simple().to_string();
        let unusable = |cause| Failure::caused(format!("Could not run {}", self.psql.display()), cause);
        let mut child = Command::new(&self.psql)
            .args(["-X", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-f", "-"])
            .envs(environment(database, user))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(unusable)?;
        let mut input = child.stdin.take().expect("standard input was asked for");
        let written = async move {
            input.write_all(format!("\\restrict {key}\n").as_bytes()).await?;
            input.write_all(&without_restrictions(&text)).await
            // Dropped here: the end of the input ends psql.
        };
        let (written, output) = tokio::join!(written, child.wait_with_output());
        let output = output.map_err(unusable)?;
        if output.status.success() {
            return Ok(written.map_err(unusable)?);
        }
        Err(refused(file, &String::from_utf8_lossy(&output.stderr)))
    }
}

/// `pg_dump` brackets its output in the same command, with a key of its own.
fn without_restrictions(text: &[u8]) -> Vec<u8> {
    let mut key = None;
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let opening = line.strip_prefix(b"\\restrict ").map(<[u8]>::trim_ascii);
        let closing = line.strip_prefix(b"\\unrestrict ").map(<[u8]>::trim_ascii);
        match (opening, closing) {
            (Some(found), _) if key.is_none() => {
                key = Some(found);
                // Keeps the numbers of lines.
                out.push(b'\n');
            }
            (_, Some(found)) if key == Some(found) => out.push(b'\n'),
            _ => out.extend_from_slice(line),
        }
    }
    out
}

fn environment(database: &Config, user: Option<&str>) -> Vec<(&'static str, OsString)> {
    let text = |text: &str| OsString::from(text);
    let mut variables: Vec<(&'static str, OsString)> = vec![
        ("LC_ALL", text("C.UTF-8")),
        ("PGCLIENTENCODING", text("UTF8")),
        ("PGOPTIONS", text("-c client_min_messages=warning")),
        ("PGAPPNAME", text("hearth schema")),
    ];
    match database.get_hosts().first() {
        Some(Host::Tcp(host)) => variables.push(("PGHOST", text(host))),
        Some(Host::Unix(folder)) => variables.push(("PGHOST", folder.clone().into_os_string())),
        None => {}
    }
    if let Some(port) = database.get_ports().first() {
        variables.push(("PGPORT", text(&port.to_string())));
    }
    if let Some(user) = user {
        variables.push(("PGUSER", text(user)));
    }
    if let Some(password) = database.get_password() {
        variables.push(("PGPASSWORD", text(&String::from_utf8_lossy(password))));
    }
    if let Some(name) = database.get_dbname() {
        variables.push(("PGDATABASE", text(name)));
    }
    variables
}

/// The first complaint of `psql`, as a sentence that names the file and the line.
fn refused(file: &Path, said: &str) -> Failed {
    let complaint =
        said.lines().find(|line| line.contains("ERROR:") || line.contains("error:") || line.contains("FATAL:"));
    let Some(complaint) = complaint.or_else(|| said.lines().find(|line| !line.trim().is_empty())) else {
        return Failure::new(format!("{} could not be loaded: psql said nothing.", file.display())).into();
    };
    if complaint.contains("invalid command \\restrict") {
        let text = "This psql cannot run files safely: update it to 15.14, 16.10, 17.6 or newer.";
        return Failure::new(text).into();
    }
    let (place, message) = match complaint.strip_prefix("psql:<stdin>:").and_then(|rest| rest.split_once(": ")) {
        Some((line, message)) => {
            // Our own first line is not the file's.
            let line = line.parse::<u64>().unwrap_or(1).saturating_sub(1);
            (format!("{}, line {line}", file.display()), message)
        }
        None => (file.display().to_string(), complaint),
    };
    let message = message.trim_start_matches("ERROR:").trim();
    let missing_role = message
        .strip_prefix("42704: role \"")
        .and_then(|rest| rest.strip_suffix("\" does not exist"))
        .map(|name| name.replace("\"\"", "\""));
    let message = message.split_once(": ").filter(|(code, _)| code.len() == 5).map_or(message, |(_, text)| text);
    Failed { failure: Failure::caused(format!("{place} could not be loaded"), message.to_owned()), missing_role }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brackets_of_a_dump_are_taken_away_and_lines_stay_where_they_are() {
        let dump = b"--\n\\restrict abc\nselect 1;\n\\unrestrict other\n\\unrestrict abc\n";
        assert_eq!(without_restrictions(dump), b"--\n\nselect 1;\n\\unrestrict other\n\n");
    }

    #[test]
    fn a_complaint_names_the_file_its_line_and_a_role_that_is_missing() {
        let failed =
            refused(Path::new("a.sql"), "psql:<stdin>:4: ERROR:  42704: role \"ann\" does not exist\nLOCATION: x\n");
        assert_eq!(failed.missing_role.as_deref(), Some("ann"));
        assert_eq!(failed.failure.to_string(), "a.sql, line 3 could not be loaded: role \"ann\" does not exist.");
    }
}
