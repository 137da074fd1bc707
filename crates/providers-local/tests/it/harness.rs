//! A home in a temporary folder with a node on it, the stand-in data plane, and a proof at the end that nothing is left.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ids::ProjectId;
use model::sealing::MasterKey;
use providers::{Compute, Database, suite};
use providers_local::{LocalConfig, LocalNode, PoolChoice, operator_is_root, postgres::find_distributions};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_postgres::{Client, NoTls};

static NEXT_PORT: AtomicU16 = AtomicU16::new(0);
const POOL_BYTES: u64 = 2 * 1024 * 1024 * 1024;
const PORTS_PER_HOME: u16 = 40;

/// The key of every test home, so that a second process can open it.
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(crate) struct Home {
    pub(crate) folder: TempDir,
    pub(crate) node: Arc<LocalNode>,
    pub(crate) first_port: u16,
    pub(crate) choice: PoolChoice,
    ended: bool,
}

pub(crate) fn stand_in() -> PathBuf {
    let test = std::env::current_exe().expect("this program has a path");
    test.parent().and_then(Path::parent).expect("tests lie in target/debug/deps").join("examples/stand_in_data_plane")
}

pub(crate) fn config(home: &Path, choice: PoolChoice, first_port: u16) -> LocalConfig {
    let key = MasterKey::new(&SecretString::from(MASTER_KEY), None).expect("a key");
    let mut config =
        LocalConfig::new(home.to_owned(), stand_in(), find_distributions(&[]).expect("Postgres is installed"), key);
    config.pool = choice;
    config.pool_bytes = Some(POOL_BYTES);
    config.ports = first_port..=first_port + PORTS_PER_HOME - 1;
    config
}

impl Home {
    pub(crate) async fn new(choice: PoolChoice) -> Self {
        Self::open(choice, POOL_BYTES).await
    }

    pub(crate) async fn with_pool_of(bytes: u64) -> Self {
        Self::open(PoolChoice::Required, bytes).await
    }

    async fn open(choice: PoolChoice, pool_bytes: u64) -> Self {
        // Below the folder that only root enters, as an operator's home may be.
        let folder = TempDir::with_prefix("hearth-test-").expect("a temporary folder");
        // Test programs of other packages run at the same time; the process id keeps their ports apart. The kernel gives none of these
        // to outgoing connections.
        let slot = u16::try_from(std::process::id() % 95).expect("below 95");
        let first_port = 10_000 + slot * 100 + NEXT_PORT.fetch_add(1, Ordering::SeqCst) % 2 * PORTS_PER_HOME;
        let config = LocalConfig { pool_bytes: Some(pool_bytes), ..config(folder.path(), choice, first_port) };
        let node = LocalNode::open(config).await.expect("the node opens");
        Self { folder, node, first_port, choice, ended: false }
    }

    /// Another process' view of the same home.
    pub(crate) async fn open_again(&self) -> Arc<LocalNode> {
        LocalNode::open(config(self.folder.path(), self.choice, self.first_port)).await.expect("the node opens again")
    }

    /// Goes on as a process that opens the home anew.
    pub(crate) async fn reopen(&mut self) {
        self.node = self.open_again().await;
    }

    pub(crate) async fn create(&self) -> (ProjectId, SocketAddr) {
        let id = ProjectId::generate();
        self.node.ensure_database(&suite::new_database(id)).await.expect("the database is made");
        let plane = self.node.ensure_data_plane(&suite::data_plane(id, "a")).await.expect("the data plane is made");
        (id, plane.address)
    }

    pub(crate) async fn sql(&self, id: ProjectId) -> Client {
        connect(&self.node.socket_folder(id)).await
    }

    pub(crate) async fn remove(&self, id: ProjectId) {
        suite::remove(self, id).await;
    }

    /// Where the node's data is reached.
    pub(crate) fn data(&self) -> PathBuf {
        self.node.socket_folder(ProjectId::generate()).ancestors().nth(3).expect("it is deep").to_owned()
    }

    /// Closes the node and proves that nothing of it is left.
    pub(crate) async fn end(mut self) {
        for id in self.node.list_databases_now().await {
            self.remove(id).await;
        }
        let data = self.data();
        self.node.shutdown().await.expect("it stops");
        for folder in ["ports", "uids", "awake"] {
            assert_eq!(names(&self.folder.path().join(folder)), Vec::<String>::new(), "{folder} are left");
        }
        assert_eq!(processes_in(&data), Vec::<String>::new(), "processes are left");
        if operator_is_root() {
            assert!(!data.exists(), "{} is left", data.display());
            let mounts = fs::read_to_string("/proc/self/mountinfo").expect("readable");
            assert!(!mounts.contains(&data.display().to_string()), "a mount is left");
            let hash = data.parent().and_then(Path::file_name).expect("it has a parent").to_string_lossy().into_owned();
            for controller in ["memory", "cpu", ""] {
                let group = Path::new("/sys/fs/cgroup").join(controller).join("hearth").join(&hash);
                assert!(!group.exists(), "{} is left", group.display());
            }
        }
        self.ended = true;
    }
}

/// A failed test leaves no processes and mounts to the next.
impl Drop for Home {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let data = self.data();
        for process in processes_in(&data) {
            let pid =
                process.split(' ').next().and_then(|pid| pid.parse().ok()).and_then(rustix::process::Pid::from_raw);
            let _ = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL));
        }
        if operator_is_root() {
            let _ = rustix::mount::unmount(&data, rustix::mount::UnmountFlags::DETACH);
            drop(fs::remove_dir(&data));
            drop(data.parent().map(fs::remove_dir));
        }
    }
}

/// What [`Home::end`] needs of the trait, by a name that says it is for tests.
#[async_trait]
trait Listed {
    async fn list_databases_now(&self) -> Vec<ProjectId>;
}

#[async_trait]
impl Listed for LocalNode {
    async fn list_databases_now(&self) -> Vec<ProjectId> {
        providers::DatabaseReader::list_databases(self).await.expect("it lists")
    }
}

#[async_trait]
impl suite::Subject for Home {
    fn database(&self) -> Arc<dyn Database> {
        self.node.clone()
    }

    fn compute(&self) -> Arc<dyn Compute> {
        self.node.clone()
    }

    async fn put_mark(&self, project_id: ProjectId, mark: &str) {
        let client = self.sql(project_id).await;
        client.execute("insert into marks (mark) values ($1)", &[&mark]).await.expect("writes");
    }

    async fn marks(&self, project_id: ProjectId) -> Vec<String> {
        let client = self.sql(project_id).await;
        let rows = client.query("select mark from marks order by id", &[]).await.expect("reads");
        rows.iter().map(|row| row.get(0)).collect()
    }
}

pub(crate) async fn connect(sockets: &Path) -> Client {
    let mut config = tokio_postgres::Config::new();
    config.host_path(sockets).port(5432).user("postgres").dbname("insforge");
    let (client, connection) = config.connect(NoTls).await.expect("Postgres answers");
    tokio::spawn(connection);
    client
}

/// The body of a response, or `None` when nobody answers.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
}

/// Waits until `check` holds, a minute at most.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    let waiting = async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting)
        .await
        .unwrap_or_else(|_| panic!("waited a minute until {what}"));
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Pids (with command names) of processes that work in a folder.
pub(crate) fn processes_in(folder: &Path) -> Vec<String> {
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    names(Path::new("/proc"))
        .into_iter()
        .filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|working| working.starts_with(&folder)))
        .map(|pid| format!("{pid} {}", fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim()))
        .collect()
}

/// The pid noted for one of a project's processes (`postgres` or `data-plane`).
pub(crate) fn noted_pid(home: &Home, id: ProjectId, name: &str) -> Option<i32> {
    let project = home.node.socket_folder(id).parent().expect("it has a parent").to_owned();
    let text = fs::read(project.join("processes").join(format!("{name}.json"))).ok()?;
    let noted: serde_json::Value = serde_json::from_slice(&text).ok()?;
    noted["identity"]["pid"].as_i64()?.try_into().ok()
}

pub(crate) fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it can be killed");
}
