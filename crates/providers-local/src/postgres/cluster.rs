//! One cluster: `initdb`, start by running `postgres` itself and watching its pid file (1 ms, where `pg_ctl` polls every 100), fast stop.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use providers::{Error, Result};
use rustix::process::Signal;
use tokio::time::Instant;
use tokio_postgres::{Client, NoTls};

use super::{Distribution, PORT, Settings};
use crate::{
    failure::{Doing as _, remove_file, remove_folder},
    owner::{Owner, folder, hand_over, private_folder, write_whole},
    process::{Identity, Launch, Noted, Watched, kill_strays, last_line},
};

/// The unprivileged user that every system has.
const NOBODY: u32 = 65_534;
const POLL: Duration = Duration::from_millis(1);
/// Replaying a large write-ahead log takes long; anything quicker is noticed at once.
const START_PATIENCE: Duration = Duration::from_mins(5);
/// Fast, then immediate, then by force.
const STOP: &[(Signal, Duration)] = &[
    (Signal::INT, Duration::from_mins(1)),
    (Signal::QUIT, Duration::from_secs(10)),
    (Signal::KILL, Duration::from_secs(10)),
];

/// Immediate, then by force.
const ABANDON: &[(Signal, Duration)] =
    &[(Signal::QUIT, Duration::from_secs(10)), (Signal::KILL, Duration::from_secs(10))];

/// A cluster on disk, running or not. Whoever calls its changing methods holds the lock of what it belongs to.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its programs.
    pub distribution: Distribution,
    /// The data directory.
    pub data: PathBuf,
    /// The folder of its socket.
    pub sockets: PathBuf,
    /// Where the server's messages go.
    pub log: PathBuf,
    /// Where its process is noted.
    pub note: PathBuf,
    /// Who runs it; `None` is the operator.
    pub owner: Option<Owner>,
    /// The bootstrap superuser.
    pub superuser: String,
}

impl Cluster {
    /// Makes an empty cluster where nothing is. Not durable until synced.
    ///
    /// # Errors
    /// Transient, with the last line `initdb` wrote.
    pub async fn initialise(&self, segment_mib: u32) -> Result<()> {
        let Some(owner) = self.owner else { return self.run_initdb(&self.data, None, segment_mib).await };
        // `initdb` insists on a user with a name, which a project's has not. Others who run under the name cannot enter, for the group is ours.
        let doing = || format!("making {}", self.data.display());
        let named = Owner { uid: NOBODY, gid: owner.gid };
        let closed = self.data.with_extension("initdb");
        remove_folder(&closed)
            .and_then(|()| folder(&closed, 0o710, Some(Owner { uid: 0, gid: owner.gid })))
            .doing(doing)?;
        let data = closed.join("pgdata");
        private_folder(&data, Some(named)).doing(doing)?;
        self.run_initdb(&data, Some(named), segment_mib).await?;
        hand_over(&data, owner).and_then(|()| remove_folder(&self.data)).doing(doing)?;
        fs::rename(&data, &self.data).and_then(|()| remove_folder(&closed)).doing(doing)
    }

    async fn run_initdb(&self, data: &Path, owner: Option<Owner>, segment_mib: u32) -> Result<()> {
        let arguments = [
            "--no-sync".into(),
            "--locale=C.UTF-8".into(),
            "--encoding=UTF8".into(),
            "--auth=trust".into(),
            "--no-instructions".into(),
            format!("--wal-segsize={segment_mib}").into(),
            format!("--username={}", self.superuser).into(),
            OsString::from("-D"),
            data.into(),
        ];
        let program = self.distribution.program("initdb");
        let launch = Launch { owner, folder: Path::new("/"), ..self.launch(&program, arguments.into()) };
        let output = launch.command().output().await.doing(|| "running initdb")?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Error::transient(
            format!("making a cluster in {}", data.display()),
            said.lines().last().unwrap_or("it said nothing").to_owned(),
        ))
    }

    /// Writes its configuration.
    ///
    /// # Errors
    /// Transient when files cannot be written.
    pub fn configure(&self, settings: &Settings) -> Result<()> {
        let files = [("postgresql.conf", settings.render(&self.sockets)), ("pg_hba.conf", settings.render_access())];
        for (name, text) in files {
            let path = self.data.join(name);
            if fs::read_to_string(&path).is_ok_and(|there| there == text) {
                continue;
            }
            write_whole(&path, text.as_bytes(), self.owner).doing(|| format!("writing {}", path.display()))?;
        }
        Ok(())
    }

    /// Whether it runs and answers.
    #[must_use]
    pub fn running(&self) -> bool {
        Noted::serving(&self.note).is_some()
    }

    /// Starts it and waits until it answers; `spawned` learns the pid at once. Running already is fine.
    ///
    /// # Errors
    /// Transient, with what the server said last.
    pub async fn start(&self, spawned: impl FnOnce(i32) + Send) -> Result<()> {
        let identity = match Noted::live(&self.note) {
            Some(noted) if noted.ready => return Ok(()),
            Some(noted) => noted.identity,
            None => {
                self.clear_remains().await.doing(|| format!("clearing {} for a start", self.data.display()))?;
                let program = self.distribution.program("postgres");
                let launch = self.launch(&program, vec!["-D".into(), self.data.clone().into()]);
                let identity = launch.start().doing(|| format!("starting {}", program.display()))?;
                spawned(identity.pid);
                self.note(&identity, false)?;
                identity
            }
        };
        self.wait_ready(&identity).await?;
        self.note(&identity, true)
    }

    /// Checkpoints and stops it; not running is fine.
    ///
    /// # Errors
    /// Transient when it cannot be stopped.
    pub async fn stop(&self) -> Result<()> {
        self.end(STOP).await
    }

    /// Stops it without a checkpoint, for its data is to be removed.
    ///
    /// # Errors
    /// Transient when it survives.
    pub async fn abandon(&self) -> Result<()> {
        self.end(ABANDON).await
    }

    async fn end(&self, signals: &[(Signal, Duration)]) -> Result<()> {
        let doing = || format!("stopping Postgres in {}", self.data.display());
        if let Some(process) = self.process().doing(doing)?
            && !process.stop(signals).await.doing(doing)?
        {
            return Err(Error::transient(doing(), "it survived every signal"));
        }
        self.clear_remains().await.doing(doing)?;
        remove_file(&self.note).doing(doing)
    }

    /// A connection over its socket.
    ///
    /// # Errors
    /// Transient when it does not answer.
    pub async fn connect(&self, user: &str, database: &str) -> Result<Client> {
        connect(&self.sockets, user, database).await
    }

    /// A handle to its server process, if it runs.
    pub(crate) fn process(&self) -> io::Result<Option<Watched>> {
        Noted::live(&self.note).map_or(Ok(None), |noted| noted.identity.watch())
    }

    fn note(&self, identity: &Identity, ready: bool) -> Result<()> {
        let noted = Noted { identity: identity.clone(), ready, instance_type: None };
        noted.save(&self.note).doing(|| format!("writing {}", self.note.display()))
    }

    fn launch<'a>(&'a self, program: &'a Path, arguments: Vec<OsString>) -> Launch<'a> {
        let environment = [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")];
        let environment =
            environment.into_iter().map(|(name, value)| (name.to_owned(), OsString::from(value))).collect();
        Launch { program, arguments, environment, folder: &self.sockets, owner: self.owner, log: &self.log }
    }

    /// Ends what a dead server left: its children, its pid file and its socket. Pids are reused, so the files prove nothing.
    async fn clear_remains(&self) -> io::Result<()> {
        if !self.data.join("postmaster.pid").exists() && !self.sockets.join(format!(".s.PGSQL.{PORT}.lock")).exists() {
            return Ok(());
        }
        kill_strays(&self.data, None, |_| true).await?;
        remove_file(&self.data.join("postmaster.pid"))?;
        remove_file(&self.sockets.join(format!(".s.PGSQL.{PORT}")))?;
        remove_file(&self.sockets.join(format!(".s.PGSQL.{PORT}.lock")))
    }

    async fn wait_ready(&self, identity: &Identity) -> Result<()> {
        let doing = || format!("starting Postgres in {}", self.data.display());
        let failed = || Error::transient(doing(), last_line(&self.log));
        let Some(process) = identity.watch().doing(doing)? else { return Err(failed()) };
        let deadline = Instant::now() + START_PATIENCE;
        while !self.says_ready(identity.pid) {
            if tokio::time::timeout(POLL, process.ended()).await.is_ok() {
                return Err(failed());
            }
            if Instant::now() > deadline {
                return Err(Error::transient(doing(), "it did not become ready in time"));
            }
        }
        Ok(())
    }

    /// The server writes its state into the eighth line of its pid file.
    fn says_ready(&self, pid: i32) -> bool {
        let Ok(text) = fs::read_to_string(self.data.join("postmaster.pid")) else { return false };
        let mut lines = text.lines();
        lines.next().is_some_and(|line| line.trim() == pid.to_string())
            && lines.nth(6).is_some_and(|line| line.trim() == "ready")
    }
}

/// A connection to the cluster with its socket in this folder.
pub(crate) async fn connect(sockets: &Path, user: &str, database: &str) -> Result<Client> {
    let mut config = tokio_postgres::Config::new();
    config
        .host_path(sockets)
        .port(PORT)
        .user(user)
        .dbname(database)
        .connect_timeout(Duration::from_secs(10))
        .application_name("hearth");
    let (client, connection) =
        config.connect(NoTls).await.doing(|| format!("connecting to Postgres in {}", sockets.display()))?;
    // Ends with the client; what goes wrong on the way surfaces in the client's own calls.
    drop(tokio::spawn(connection));
    Ok(client)
}
