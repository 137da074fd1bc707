//! A gateway in front of a tiny upstream, for measuring it against another proxy: prints both addresses and serves until killed.
//!
//! `bench upstream PORT` · `bench gateway PORT UPSTREAM` · `bench postgres PORT SOCKET`, host name `bench.us-east.localhost`.

use std::{convert::Infallible, error::Error, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use data_plane_contract::routes::{Route, RouteState};
use gateway::{GatewayConfig, PostgresStream, TlsSource, WakeError, Waker};
use http::{Response, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use ids::ProjectId;
use tokio::net::{TcpListener, UnixStream};

/// Wakes nothing; knows at most the socket of a Postgres.
struct NoWaker(Option<PathBuf>);

#[async_trait::async_trait]
impl Waker for NoWaker {
    async fn wake(&self, _project_id: ProjectId) -> Result<SocketAddr, WakeError> {
        Err(WakeError::Unknown)
    }

    async fn sleep(&self, _project_id: ProjectId, _idle_for: Duration) -> Result<bool, WakeError> {
        Ok(false)
    }

    async fn connect_postgres(&self, _project_id: ProjectId) -> Result<Option<PostgresStream>, WakeError> {
        let Some(socket) = &self.0 else { return Ok(None) };
        let stream = UnixStream::connect(socket).await.map_err(|error| WakeError::Failed(error.into()))?;
        Ok(Some(Box::new(stream)))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["upstream", port] => upstream(format!("127.0.0.1:{port}").parse()?).await,
        ["gateway", port, upstream] => edge(format!("127.0.0.1:{port}").parse()?, upstream.parse()?, None).await,
        ["postgres", port, socket] => {
            let any: SocketAddr = "127.0.0.1:0".parse()?;
            edge(any, "127.0.0.1:9".parse()?, Some((format!("127.0.0.1:{port}").parse()?, socket.into()))).await
        }
        _ => Err("bench upstream PORT | bench gateway PORT UPSTREAM | bench postgres PORT SOCKET".into()),
    }
}

async fn upstream(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address).await?;
    println!("upstream {address}");
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(async |_request| {
            let mut response =
                Response::new(Full::new(Bytes::from_static(b"{\"status\":\"ok\",\"service\":\"bench\"}")));
            response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
            Ok::<_, Infallible>(response)
        });
        tokio::spawn(http1::Builder::new().pipeline_flush(true).serve_connection(TokioIo::new(stream), service));
    }
}

async fn edge(
    http: SocketAddr,
    upstream: SocketAddr,
    postgres: Option<(SocketAddr, PathBuf)>,
) -> Result<(), Box<dyn Error>> {
    let home = tempfile::tempdir()?;
    let project_id = ProjectId::generate();
    let hosts = vec!["bench.us-east.localhost".to_owned()];
    let route = Route {
        project_id,
        hosts,
        upstream,
        state: RouteState::Serving,
        sleep_after_seconds: Some(900),
        restriction: None,
    };
    let routes = home.path().join("gateway/routes");
    std::fs::create_dir_all(&routes)?;
    std::fs::write(routes.join(format!("{project_id}.json")), serde_json::to_vec(&route)?)?;
    let any: SocketAddr = "127.0.0.1:0".parse()?;
    let config = GatewayConfig {
        http,
        https: None,
        postgres: postgres.as_ref().map(|(address, _)| *address),
        admin: any,
        admin_token: "bench".into(),
        folder: home.path().join("gateway"),
        ca_folder: home.path().join("ca"),
        base_domain: "localhost".to_owned(),
        regions: vec!["us-east".to_owned()],
        tls: TlsSource::LocalCa,
        usage: None,
        source: "gateway:bench".to_owned(),
    };
    let gateway = gateway::start(config, Arc::new(NoWaker(postgres.map(|(_, socket)| socket)))).await?;
    println!("gateway {}", gateway.http_address());
    tokio::signal::ctrl_c().await?;
    gateway.shutdown().await;
    Ok(())
}
