//! A data plane as an operator runs it: the built binary, configured by environment variables alone, on a Postgres cluster that asks for
//! passwords.

use std::{
    io::Write as _,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::unistd::{Gid, Uid};
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;
use tempfile::TempDir;
use test_ports::free_port;

pub(crate) const API_KEY: &str = "ik_0123456789abcdef";
pub(crate) const ANON_KEY: &str = "anon_0123456789abcdef";
pub(crate) const JWT_SECRET: &str = "a-secret-of-at-least-thirty-two-characters";
pub(crate) const ADMIN: (&str, &str) = ("admin@example.org", "a-long-password");
const POSTGRES_PASSWORD: &str = "the superuser's password";

/// No step of these tests needs longer.
const LIMIT: Duration = Duration::from_secs(60);

/// Debian's user `nobody`; Postgres refuses root.
const NOBODY: u32 = 65534;

/// A running data plane; everything ends and disappears when it is dropped.
pub(crate) struct Plane {
    pub(crate) base: String,
    pub(crate) folder: TempDir,
    postgres: Child,
    postgres_port: u16,
    process: Option<Child>,
    environment: Vec<(String, String)>,
    client: reqwest::Client,
}

/// A response, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text header"))
    }

    /// The body of a response with this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// Status, code and message of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String, String) {
        let body = self.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        (self.status, text("error"), text("message"))
    }

    /// The `Set-Cookie` header for a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let start = format!("{name}=");
        let values = self.headers.get_all("set-cookie");
        values.iter().filter_map(|value| value.to_str().ok()).find(|text| text.starts_with(&start)).map(str::to_owned)
    }
}

impl Plane {
    /// With the usual environment.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With more variables, or others.
    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        let mut plane = Self::prepare(variables).await;
        plane.run().await;
        plane
    }

    /// Everything but the running process.
    pub(crate) async fn prepare(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("hearth-auth").tempdir().expect("a temporary folder");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("permissions");
        let (port, postgres_port) = (free_port(), free_port());
        let postgres = start_postgres(folder.path(), postgres_port).await;
        let base = format!("http://127.0.0.1:{port}");
        let below = |name: &str| folder.path().join(name).display().to_string();
        let mut environment: Vec<(String, String)> = [
            ("PORT", port.to_string()),
            ("HOST", "127.0.0.1".to_owned()),
            ("API_BASE_URL", base.clone()),
            ("JWT_SECRET", JWT_SECRET.to_owned()),
            ("ROOT_ADMIN_USERNAME", ADMIN.0.to_owned()),
            ("ROOT_ADMIN_PASSWORD", ADMIN.1.to_owned()),
            ("ACCESS_API_KEY", API_KEY.to_owned()),
            ("ACCESS_ANON_KEY", ANON_KEY.to_owned()),
            ("POSTGRES_HOST", "127.0.0.1".to_owned()),
            ("POSTGRES_PORT", postgres_port.to_string()),
            ("POSTGRES_DB", "insforge".to_owned()),
            ("POSTGRES_USER", "postgres".to_owned()),
            ("POSTGRES_PASSWORD", POSTGRES_PASSWORD.to_owned()),
            ("STORAGE_DIR", below("storage")),
            ("LOGS_DIR", below("logs")),
            ("TRUST_PROXY", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for (name, value) in variables {
            environment.retain(|(other, _)| other != name);
            environment.push(((*name).to_owned(), (*value).to_owned()));
        }
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { base, folder, postgres, postgres_port, process: None, environment, client }
    }

    /// Starts the process and waits until it serves.
    pub(crate) async fn run(&mut self) {
        self.process = Some(self.command(&[]).spawn().expect("the data plane runs"));
        let deadline = Instant::now() + LIMIT;
        while self.client.get(format!("{}/api/health", self.base)).send().await.is_err() {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().expect("a child"));
            assert!(ended.is_none(), "the data plane ended with {ended:?}:\n{}", self.log());
            assert!(Instant::now() < deadline, "the data plane does not serve:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends the process and starts it again, with `variables` changed.
    pub(crate) async fn restart_with(&mut self, variables: &[(&str, &str)]) {
        self.end();
        for (name, value) in variables {
            self.environment.retain(|(other, _)| other != name);
            self.environment.push(((*name).to_owned(), (*value).to_owned()));
        }
        self.run().await;
    }

    /// The binary with the environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("process.log"))
            .expect("a log file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearth-data-plane"));
        command
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log);
        command
    }

    /// What the process wrote.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("process.log")).unwrap_or_default()
    }

    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _already_gone = process.kill();
            let _reaped = process.wait();
        }
    }

    /// A request with any headers; `key` is the bearer where it is not empty.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        key: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if !key.is_empty() {
            request = request.bearer_auth(key);
        }
        let mut more = HeaderMap::new();
        for (name, value) in headers {
            more.append(
                HeaderName::try_from(*name).expect("a header name"),
                HeaderValue::try_from(*value).expect("a header value"),
            );
        }
        request = request.headers(more);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.expect("an answer");
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("a body"),
        }
    }

    pub(crate) async fn get(&self, path: &str, key: &str) -> Reply {
        self.call(Method::GET, path, key, None, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> Reply {
        self.call(Method::POST, path, key, Some(body), &[]).await
    }

    pub(crate) async fn put(&self, path: &str, key: &str, body: &Value) -> Reply {
        self.call(Method::PUT, path, key, Some(body), &[]).await
    }

    /// A connection past the data plane, as a superuser.
    pub(crate) async fn superuser(&self, database: &str) -> tokio_postgres::Client {
        connect(self.postgres_port, database).await.expect("Postgres answers")
    }

    /// Runs a script of `tests/js` with `input`; its output.
    pub(crate) async fn script(&self, name: &str, input: &Value) -> Value {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/js");
        let mut process = Command::new("node")
            .arg(folder.join(name))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("node runs");
        let mut stdin = process.stdin.take().expect("it is piped");
        stdin.write_all(input.to_string().as_bytes()).expect("the script reads");
        drop(stdin);
        let output = tokio::task::spawn_blocking(move || process.wait_with_output())
            .await
            .expect("no panic")
            .expect("the script ends");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}:\n{errors}\n{}", self.log());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{name}: {error}: {errors}"))
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.end();
        let _already_gone = self.postgres.kill();
        let _reaped = self.postgres.wait();
    }
}

async fn start_postgres(folder: &Path, port: u16) -> Child {
    let (data, password) = (folder.join("data"), folder.join("password"));
    std::fs::create_dir(&data).expect("a folder");
    std::fs::write(&password, POSTGRES_PASSWORD).expect("a file");
    if Uid::effective().is_root() {
        nix::unistd::chown(&data, Some(Uid::from_raw(NOBODY)), Some(Gid::from_raw(NOBODY))).expect("chown");
    }
    let made = program("initdb")
        .args(["--username", "postgres", "--auth", "scram-sha-256", "--no-sync", "--locale", "C.UTF-8"])
        .arg("--pwfile")
        .arg(&password)
        .arg("--pgdata")
        .arg(&data)
        .stdout(Stdio::null())
        .status()
        .expect("initdb runs");
    assert!(made.success());
    let settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "timezone=UTC",
        "max_connections=40",
        "shared_buffers=16MB",
    ];
    let mut server = program("postgres");
    server.arg("-D").arg(&data).arg("-c").arg(format!("port={port}"));
    for setting in settings {
        server.arg("-c").arg(setting);
    }
    let child = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("postgres runs");
    create_database(port).await;
    child
}

async fn create_database(port: u16) {
    let deadline = Instant::now() + LIMIT;
    let client = loop {
        match connect(port, "postgres").await {
            Ok(client) => break client,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    client.batch_execute("create database insforge").await.expect("a database");
}

async fn connect(port: u16, database: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let mut settings = tokio_postgres::Config::new();
    settings.host("127.0.0.1").port(port).dbname(database).user("postgres").password(POSTGRES_PASSWORD);
    let (client, connection) = settings.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn program(name: &str) -> Command {
    let installed = std::fs::read_dir("/usr/lib/postgresql").expect("Postgres is installed").filter_map(Result::ok);
    let newest =
        installed.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max().expect("a version");
    let mut command = Command::new(PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin")).join(name));
    if Uid::effective().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/");
    command
}
