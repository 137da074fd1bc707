//! Accepting connections and serving HTTP on them, in clear text or behind TLS.

use std::{
    io,
    net::{self, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::Request;
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    edge::Edge,
    error::Error,
    proxy::{self, Client},
};

/// Time for a whole request head, and so also for the silence between requests on one connection.
const HEAD_LIMIT: Duration = Duration::from_secs(60);
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Bytes of a request head. Its fields are at most a hundred, the limit of the HTTP library that costs no allocation.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const READ_AHEAD_BYTES: usize = 128 * 1024;
const MAX_STREAMS: u32 = 256;
/// A client that vanished without a word is noticed after about these.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
const UNACKNOWLEDGED_LIMIT: Duration = Duration::from_secs(120);
/// Pause after the system refused another connection, for example because all file descriptors are in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds a listening address.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// Serves HTTP until the gateway drains; every connection runs in a task of its own.
pub(crate) async fn run(edge: Arc<Edge>, listener: TcpListener, tls: Option<Arc<ServerConfig>>) {
    let acceptor = tls.map(TlsAcceptor::from);
    accept(&edge, listener, |stream, peer| {
        // From here on the connection belongs to one of the serving threads.
        let Ok(stream) = stream.into_std() else { return };
        let connection = serve_stream(Arc::clone(&edge), stream, peer, acceptor.clone());
        edge.tasks.spawn_on(cut_at_end(Arc::clone(&edge), connection), edge.workers.next());
    })
    .await;
}

/// Accepts until the gateway drains.
pub(crate) async fn accept(edge: &Edge, listener: TcpListener, serve: impl Fn(TcpStream, SocketAddr)) {
    let mut starved = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = edge.draining.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                starved = false;
                serve(stream, peer);
            }
            Err(error) if about_one_client(&error) => {}
            Err(error) => {
                if !starved {
                    tracing::warn!(error = %error, "no connection can be accepted");
                }
                starved = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Runs a connection until it ends or the gateway cuts what is open.
pub(crate) async fn cut_at_end(edge: Arc<Edge>, connection: impl Future<Output = ()>) {
    tokio::select! {
        () = connection => {}
        () = edge.cutting.cancelled() => {}
    }
}

async fn serve_stream(edge: Arc<Edge>, stream: net::TcpStream, peer: SocketAddr, acceptor: Option<TlsAcceptor>) {
    let stream = match TcpStream::from_std(stream).and_then(tuned) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(error = %error, "connection ended before it began");
            return;
        }
    };
    let client = Arc::new(Client::new(peer.ip(), acceptor.is_some()));
    let Some(acceptor) = acceptor else { return serve_http1(edge, stream, client).await };
    match tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => serve_http2(edge, stream, client).await,
        Ok(Ok(stream)) => serve_http1(edge, stream, client).await,
        Ok(Err(error)) => tracing::debug!(error = %error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

async fn serve_http1<S>(edge: Arc<Edge>, stream: S, client: Arc<Client>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let draining = edge.draining.clone();
    let service =
        service_fn(move |request: Request<Incoming>| proxy::serve(Arc::clone(&edge), Arc::clone(&client), request));
    let connection = conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(READ_AHEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let outcome = tokio::select! {
        biased;
        outcome = connection.as_mut() => outcome,
        () = draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    note_end(outcome);
}

async fn serve_http2<S>(edge: Arc<Edge>, stream: S, client: Arc<Client>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let draining = edge.draining.clone();
    let service =
        service_fn(move |request: Request<Incoming>| proxy::serve(Arc::clone(&edge), Arc::clone(&client), request));
    let connection = conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE_AFTER)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).expect("64 KiB fits"))
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let outcome = tokio::select! {
        biased;
        outcome = connection.as_mut() => outcome,
        () = draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    note_end(outcome);
}

fn note_end(outcome: Result<(), hyper::Error>) {
    if let Err(error) = outcome {
        tracing::debug!(error = %telemetry::chain(&error), "connection ended");
    }
}

/// Settings of a client's socket.
pub(crate) fn tuned(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY))?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_LIMIT))?;
    Ok(stream)
}

fn about_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
