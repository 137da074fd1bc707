//! One cloud: `hearth up`, or its roles apart, as child processes with a temporary home, watched from start to end.

use std::{
    ffi::OsString,
    fs::{self, File, Permissions},
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{
    Api, binaries,
    leftovers::{self, Process},
    logs,
    ports::Ports,
    wait,
};

/// First start makes two database clusters; debug builds on busy machines take their time.
const START_LIMIT: Duration = Duration::from_secs(120);
/// Every project is checkpointed before the end.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How a cloud is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Let it make a reflink pool.
    pub pool: bool,
    /// Idle time before projects sleep; never, if absent.
    pub sleep_after_seconds: Option<u64>,
    /// Further arguments of `hearth up`.
    pub arguments: Vec<String>,
    /// What its processes have in their environment besides.
    pub environment: Vec<(String, OsString)>,
    /// Gateway, control plane and worker are processes of their own.
    pub separate: bool,
    /// Where the home is made; the system's temporary folder, if absent.
    pub folder: Option<PathBuf>,
}

/// `hearth.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Announcement {
    /// Base URL of the control plane.
    pub api_url: String,
    /// Base URL of the gateway, plain.
    pub gateway_http_url: String,
    /// Base URL of the gateway, TLS.
    pub gateway_https_url: String,
    /// Certificate authority of the gateway's certificate.
    pub ca_pem: Option<String>,
    /// The first user.
    pub admin: Admin,
    /// That user's organization.
    pub organization_id: String,
}

/// The first user.
#[derive(Clone, Debug, Deserialize)]
pub struct Admin {
    /// Sign-in name.
    pub email: String,
    /// Password.
    pub password: String,
    /// User API key (`uak_…`).
    pub user_api_key: String,
}

/// A running cloud.
#[derive(Debug)]
pub struct Cloud {
    folder: TempDir,
    options: Options,
    ports: Ports,
    /// What runs, by subcommand, in the order in which it was started.
    children: Vec<(&'static str, Child)>,
    starts: u32,
    /// The local provider shows projects' folders to their users here, since the home itself is closed to them.
    exposure: String,
    announcement: Option<Announcement>,
    tolerated: Vec<String>,
    finished: bool,
}

impl Cloud {
    /// Starts a cloud and waits until it serves.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// As [`Self::start`], with options.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start_with(options: Options) -> Self {
        let base = options.folder.clone().unwrap_or_else(std::env::temp_dir);
        // Projects run under uids of their own and have to reach their folders; names are short because socket paths are bounded.
        let folder = tempfile::Builder::new()
            .prefix("ht")
            .rand_bytes(6)
            .permissions(Permissions::from_mode(0o755))
            .tempdir_in(base)
            .expect("the temporary folder is writable");
        fs::create_dir(folder.path().join("log")).expect("the folder is ours");
        let hash = Sha256::digest(folder.path().join("home").as_os_str().as_encoded_bytes());
        let exposure = format!("/run/hearth/{}", hex::encode(&hash[..6]));
        let mut cloud = Self {
            folder,
            options,
            ports: Ports::free(),
            children: Vec::new(),
            starts: 0,
            exposure,
            announcement: None,
            tolerated: Vec::new(),
            finished: false,
        };
        cloud.restart().await;
        cloud
    }

    /// Starts it (again) on the same home and waits until it serves.
    ///
    /// # Panics
    /// When it runs already, or ends, or does not serve in time.
    pub async fn restart(&mut self) {
        assert!(self.children.is_empty(), "the cloud is running");
        for role in self.roles() {
            self.spawn(role);
        }
        self.wait_serving().await;
    }

    /// The processes of this cloud, by subcommand.
    fn roles(&self) -> &'static [&'static str] {
        if self.options.separate { &["gateway", "control-plane", "worker"] } else { &["up"] }
    }

    fn spawn(&mut self, role: &'static str) {
        self.starts += 1;
        let log =
            File::create(self.log_folder().join(format!("hearth-{:03}.log", self.starts))).expect("the folder is ours");
        let child = self
            .command(&[role])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file handle can be doubled"))
            .stderr(log)
            .spawn()
            .expect("the hearth binary runs");
        self.children.push((role, child));
    }

    /// Waits until control plane and gateway serve.
    ///
    /// # Panics
    /// When a process has ended, or they do not serve in time.
    pub async fn wait_serving(&mut self) {
        let started = tokio::time::Instant::now();
        while !self.serves().await {
            for (role, child) in &mut self.children {
                if let Some(status) = child.try_wait().expect("a child can be asked") {
                    panic!("hearth {role} ended with {status} while starting");
                }
            }
            assert!(started.elapsed() < START_LIMIT, "hearth does not serve after {} s", START_LIMIT.as_secs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends SIGKILL to one process of a cloud of separate ones, starts it again and waits until it serves.
    ///
    /// # Panics
    /// When there is no such process or it does not come back.
    pub async fn crash(&mut self, role: &'static str) {
        let place = self.children.iter().position(|(name, _)| *name == role).expect("the role runs");
        let (_, mut child) = self.children.remove(place);
        kill_child(role, &mut child);
        self.spawn(role);
        self.wait_serving().await;
    }

    /// Stops one process of a cloud of separate ones, in order.
    ///
    /// # Panics
    /// When there is no such process, or it does not end well.
    pub async fn stop_role(&mut self, role: &'static str) {
        let place = self.children.iter().position(|(name, _)| *name == role).expect("the role runs");
        let (_, child) = self.children.remove(place);
        let status = end(role, child).await;
        assert!(status.success(), "hearth {role} ended with {status}");
    }

    /// Starts one process of a cloud of separate ones, without waiting for anything.
    pub fn start_role(&mut self, role: &'static str) {
        self.spawn(role);
    }

    /// A `hearth` command with this cloud's settings.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binaries::hearth());
        let ports = &self.ports;
        let sleep = self.options.sleep_after_seconds.unwrap_or(0).to_string();
        command
            .args(arguments)
            .env("HEARTH_HOME", self.home())
            .env("HEARTH_LOG_JSON", "true")
            .env("HEARTH_BASE_DOMAIN", "localhost")
            .env("HEARTH_API_ADDR", ports.api.to_string())
            .env("HEARTH_GATEWAY_HTTP_ADDR", ports.gateway_http.to_string())
            .env("HEARTH_GATEWAY_HTTPS_ADDR", ports.gateway_https.to_string())
            .env("HEARTH_GATEWAY_ADMIN_ADDR", ports.gateway_admin.to_string())
            .env("HEARTH_POSTGRES_LISTEN", ports.gateway_postgres.to_string())
            .env("HEARTH_SLEEP_AFTER_SECONDS", sleep)
            .env("HEARTH_DATA_PLANE_BINARY", binaries::data_plane())
            .envs(self.options.environment.iter().map(|(name, value)| (name, value)));
        if !self.options.pool {
            command.env("HEARTH_NO_POOL", "true");
        }
        if arguments.first().is_some_and(|role| self.roles().contains(role)) {
            command.args(&self.options.arguments);
        }
        command
    }

    /// The home folder.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// All that it logged itself, data planes not counted.
    #[must_use]
    pub fn log(&self) -> String {
        logs::tail(&self.log_folder(), usize::MAX)
    }

    /// The addresses it listens on.
    #[must_use]
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// What it wrote to `hearth.json`.
    ///
    /// # Panics
    /// Before the first start is over.
    #[must_use]
    pub fn announcement(&self) -> &Announcement {
        self.announcement.as_ref().expect("a started cloud has announced itself")
    }

    /// The control plane's API as the first user.
    #[must_use]
    pub fn api(&self) -> Api {
        let announcement = self.announcement();
        Api::new(&announcement.api_url, announcement.ca_pem.as_deref()).with_token(&announcement.admin.user_api_key)
    }

    /// The first user's organization.
    #[must_use]
    pub fn organization(&self) -> &str {
        &self.announcement().organization_id
    }

    /// Process id of `hearth up`.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> i32 {
        pid_of(&self.children.first().expect("the cloud runs").1)
    }

    /// Processes of this cloud: `hearth up` itself, database servers, data planes.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        leftovers::processes_naming(&self.places())
    }

    /// Processes of one project.
    #[must_use]
    pub fn processes_of_project(&self, id: &str) -> Vec<Process> {
        leftovers::processes_naming(&[id])
    }

    /// Where projects have their folders: where their users reach them, else below the home.
    #[must_use]
    pub fn projects_folder(&self) -> PathBuf {
        let exposed = Path::new(&self.exposure).join("data/projects");
        if exposed.is_dir() { exposed } else { self.home().join("data/projects") }
    }

    /// Names of the folders that projects have on disk.
    #[must_use]
    pub fn project_folders(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.projects_folder()) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Announces that an ERROR line with this text is part of the test.
    pub fn tolerate_error(&mut self, text: &str) {
        self.tolerated.push(text.to_owned());
    }

    /// Sends SIGTERM to every process, the one started last first, and waits for the end of each; the first bad status is returned.
    ///
    /// # Panics
    /// When one does not end by itself.
    pub async fn terminate(&mut self) -> ExitStatus {
        let mut outcome = ExitStatus::default();
        while let Some((role, child)) = self.children.pop() {
            let status = end(role, child).await;
            if outcome.success() {
                outcome = status;
            }
        }
        outcome
    }

    /// Sends SIGKILL to `hearth` alone, as a crash would; what it started is left to itself.
    ///
    /// # Panics
    /// When it does not run.
    #[expect(clippy::unused_async, reason = "what changes a cloud is awaited")]
    pub async fn kill(&mut self) {
        assert!(!self.children.is_empty(), "the cloud runs");
        for (role, mut child) in self.children.drain(..) {
            kill_child(role, &mut child);
        }
    }

    /// Stops the cloud and checks that it went well: status 0, no process, no mount, no alarming log line.
    ///
    /// # Panics
    /// When anything is left.
    pub async fn finish(mut self) {
        let mut alarms = logs::alarms_of_projects(&self.projects_folder());
        if !self.children.is_empty() {
            let status = self.terminate().await;
            assert!(status.success(), "hearth up ended with {status}");
        }
        let processes = self.processes();
        assert!(processes.is_empty(), "processes are left: {processes:#?}");
        let mounts = leftovers::mounts_under(&self.places());
        assert!(mounts.is_empty(), "mounts are left: {mounts:?}");
        alarms.extend(logs::alarms(&self.log_folder()));
        alarms.retain(|line| !self.tolerated.iter().any(|text| line.contains(text)));
        assert!(alarms.is_empty(), "alarming log lines:\n{}", alarms.join("\n"));
        self.finished = true;
    }

    /// What names this cloud in command lines, environments and mounts.
    fn places(&self) -> [&str; 2] {
        [self.folder.path().to_str().expect("temporary folders have plain names"), &self.exposure]
    }

    fn log_folder(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    async fn serves(&mut self) -> bool {
        let Some(announcement) = read_announcement(&self.home()) else { return false };
        let api = Api::new(&announcement.api_url, announcement.ca_pem.as_deref())
            .with_token(&announcement.admin.user_api_key);
        let serves = api.try_get("/auth/v1/profile").await.is_some_and(|reply| reply.status == 200)
            && tokio::net::TcpStream::connect(self.ports.gateway_http).await.is_ok();
        self.announcement = Some(announcement);
        serves
    }
}

async fn end(role: &str, mut child: Child) -> ExitStatus {
    kill(Pid::from_raw(pid_of(&child)), Signal::SIGTERM).expect("the child is ours and not yet waited for");
    let ended = || std::future::ready(child.try_wait().expect("a child can be asked"));
    wait::until(&format!("hearth {role} ends after SIGTERM"), STOP_LIMIT, ended).await
}

fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("a process id fits")
}

fn kill_child(role: &str, child: &mut Child) {
    kill(Pid::from_raw(pid_of(child)), Signal::SIGKILL).expect("the child is ours and not yet waited for");
    let status = child.wait().expect("a child can be waited for");
    assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "hearth {role} had ended before it was killed: {status}");
}

fn read_announcement(home: &Path) -> Option<Announcement> {
    serde_json::from_slice(&fs::read(home.join("hearth.json")).ok()?).ok()
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if !self.finished {
            eprintln!("--- end of the cloud's log ---\n{}\n---", logs::tail(&self.log_folder(), 25));
            eprintln!(
                "--- ends of its projects' logs ---\n{}---",
                logs::tails_of_projects(&self.projects_folder(), 15)
            );
        }
        for (_, mut child) in self.children.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
        leftovers::clear(&self.places());
        let _ = fs::remove_dir_all(&self.exposure);
        if !self.finished && std::env::var_os("HEARTH_TEST_KEEP").is_some() {
            self.folder.disable_cleanup(true);
            eprintln!("kept: {}", self.folder.path().display());
        }
    }
}
