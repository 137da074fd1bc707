//! The other engines, run as their users run them.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::cluster::{Cluster, SUPERUSER, tools};

/// One of them.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    program: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Migra,
    PgDelta,
}

/// Those that are installed; says which are not.
pub(crate) fn installed() -> Vec<Peer> {
    let folder = tools().unwrap_or_default().join("peers");
    let known = [
        Peer { name: "migra", program: folder.join("python/bin/migra"), kind: Kind::Migra },
        Peer { name: "pg-delta", program: folder.join("node/node_modules/.bin/pgdelta"), kind: Kind::PgDelta },
    ];
    known
        .into_iter()
        .filter(|peer| {
            let there = peer.program.exists();
            if !there {
                println!("{} is not installed: `.ci/install bench` does it", peer.name);
            }
            there
        })
        .collect()
}

impl Peer {
    /// The script that it says leads from one database to the other.
    pub(crate) async fn script(&self, cluster: &Cluster, from: &str, to: &str) -> Result<String, String> {
        let host = cluster.folder().display().to_string();
        let address = |name: &str| format!("postgresql://{SUPERUSER}@localhost/{name}?host={host}");
        match self.kind {
            Kind::Migra => {
                let mut command = Command::new(&self.program);
                command.args(["--unsafe", "--with-privileges"]).args([address(from), address(to)]);
                // It ends with 2 where there is a difference.
                output(command, &[0, 2]).await
            }
            Kind::PgDelta => {
                let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
                let (plan, script) = (scratch.path().join("plan.json"), scratch.path().join("plan"));
                let mut command = Command::new(&self.program);
                command.args(["plan", "--source", &address(from), "--desired", &address(to), "--out"]).arg(&plan);
                output(command, &[0, 2]).await?;
                let mut command = Command::new(&self.program);
                command.arg("render").arg("--plan").arg(&plan).arg("--out").arg(&script).arg("--allow-drops");
                output(command, &[0, 2]).await?;
                read_all(scratch.path())
            }
        }
    }
}

/// All scripts of a folder in the order of their names.
fn read_all(folder: &Path) -> Result<String, String> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .map_err(|error| error.to_string())?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read_to_string(path).map_err(|error| error.to_string()))
        .collect::<Result<Vec<_>, _>>()
        .map(|parts| parts.join("\n-- next\n"))
}

async fn output(mut command: Command, good: &[i32]) -> Result<String, String> {
    let output = command.output().await.map_err(|error| error.to_string())?;
    if output.status.code().is_some_and(|code| good.contains(&code)) {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
