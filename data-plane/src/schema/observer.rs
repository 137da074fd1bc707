//! The second observer: `pg_dump` looks at a clone before and after a plan, and what it sees change must be what the catalogs say has changed.
//!
//! It reads only. Its output is never run: a dump that is restored by a superuser would evaluate the developer's expressions with a
//! superuser's rights.

use std::{path::PathBuf, process::Stdio, time::Instant};

use data_plane_contract::schema::Observation;
use schema_merge::{Catalog, observer};
use tokio::process::Command;

use super::meter::milliseconds;
use crate::state::App;

const MOST_DIFFERENCES: usize = 20;

/// What `pg_dump` saw.
pub(super) struct Observer {
    before: Result<String, String>,
    after: Result<String, String>,
    took_ms: f64,
}

impl Observer {
    /// Looks at the clone before the plan, if it was asked for.
    pub(super) async fn look(app: &App, asked: bool) -> Self {
        let started = Instant::now();
        let before = if asked { dump(app).await } else { Err("It was not asked for.".to_owned()) };
        let after = Err("It did not look a second time.".to_owned());
        Self { before, after, took_ms: milliseconds(started.elapsed()) }
    }

    /// Looks at it after the plan, if it could before.
    pub(super) async fn look_again(&mut self, app: &App) {
        let started = Instant::now();
        if self.before.is_ok() {
            self.after = dump(app).await;
        }
        self.took_ms += milliseconds(started.elapsed());
    }

    /// Compares what it saw with what the catalogs say.
    pub(super) fn compare(self, before: &Catalog, after: &Catalog) -> Observation {
        let (first, second) = match (self.before, self.after) {
            (Ok(first), Ok(second)) => (first, second),
            (Err(reason), _) | (_, Err(reason)) => {
                return Observation { verdict: "absent".to_owned(), reason: Some(reason), ..Observation::default() };
            }
        };
        let started = Instant::now();
        let mut differences = observer::disagreements(&first, &second, before, after);
        differences.truncate(MOST_DIFFERENCES);
        let verdict = if differences.is_empty() { "agrees" } else { "disagrees" };
        let duration_ms = self.took_ms + milliseconds(started.elapsed());
        Observation { verdict: verdict.to_owned(), differences, reason: None, duration_ms }
    }
}

/// The schema as `pg_dump` writes it.
async fn dump(app: &App) -> Result<String, String> {
    let program = program(app).await?;
    let output = Command::new(&program)
        .args(["--schema-only", "--no-subscriptions", "--no-security-labels", "--no-tablespaces"])
        .args(["-N", "hearth_undo_*", "-N", "hearth_redo_*"])
        .envs(app.pools.superuser_environment())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|error| format!("its output cannot be read: {error}"));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("pg_dump failed: {}", said.lines().last().unwrap_or("it said nothing")))
}

/// The program that belongs to the server, which knows where it was installed.
async fn program(app: &App) -> Result<PathBuf, String> {
    let folder = async {
        let client = app.pools.superuser().await?;
        client
            .query_one("select setting from pg_catalog.pg_config where name = 'BINDIR'", &[])
            .await?
            .try_get::<_, String>(0)
    };
    let folder = folder.await.map_err(|error| format!("the server's folder is not known: {error}"))?;
    let program = PathBuf::from(folder).join("pg_dump");
    if program.exists() { Ok(program) } else { Err(format!("{} is not installed on this machine", program.display())) }
}
