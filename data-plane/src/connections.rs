//! The listener: takes connections, closes those that stay silent, and lets open requests finish at the end.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::http::Front;

/// A client's request line must not be slower than the next one after an idle time may be.
const HEADERS_GRACE: Duration = Duration::from_secs(1);

/// How long nothing is accepted after the system has no more room for a connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `stop`, then until open requests are answered.
pub(crate) async fn serve(listener: TcpListener, front: Front, keep_alive: Duration, stop: CancellationToken) {
    let mut protocol = auto::Builder::new(TokioExecutor::new());
    protocol.http1().timer(TokioTimer::new()).header_read_timeout(keep_alive + HEADERS_GRACE);
    let open = GracefulShutdown::new();
    let front = Arc::new(front);
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let Some((stream, peer)) = usable(accepted).await else { continue };
        let front = Arc::clone(&front);
        let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer));
            let front = Arc::clone(&front);
            async move { Ok::<_, Infallible>(front.answer(request).await) }
        });
        let connection = protocol.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let watched = open.watch(connection);
        tokio::spawn(async move {
            // A connection that breaks is the client's affair; what it asked for is logged with its request.
            let _broken = watched.await;
        });
    }
    drop(listener);
    open.shutdown().await;
}

async fn usable(accepted: io::Result<(TcpStream, SocketAddr)>) -> Option<(TcpStream, SocketAddr)> {
    match accepted {
        Ok((stream, peer)) => {
            let _slower_at_worst = stream.set_nodelay(true);
            Some((stream, peer))
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => None,
        Err(error) => {
            tracing::warn!(cause = telemetry::chain(&error), "a connection could not be accepted");
            tokio::time::sleep(EXHAUSTED_PAUSE).await;
            None
        }
    }
}
