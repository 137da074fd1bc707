//! A tiny data plane for the provider's tests: `migrate` makes one table, serving answers the status request and counts the others.
//! `/hold` stays open until the client goes, `/end` ends the process as a crash would, `/id` says whom it serves.

use std::{
    env,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_postgres::{Client, NoTls};

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Server {
    token: String,
    id: String,
    started_at: String,
    last_request_at: Mutex<Option<String>>,
    open_requests: AtomicU64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    if env::args().nth(1).as_deref() == Some("migrate") {
        let client = connect(&env::var("HEARTH_SUPERUSER")?).await?;
        client.batch_execute("create table marks (id bigserial primary key, mark text not null); alter table marks owner to postgres").await?;
        return Ok(());
    }
    let server = Arc::new(Server {
        token: env::var("HEARTH_PLATFORM_TOKEN")?,
        id: env::var("PROJECT_ID")?,
        started_at: now(),
        last_request_at: Mutex::new(None),
        open_requests: AtomicU64::new(0),
    });
    std::fs::write(format!("{}/started", env::var("HEARTH_STATE_DIR")?), "")?;
    let listener = TcpListener::bind((env::var("HOST")?.as_str(), env::var("PORT")?.parse()?)).await?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => { tokio::spawn(answer(server.clone(), accepted?.0)); }
            _ = terminate.recv() => return Ok(()),
        }
    }
}

fn now() -> String {
    chrono::Utc::now().to_rfc3339()
}

async fn connect(user: &str) -> Result<Client, Failure> {
    let mut config = tokio_postgres::Config::new();
    config
        .host_path(env::var("POSTGRES_HOST")?)
        .port(env::var("POSTGRES_PORT")?.parse()?)
        .user(user)
        .dbname(env::var("POSTGRES_DB")?);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn answer(server: Arc<Server>, mut stream: TcpStream) {
    let mut request = vec![0; 8192];
    let length = stream.read(&mut request).await.unwrap_or(0);
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = request.split(' ').nth(1).unwrap_or("/").to_owned();
    if path == "/_hearth/v1/status" {
        let allowed = request.contains(&format!("Bearer {}", server.token));
        let (status, body) = if allowed { status(&server).await } else { ("401 Unauthorized", String::new()) };
        return respond(&mut stream, status, &body).await;
    }
    if path == "/end" {
        std::process::exit(1);
    }
    server.open_requests.fetch_add(1, Ordering::SeqCst);
    *server.last_request_at.lock().expect("no panic while held") = Some(now());
    if path == "/hold" {
        respond_head(&mut stream).await;
        // Ends when the client closes.
        drop(stream.read(&mut [0; 16]).await);
    } else {
        respond(&mut stream, "200 OK", &server.id).await;
    }
    *server.last_request_at.lock().expect("no panic while held") = Some(now());
    server.open_requests.fetch_sub(1, Ordering::SeqCst);
}

async fn status(server: &Server) -> (&'static str, String) {
    let asked = async { connect("postgres").await?.query_one("select 1", &[]).await.map_err(Failure::from) };
    if asked.await.is_err() {
        return ("503 Service Unavailable", String::new());
    }
    let last = server.last_request_at.lock().expect("no panic while held").clone();
    let body = serde_json::json!({
        "project_id": server.id, "version": "0.0.0", "started_at": server.started_at, "last_request_at": last,
        "open_requests": server.open_requests.load(Ordering::SeqCst), "migration": 1,
    });
    ("200 OK", body.to_string())
}

async fn respond_head(stream: &mut TcpStream) {
    drop(stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await);
}

async fn respond(stream: &mut TcpStream, status: &str, body: &str) {
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    drop(stream.write_all(text.as_bytes()).await);
}
