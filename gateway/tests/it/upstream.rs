//! A data plane of which only the HTTP matters. It lives in a runtime of its own so that it can be killed with all its connections.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{
        Path, Request, State,
        ws::{Message, WebSocketUpgrade},
    },
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::{any, get},
};
use futures::{StreamExt as _, stream};
use tokio::{net::TcpListener, runtime::Runtime, sync::Semaphore};

/// What the handlers share with the test.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) name: &'static str,
    pub(crate) requests: Arc<AtomicUsize>,
    /// `/gated` and the second event of `/events` wait for a permit.
    pub(crate) gate: Arc<Semaphore>,
}

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) shared: Shared,
    runtime: Option<Runtime>,
}

impl Upstream {
    pub(crate) fn start(name: &'static str) -> Self {
        let shared = Shared { name, requests: Arc::default(), gate: Arc::new(Semaphore::new(0)) };
        Self::start_at("127.0.0.1:0".parse().unwrap(), shared)
    }

    /// Starts at a given address, where an earlier one may just have been killed.
    pub(crate) fn start_at(address: SocketAddr, shared: Shared) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let router = router(shared.clone());
        runtime.spawn(async move {
            let listener = bind(address).await;
            sender.send(listener.local_addr().unwrap()).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
        let address = receiver.recv_timeout(Duration::from_secs(10)).unwrap();
        Self { address, shared, runtime: Some(runtime) }
    }

    /// Closes the listener and every connection, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5))).join().unwrap();
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn bind(address: SocketAddr) -> TcpListener {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(1024).unwrap()
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/name", any(async |State(shared): State<Shared>| shared.name))
        .route("/seen", any(seen))
        .route("/count", any(count))
        .route("/echo", any(async |request: Request| Body::from_stream(request.into_body().into_data_stream())))
        .route("/bytes/{amount}", get(bytes))
        .route("/gated", any(gated))
        .route("/events", get(events))
        .route("/socket", any(socket))
        .fallback(async |request: Request| format!("fallback {}", request.uri()))
        .layer(axum::middleware::map_request_with_state(shared.clone(), tally))
        .with_state(shared)
}

async fn tally(State(shared): State<Shared>, request: Request) -> Request {
    shared.requests.fetch_add(1, Ordering::SeqCst);
    request
}

/// The request as it arrived, one `name: value` per line after the request line.
async fn seen(request: Request) -> String {
    let mut text = format!("{} {} {:?}\n", request.method(), request.uri(), request.version());
    for (name, value) in request.headers() {
        text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    text
}

async fn count(request: Request) -> String {
    let mut total = 0_u64;
    let mut body = request.into_body().into_data_stream();
    while let Some(chunk) = body.next().await {
        total += chunk.unwrap().len() as u64;
    }
    total.to_string()
}

async fn bytes(Path(amount): Path<u64>) -> Response {
    const CHUNK: u64 = 64 * 1024;
    let chunk = Bytes::from(vec![b'x'; CHUNK as usize]);
    let chunks = stream::unfold(amount, move |left| {
        let part = chunk.slice(..left.min(CHUNK) as usize);
        async move { (left > 0).then(|| (Ok::<_, Infallible>(part.clone()), left - part.len() as u64)) }
    });
    Body::from_stream(chunks).into_response()
}

async fn gated(State(shared): State<Shared>, body: Bytes) -> Bytes {
    shared.gate.acquire().await.unwrap().forget();
    body
}

async fn events(State(shared): State<Shared>) -> Sse<impl futures::Stream<Item = Result<Event, Infallible>>> {
    Sse::new(stream::unfold((shared, 0), |(shared, number)| async move {
        if number == 1 {
            shared.gate.acquire().await.unwrap().forget();
        }
        (number < 2).then(|| (Ok(Event::default().data(format!("event {number}"))), (shared, number + 1)))
    }))
}

async fn socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| {
        while let Some(Ok(message)) = socket.recv().await {
            if matches!(message, Message::Close(_)) || socket.send(message).await.is_err() {
                return;
            }
        }
    })
}
