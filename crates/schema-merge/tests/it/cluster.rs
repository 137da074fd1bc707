//! A private Postgres cluster on a unix socket, gone when dropped.
//!
//! `HEARTH_TEST_POSTGRES` names the folder of the installation to use; otherwise it is the oldest one of the system.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The superuser of test clusters.
pub(crate) const SUPERUSER: &str = "tester";

/// Postgres refuses root, so root lends the cluster to `nobody`.
const NOBODY: u32 = 65534;

/// Free bytes that a cluster needs at most.
const ROOM: u64 = 3 << 30;

/// Nothing here needs to outlive a crash.
const SETTINGS: [&str; 11] = [
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=4GB",
    "max_connections=60",
    "autovacuum=off",
    "jit=off",
    // Nothing that a test runs takes so long: what waits for ever fails.
    "statement_timeout=120s",
];

pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    programs: Option<PathBuf>,
    process: Child,
    admin: tokio::sync::OnceCell<tokio_postgres::Client>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::of(std::env::var_os("HEARTH_TEST_POSTGRES").map(PathBuf::from)).await
    }

    /// A cluster of this installation.
    pub(crate) async fn of(installation: Option<PathBuf>) -> Self {
        let folder = folder();
        let programs = installation.map(|installation| {
            // Where only root may look, another user can run nothing.
            let copied = Command::new("cp").arg("-RL").arg(&installation).arg(folder.path().join("postgres")).status();
            assert!(copied.is_ok_and(|status| status.success()), "{} cannot be copied", installation.display());
            folder.path().join("postgres/bin")
        });
        let command = |name: &str, root: bool| command(programs.as_deref(), name, root);
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
            .args(SETTINGS.iter().flat_map(|setting| ["-c", *setting]))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres can be run");
        let cluster = Self { folder, programs: programs.clone(), process, admin: tokio::sync::OnceCell::new() };
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match cluster.config("postgres").connect(tokio_postgres::NoTls).await {
                Ok(_) => return cluster,
                Err(error) => assert!(Instant::now() < deadline, "postgres did not answer: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The major version.
    pub(crate) async fn version(&self) -> u32 {
        let (client, connection) =
            self.config("postgres").connect(tokio_postgres::NoTls).await.expect("the cluster answers");
        tokio::spawn(connection);
        let row = client.query_one("select current_setting('server_version_num')::int / 10000", &[]).await;
        row.expect("the version can be read").get::<_, i32>(0).unsigned_abs()
    }

    /// A connection for making and dropping databases; statements on it wait for each other.
    pub(crate) async fn admin(&self) -> &tokio_postgres::Client {
        let connect = async || {
            let (client, connection) =
                self.config("postgres").connect(tokio_postgres::NoTls).await.expect("the cluster answers");
            tokio::spawn(connection);
            client
        };
        self.admin.get_or_init(connect).await
    }

    /// The schema of a database as `pg_dump` sees it.
    pub(crate) async fn dump(&self, database: &str) -> Result<String, String> {
        let mut dump = tokio::process::Command::new(binary(self.programs.as_deref(), "pg_dump"));
        if let Some(programs) = &self.programs {
            dump.env("LD_LIBRARY_PATH", programs.join("../lib"));
        }
        dump.args(["--schema-only", "--username", SUPERUSER, "--dbname", database, "--host"]).arg(self.folder.path());
        let output = dump.output().await.map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// What ends it from a thread that does not own it.
    #[allow(dead_code, reason = "the benchmark does not need it")]
    pub(crate) fn ender(&self) -> Ender {
        Ender { process: self.process.id(), folder: self.folder.path().to_owned() }
    }

    /// Where its socket is.
    #[allow(dead_code, reason = "only the benchmark's peers need it")]
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn config(&self, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.folder.path()).user(SUPERUSER).dbname(database);
        config
    }
}

/// Ends a cluster when the whole test has to end at once.
pub(crate) struct Ender {
    process: u32,
    folder: PathBuf,
}

#[allow(dead_code, reason = "the benchmark does not need it")]
impl Ender {
    pub(crate) fn end(&self) {
        let process = i32::try_from(self.process).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(process) = process {
            let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Backends notice that their postmaster is gone and leave.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The folder in which `.ci/install` keeps what it fetched.
pub(crate) fn tools() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    variable("HEARTH_TOOLS")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("hearth-ci")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/hearth-ci")))
}

/// Installations of other major versions, as `.ci/install test` lays them out.
pub(crate) fn other_versions() -> Vec<PathBuf> {
    let installations =
        tools().into_iter().flat_map(|cache| ["16", "18"].map(|version| cache.join("postgres").join(version)));
    installations.filter(|installation| installation.join("bin/postgres").exists()).collect()
}

/// In memory where there is room, because a test makes and drops many databases.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).is_ok_and(|volume| volume.f_bavail * volume.f_frsize > ROOM);
    let made = if room { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary folder can be made")
}

fn command(programs: Option<&Path>, name: &str, root: bool) -> Command {
    let mut command = Command::new(binary(programs, name));
    if root {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/");
    if let Some(folder) = programs {
        command.env("LD_LIBRARY_PATH", folder.join("../lib"));
    }
    command
}

fn binary(programs: Option<&Path>, name: &str) -> PathBuf {
    if let Some(folder) = programs {
        return folder.join(name);
    }
    let mut versions: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    versions.sort();
    let found = versions.into_iter().map(|version| version.join("bin").join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| Path::new(name).to_path_buf())
}
