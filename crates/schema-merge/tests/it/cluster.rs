//! A private Postgres cluster on a unix socket, gone when dropped.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The superuser of test clusters.
pub(crate) const SUPERUSER: &str = "tester";

/// Postgres refuses root, so root lends the cluster to `nobody`.
const NOBODY: u32 = 65534;

pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    process: Child,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let root = std::fs::metadata(folder.path()).expect("the folder was just made").uid() == 0;
        if root {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may give a folder away");
        }
        let data = folder.path().join("data");
        let made = command("initdb", root)
            .arg("-D")
            .arg(&data)
            .args(["-U", SUPERUSER, "--no-sync", "-A", "trust", "-E", "UTF8", "--locale=C"])
            .stdout(Stdio::null())
            .status()
            .expect("initdb can be run");
        assert!(made.success(), "initdb failed");
        let log = std::fs::File::create(folder.path().join("log")).expect("a log file can be made");
        let process = command("postgres", root)
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=40", "-c", "autovacuum=off"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres can be run");
        let cluster = Self { folder, process };
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match cluster.config("postgres").connect(tokio_postgres::NoTls).await {
                Ok(_) => return cluster,
                Err(error) => assert!(Instant::now() < deadline, "postgres did not answer: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn config(&self, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.folder.path()).user(SUPERUSER).dbname(database);
        config
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Backends notice that their postmaster is gone and leave.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(name: &str, root: bool) -> Command {
    let mut command = Command::new(binary(name));
    if root {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/");
    command
}

fn binary(name: &str) -> PathBuf {
    let mut versions: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    versions.sort();
    let found = versions.into_iter().map(|version| version.join("bin").join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| Path::new(name).to_path_buf())
}
