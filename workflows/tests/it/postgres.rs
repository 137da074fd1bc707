//! A private Postgres for one test, gone when it is dropped.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tempfile::TempDir;

/// A running cluster.
pub(crate) struct Postgres {
    process: Child,
    folder: TempDir,
}

fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.filter_map(|entry| entry.ok().map(|entry| entry.path().join("bin"))).collect())
        .unwrap_or_default();
    found.retain(|folder| folder.join("initdb").exists());
    found.sort();
    found.pop().expect("Postgres is installed under /usr/lib/postgresql")
}

/// The program, run as an unprivileged user when the tests run as root, because Postgres refuses root.
fn command(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").expect("procfs is mounted").uid() == 0
}

impl Postgres {
    /// Makes and starts an empty cluster that listens on a socket only.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("hearth-workflows-").tempdir_in("/tmp").expect("a folder in /tmp");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).expect("own folder");
        let data = folder.path().join("data");
        let made = command(&binaries().join("initdb"))
            .args(["--no-sync", "--auth=trust", "--username=hearth", "--encoding=UTF8", "--locale=C", "--pgdata"])
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("initdb runs");
        assert!(made.success(), "initdb failed");
        let process = command(&binaries().join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-c",
                "synchronous_commit=off",
                "-c",
                "max_connections=50",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres runs");
        Self { process, folder }
    }

    /// A pool on the cluster, migrated.
    pub(crate) async fn pool(&self) -> PgPool {
        let options =
            PgConnectOptions::new_without_pgpass().socket(self.folder.path()).username("hearth").database("postgres");
        let began = Instant::now();
        let pool = loop {
            match PgPoolOptions::new().max_connections(20).connect_with(options.clone()).await {
                Ok(pool) => break pool,
                Err(error) => assert!(began.elapsed() < Duration::from_secs(60), "postgres does not answer: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        store::migrate(&pool).await.expect("migrations apply");
        pool
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The child is Postgres itself: setpriv replaces itself by it.
        let pid = self.process.id().to_string();
        let _asked = Command::new("kill").args(["-QUIT", &pid]).status();
        let _ended = self.process.wait();
    }
}
