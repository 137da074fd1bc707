//! A project of its own for a test: a Postgres cluster on a socket in a temporary folder, and the data plane in this process.

use std::{
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use clap::Parser;
use hearth_data_plane::{
    config::Config,
    serve::{self, Serving},
};
use nix::unistd::{Gid, Uid};
use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const API_KEY: &str = "ik_0123456789abcdef";
pub(crate) const ANON_KEY: &str = "anon_0123456789abcdef";
pub(crate) const PLATFORM_TOKEN: &str = "platform-token-of-this-test";
pub(crate) const JWT_SECRET: &str = "a-secret-of-at-least-thirty-two-characters";
const SUPERUSER: &str = "hearth_superuser";
const START_LIMIT: Duration = Duration::from_secs(20);

/// Debian's user `nobody`; Postgres refuses root.
const NOBODY: u32 = 65534;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

/// What a project has beside the usual.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Settings of Postgres.
    pub(crate) postgres: Vec<&'static str>,
    /// Arguments of the data plane.
    pub(crate) arguments: Vec<(&'static str, String)>,
    /// No platform runs it, and the user of internal work is a superuser.
    pub(crate) standalone: bool,
}

/// A running project; everything ends and disappears when it is dropped.
pub(crate) struct Project {
    serving: Option<Serving>,
    postgres: Child,
    client: reqwest::Client,
    folder: TempDir,
}

/// A response, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
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
}

impl Project {
    pub(crate) async fn start() -> Self {
        Self::start_with(&Options::default()).await
    }

    pub(crate) async fn start_with(options: &Options) -> Self {
        let folder = tempfile::Builder::new().prefix("hearth-dp").tempdir().expect("a temporary folder");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("permissions");
        let postgres = start_postgres(folder.path(), options).await;
        let config = config(folder.path(), options);
        let serving = serve::start(config, clock::SystemClock::shared()).await.expect("the data plane starts");
        Self { serving: Some(serving), postgres, client: reqwest::Client::new(), folder }
    }

    /// Starts and runs SQL as the administrator.
    pub(crate) async fn with_schema(sql: &str) -> Self {
        let project = Self::start().await;
        project.migrate("1", sql).await;
        project
    }

    pub(crate) async fn migrate(&self, version: &str, sql: &str) {
        let body = serde_json::json!({"version": version, "name": "test", "sql": sql});
        self.admin(Method::POST, "/api/database/migrations", Some(body)).await.expect(201);
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        key: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let address = self.serving.as_ref().expect("it serves until dropped").address;
        let mut request = self.client.request(method, format!("http://{address}{path}")).bearer_auth(key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("a body"),
        }
    }

    /// A request with any body.
    pub(crate) async fn send(&self, method: Method, path: &str, key: &str, content_type: &str, body: Vec<u8>) -> Reply {
        let request = self.client.request(method, format!("{}{path}", self.base())).bearer_auth(key);
        let response = request.header("content-type", content_type).body(body).send().await.expect("an answer");
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("a body"),
        }
    }

    /// A form with fields and one file.
    pub(crate) async fn form(&self, path: &str, key: &str, file: (&str, &[u8]), fields: &[(&str, &str)]) -> Reply {
        let (content_type, body) = form_body(Some(file), fields);
        self.send(Method::POST, path, key, &content_type, body).await
    }

    /// Where the project keeps its files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.call(method, path, API_KEY, body, &[]).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.admin(Method::GET, path, None).await
    }

    /// Reads records as the administrator.
    pub(crate) async fn rows(&self, path: &str) -> Value {
        self.get(&format!("/api/database/records/{path}")).await.expect(200)
    }

    pub(crate) async fn sql(&self, query: &str) -> Reply {
        self.admin(Method::POST, "/api/database/advance/rawsql", Some(serde_json::json!({ "query": query }))).await
    }

    /// A connection past the data plane, as a superuser.
    pub(crate) async fn superuser(&self) -> tokio_postgres::Client {
        self.superuser_of("insforge").await
    }

    /// The same to another database of the cluster.
    pub(crate) async fn superuser_of(&self, database: &str) -> tokio_postgres::Client {
        connect(self.folder.path(), database).await.expect("Postgres answers")
    }

    /// Where the data plane answers.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.serving.as_ref().expect("it serves until dropped").address)
    }

    /// Where the socket of Postgres is.
    pub(crate) fn socket_folder(&self) -> PathBuf {
        self.folder.path().join("run")
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        drop(self.serving.take());
        let _already_gone = self.postgres.kill();
        let _reaped = self.postgres.wait();
    }
}

/// A multipart body, and its content type.
pub(crate) fn form_body(file: Option<(&str, &[u8])>, fields: &[(&str, &str)]) -> (String, Vec<u8>) {
    const BOUNDARY: &str = "----------------------------of-this-test";
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    if let Some((name, bytes)) = file {
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

/// A token of an end user, as a third party with the shared secret signs it.
pub(crate) fn user_token(subject: &str) -> String {
    let claims = serde_json::json!({"sub": subject, "role": "authenticated", "email": "user@example.org", "exp": 4_000_000_000_u64});
    let key = jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("a token")
}

fn config(folder: &Path, options: &Options) -> Config {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut arguments = vec![
        ("--port", "0".to_owned()),
        ("--host", "127.0.0.1".to_owned()),
        ("--jwt-secret", JWT_SECRET.to_owned()),
        ("--root-admin-username", "admin@example.org".to_owned()),
        ("--root-admin-password", "a-long-password".to_owned()),
        ("--access-api-key", API_KEY.to_owned()),
        ("--access-anon-key", ANON_KEY.to_owned()),
        ("--postgres-host", path("run")),
        ("--storage-dir", path("storage")),
        ("--logs-dir", path("logs")),
        ("--state-dir", path("state")),
    ];
    if options.standalone {
        arguments.push(("--postgres-user", SUPERUSER.to_owned()));
    } else {
        arguments.push(("--superuser", SUPERUSER.to_owned()));
        arguments.push(("--platform-token", PLATFORM_TOKEN.to_owned()));
    }
    arguments.extend(options.arguments.iter().cloned());
    let words = arguments.iter().flat_map(|(name, value)| [*name, value.as_str()]);
    Arguments::parse_from(std::iter::once("test").chain(words)).config
}

async fn start_postgres(folder: &Path, options: &Options) -> Child {
    let (data, run) = (folder.join("data"), folder.join("run"));
    std::fs::create_dir(&run).expect("a folder");
    std::fs::create_dir(&data).expect("a folder");
    if Uid::effective().is_root() {
        for path in [&data, &run] {
            nix::unistd::chown(path, Some(Uid::from_raw(NOBODY)), Some(Gid::from_raw(NOBODY))).expect("chown");
        }
    }
    let made = program("initdb")
        .args(["--username", SUPERUSER, "--auth", "trust", "--no-sync", "--locale", "C.UTF-8", "--pgdata"])
        .arg(&data)
        .stdout(Stdio::null())
        .status()
        .expect("initdb runs");
    assert!(made.success());
    let settings = [
        "listen_addresses=",
        "fsync=off",
        "timezone=UTC",
        "max_connections=40",
        "shared_buffers=16MB",
        "log_line_prefix=%m [%p] ",
        "log_timezone=UTC",
    ];
    let mut server = program("postgres");
    server.arg("-D").arg(&data).arg("-c").arg(format!("unix_socket_directories={}", run.display()));
    for setting in settings.iter().chain(&options.postgres) {
        server.arg("-c").arg(setting);
    }
    let logs = folder.join("logs");
    std::fs::create_dir(&logs).expect("a folder");
    let log = std::fs::File::create(logs.join("postgres.log")).expect("a file");
    let child = server.stdout(Stdio::null()).stderr(log).spawn().expect("postgres runs");
    let deadline = Instant::now() + START_LIMIT;
    let client = loop {
        match connect(folder, "postgres").await {
            Ok(client) => break client,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    client.batch_execute("create role postgres login nosuperuser nocreaterole bypassrls").await.expect("a role");
    client.batch_execute("create database insforge").await.expect("a database");
    child
}

async fn connect(folder: &Path, database: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let mut settings = tokio_postgres::Config::new();
    settings.host_path(folder.join("run")).dbname(database).user(SUPERUSER);
    let (client, connection) = settings.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(binaries().join(name));
    if Uid::effective().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/");
    command
}

/// The newest Debian Postgres installed.
fn binaries() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").expect("Postgres is installed").filter_map(Result::ok);
    let newest =
        installed.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max().expect("a version");
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
}

/// Asks again and again until there is an answer, for a bounded time.
pub(crate) async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "it did not happen in time that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
