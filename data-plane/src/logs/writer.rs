//! The process's own log file, which administrators read: one JSON object per line, two files of a bounded size.

use std::{
    borrow::Cow,
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use http::{HeaderValue, Method, Uri};
use serde::Serialize;
use tokio::{
    fs::{self, File, OpenOptions},
    io::AsyncWriteExt as _,
    sync::{Mutex, mpsc},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::state::App;

/// Name of the file.
pub(super) const FILE: &str = "insforge.logs.jsonl";

/// A file that has grown to this size becomes the old one.
const MOST_BYTES: u64 = 20 * 1024 * 1024;

/// Lines that wait to be written; more are left out rather than held.
const WAITING: usize = 4096;

/// Room kept for the next batch.
const KEPT: usize = 64;

/// How long the first line of a batch waits for others.
const GATHER: Duration = Duration::from_millis(50);

/// Where lines go.
#[derive(Debug)]
pub struct Logs {
    lines: mpsc::Sender<Line>,
    waiting: Mutex<mpsc::Receiver<Line>>,
}

/// One request as the log shows it.
#[derive(Debug)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Where it went; the log leaves the query out, which may hold secrets.
    pub uri: Uri,
    /// Status of the response.
    pub status: u16,
    /// Bytes of the response's body, where they are known.
    pub size_bytes: Option<u64>,
    /// How long it took.
    pub duration_ms: f64,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// What the client calls itself.
    pub user_agent: Option<HeaderValue>,
}

#[derive(Debug)]
struct Line {
    at: DateTime<Utc>,
    request: Request,
}

impl Default for Logs {
    fn default() -> Self {
        let (lines, waiting) = mpsc::channel(WAITING);
        Self { lines, waiting: Mutex::new(waiting) }
    }
}

impl Logs {
    /// Notes a request. Never waits.
    pub fn request(&self, at: DateTime<Utc>, request: Request) {
        let _too_many_at_once = self.lines.try_send(Line { at, request });
    }
}

/// A line as it is written; its members are in the order that people read.
#[derive(Serialize)]
struct Written<'a> {
    id: Uuid,
    timestamp: String,
    message: &'static str,
    level: &'static str,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    method: &'a str,
    path: &'a str,
    status: u16,
    size: String,
    duration: String,
    ip: Option<IpAddr>,
    user_agent: Option<Cow<'a, str>>,
}

impl Line {
    fn write(&self, text: &mut Vec<u8>) {
        let Request { method, uri, status, size_bytes, duration_ms, address, user_agent } = &self.request;
        let line = Written {
            // Random enough for names of lines, without asking the system for each.
            id: uuid::Builder::from_random_bytes(rand::random()).into_uuid(),
            timestamp: clock::iso_millis(self.at),
            message: "HTTP Request",
            level: if *status >= 500 { "error" } else { "info" },
            metadata: Metadata {
                method: method.as_str(),
                path: uri.path(),
                status: *status,
                size: size_bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string()),
                duration: format!("{duration_ms:.0}ms"),
                ip: *address,
                user_agent: user_agent.as_ref().map(|value| String::from_utf8_lossy(value.as_bytes())),
            },
        };
        serde_json::to_writer(&mut *text, &line).expect("JSON goes into memory");
        text.push(b'\n');
    }
}

/// Writes lines a few times a second, until told to stop; what waits then is still written.
pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut waiting = app.logs.waiting.lock().await;
    let mut batch = Vec::new();
    let mut file = None;
    loop {
        if let Some(Some(line)) = stop.run_until_cancelled(waiting.recv()).await {
            batch.push(line);
            // Under load one write takes many lines, and no request wakes this task.
            stop.run_until_cancelled(tokio::time::sleep(GATHER)).await;
        }
        while batch.len() < WAITING {
            let Ok(line) = waiting.try_recv() else { break };
            batch.push(line);
        }
        if !batch.is_empty()
            && let Err(error) = append(&app.config.logs_dir, &mut file, &batch).await
        {
            tracing::warn!(cause = telemetry::chain(&error), "the log file cannot be written");
            file = None;
        }
        batch.clear();
        batch.shrink_to(KEPT);
        if stop.is_cancelled() {
            return;
        }
    }
}

async fn append(folder: &Path, open: &mut Option<(File, u64)>, batch: &[Line]) -> io::Result<()> {
    let mut text = Vec::with_capacity(batch.len() * 256);
    for line in batch {
        line.write(&mut text);
    }
    let path = folder.join(FILE);
    if open.as_ref().is_some_and(|(_, size)| *size > MOST_BYTES) {
        *open = None;
        fs::rename(&path, old(&path)).await?;
    }
    if open.is_none() {
        fs::create_dir_all(folder).await?;
        let file = OpenOptions::new().create(true).append(true).open(&path).await?;
        let size = file.metadata().await?.len();
        *open = Some((file, size));
    }
    if let Some((file, size)) = open {
        file.write_all(&text).await?;
        file.flush().await?;
        *size += text.len() as u64;
    }
    Ok(())
}

/// Where the lines before those of a file are.
pub(super) fn old(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}
