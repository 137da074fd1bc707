//! A gateway on free ports with a waker that starts and kills upstreams in this process.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use data_plane_contract::routes::{Route, RouteState};
use gateway::{GatewayConfig, GatewayHandle, PostgresStream, TlsSource, UsageTarget, WakeError, Waker};
use ids::ProjectId;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::client::IntoClientRequest as _};

use crate::upstream::{Shared, Upstream};

pub(crate) const TOKEN: &str = "admin-token";

/// Starts and kills upstreams. Wakes wait for a permit, so that a test decides when they end.
pub(crate) struct FakeWaker {
    upstreams: Mutex<HashMap<ProjectId, Upstream>>,
    known: Mutex<HashMap<ProjectId, (SocketAddr, Shared)>>,
    pub(crate) wakes: AtomicUsize,
    pub(crate) sleeps: AtomicUsize,
    pub(crate) wake_gate: Semaphore,
    pub(crate) sleep_gate: Semaphore,
    pub(crate) fails: AtomicBool,
    pub(crate) busy: AtomicBool,
    /// Wakes come up at another address than before.
    pub(crate) moves: AtomicBool,
    /// What a project's Postgres says first, whatever it is told.
    pub(crate) postgres_says: Mutex<Vec<u8>>,
}

impl FakeWaker {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            upstreams: Mutex::default(),
            known: Mutex::default(),
            wakes: AtomicUsize::new(0),
            sleeps: AtomicUsize::new(0),
            wake_gate: Semaphore::new(1000),
            sleep_gate: Semaphore::new(1000),
            fails: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            moves: AtomicBool::new(false),
            postgres_says: Mutex::default(),
        })
    }

    pub(crate) fn adopt(&self, project_id: ProjectId, upstream: Upstream) {
        self.known.lock().unwrap().insert(project_id, (upstream.address, upstream.shared.clone()));
        self.upstreams.lock().unwrap().insert(project_id, upstream);
    }

    pub(crate) fn kill(&self, project_id: ProjectId) {
        self.upstreams.lock().unwrap().remove(&project_id);
    }

    pub(crate) fn running(&self, project_id: ProjectId) -> bool {
        self.upstreams.lock().unwrap().contains_key(&project_id)
    }

    pub(crate) fn shared(&self, project_id: ProjectId) -> Shared {
        self.known.lock().unwrap()[&project_id].1.clone()
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.load(Ordering::SeqCst)
    }

    pub(crate) fn sleeps(&self) -> usize {
        self.sleeps.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl Waker for FakeWaker {
    async fn wake(&self, project_id: ProjectId) -> Result<SocketAddr, WakeError> {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.wake_gate.acquire().await.unwrap().forget();
        if self.fails.load(Ordering::SeqCst) {
            return Err(WakeError::Failed("no room".into()));
        }
        let (address, shared) = self.known.lock().unwrap().get(&project_id).cloned().ok_or(WakeError::Unknown)?;
        let mut upstreams = self.upstreams.lock().unwrap();
        let moves = self.moves.load(Ordering::SeqCst);
        let upstream = upstreams.entry(project_id).or_insert_with(|| {
            let address = if moves { "127.0.0.1:0".parse().unwrap() } else { address };
            Upstream::start_at(address, shared)
        });
        Ok(upstream.address)
    }

    async fn sleep(&self, project_id: ProjectId, _idle_for: Duration) -> Result<bool, WakeError> {
        self.sleeps.fetch_add(1, Ordering::SeqCst);
        self.sleep_gate.acquire().await.unwrap().forget();
        if self.busy.load(Ordering::SeqCst) {
            return Ok(false);
        }
        self.kill(project_id);
        Ok(true)
    }

    async fn connect_postgres(&self, project_id: ProjectId) -> Result<Option<PostgresStream>, WakeError> {
        if !self.running(project_id) {
            return Ok(None);
        }
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let says = self.postgres_says.lock().unwrap().clone();
        tokio::spawn(async move {
            let mut startup = [0; 8];
            theirs.read_exact(&mut startup).await.unwrap();
            theirs.write_all(&says).await.unwrap();
            let mut rest = Vec::new();
            let _left = theirs.read_to_end(&mut rest).await;
        });
        Ok(Some(Box::new(ours)))
    }
}

/// A running gateway with its folders.
pub(crate) struct Edge {
    pub(crate) home: TempDir,
    pub(crate) gateway: GatewayHandle,
    pub(crate) waker: Arc<FakeWaker>,
    pub(crate) client: reqwest::Client,
}

pub(crate) struct Settings {
    pub(crate) usage_url: Option<String>,
    pub(crate) tls: TlsSource,
    pub(crate) https: bool,
    pub(crate) postgres: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { usage_url: None, tls: TlsSource::LocalCa, https: false, postgres: false }
    }
}

impl Edge {
    pub(crate) async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    pub(crate) async fn start_with(settings: Settings) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), FakeWaker::new(), settings).await
    }

    pub(crate) async fn start_in(home: TempDir, waker: Arc<FakeWaker>, settings: Settings) -> Self {
        let gateway =
            gateway::start(config(home.path().into(), settings), Arc::clone(&waker) as Arc<dyn Waker>).await.unwrap();
        Self { home, gateway, waker, client: reqwest::Client::new() }
    }

    /// Stops at once, as a crash does, and starts again on the same folders.
    pub(crate) async fn crash_and_restart(self, settings: Settings) -> Self {
        let Self { home, gateway, waker, .. } = self;
        drop(gateway);
        Self::start_in(home, waker, settings).await
    }

    /// A running project with a route for `host`.
    pub(crate) async fn project(&self, host: &'static str) -> ProjectId {
        self.project_that_sleeps(host, None).await
    }

    pub(crate) async fn project_that_sleeps(&self, host: &'static str, sleep_after_seconds: Option<u64>) -> ProjectId {
        let upstream = Upstream::start(host);
        let project_id = ProjectId::generate();
        let route = Route {
            project_id,
            hosts: vec![host.to_owned()],
            upstream: upstream.address,
            state: RouteState::Serving,
            sleep_after_seconds,
            restriction: None,
        };
        self.waker.adopt(project_id, upstream);
        assert_eq!(self.put(&route).await, 204);
        project_id
    }

    pub(crate) async fn put(&self, route: &Route) -> u16 {
        let url = format!("http://{}/routes/{}", self.gateway.admin_address(), route.project_id);
        self.client.put(url).bearer_auth(TOKEN).json(route).send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn routes(&self) -> Vec<Route> {
        let url = format!("http://{}/routes", self.gateway.admin_address());
        self.client.get(url).bearer_auth(TOKEN).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn route(&self, project_id: ProjectId) -> Route {
        self.routes().await.into_iter().find(|route| route.project_id == project_id).unwrap()
    }

    pub(crate) async fn set_state(&self, project_id: ProjectId, state: RouteState) {
        let route = Route { state, ..self.route(project_id).await };
        assert_eq!(self.put(&route).await, 204);
    }

    pub(crate) fn request(&self, method: http::Method, host: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.gateway.http_address())).header("host", host)
    }

    pub(crate) async fn get(&self, host: &str, path: &str) -> (u16, String) {
        let response = self.request(http::Method::GET, host, path).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Sends bytes as they are and reads until the gateway closes.
    pub(crate) async fn socket(&self, host: &str, path: &str) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
        let mut request = format!("ws://{}{path}", self.gateway.http_address()).into_client_request().unwrap();
        request.headers_mut().insert("host", host.parse().unwrap());
        let (socket, response) = tokio_tungstenite::connect_async(request).await.unwrap();
        assert_eq!(response.status(), 101);
        socket
    }

    pub(crate) async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.gateway.http_address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

pub(crate) fn config(home: PathBuf, settings: Settings) -> GatewayConfig {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    GatewayConfig {
        http: any,
        https: settings.https.then_some(any),
        postgres: settings.postgres.then_some(any),
        admin: any,
        admin_token: TOKEN.into(),
        folder: home.join("gateway"),
        ca_folder: home.join("ca"),
        base_domain: "localhost".to_owned(),
        regions: vec!["us-east".to_owned(), "eu-central".to_owned()],
        tls: settings.tls,
        usage: settings.usage_url.map(|control_plane_url| UsageTarget { control_plane_url, token: "internal".into() }),
        source: "gateway:test".to_owned(),
    }
}

/// Waits until something is so; fails after ten seconds.
pub(crate) async fn eventually(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..1000 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within ten seconds: {what}");
}
