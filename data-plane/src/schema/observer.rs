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

/// A look at the clone before the plan.
pub(super) struct Observer {
    before: Result<String, String>,
    took_ms: f64,
}

impl Observer {
    /// Looks now.
    pub(super) async fn look(app: &App) -> Self {
        let started = Instant::now();
        let before = dump(app).await;
        Self { before, took_ms: milliseconds(started.elapsed()) }
    }

    /// One that cannot look.
    pub(super) fn blind(reason: &str) -> Self {
        Self { before: Err(reason.to_owned()), took_ms: 0.0 }
    }

    /// Looks again and compares.
    pub(super) async fn compare(self, app: &App, before: &Catalog, after: &Catalog) -> Observation {
        let started = Instant::now();
        let absent = |reason: String| Observation {
            verdict: "absent".to_owned(),
            reason: Some(reason),
            ..Observation::default()
        };
        let first = match self.before {
            Ok(first) => first,
            Err(reason) => return absent(reason),
        };
        let second = match dump(app).await {
            Ok(second) => second,
            Err(reason) => return absent(reason),
        };
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
