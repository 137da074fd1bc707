//! Starting a gateway and stopping it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, runtime::Handle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    admin,
    config::GatewayConfig,
    edge::Edge,
    error::Error,
    idle, listener,
    meter::{Meter, Shipping},
    postgres::{self, Sessions},
    routes::Routes,
    tls::Tls,
    waker::Waker,
    workers::Workers,
};

/// HTTP/2 preferred, HTTP/1.1 served.
const HTTP_PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];
/// How long requests under way may take to finish when the gateway stops.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// How long the last usage records may take to arrive.
const LAST_SHIPMENT_LIMIT: Duration = Duration::from_secs(2);

/// A running gateway. Dropping it stops it at once; `shutdown` stops it well.
pub struct GatewayHandle {
    http: SocketAddr,
    https: Option<SocketAddr>,
    postgres: Option<SocketAddr>,
    admin: SocketAddr,
    ca_pem: Option<String>,
    edge: Arc<Edge>,
    meter: Arc<Meter>,
    shipping: Option<Arc<Shipping>>,
}

/// Starts a gateway: binds its addresses, reads its routes, and serves until it is shut down.
///
/// # Errors
/// An address is taken, a folder or certificate cannot be used.
pub async fn start(config: GatewayConfig, waker: Arc<dyn Waker>) -> Result<GatewayHandle, Error> {
    let http = listener::bind(config.http).await?;
    let admin = listener::bind(config.admin).await?;
    let https = bind_optional(config.https).await?;
    let postgres = bind_optional(config.postgres).await?;
    let tls = if https.is_some() || postgres.is_some() { Some(Tls::start(&config)?) } else { None };
    let usage_folder = config.folder.join("usage");
    let clock = clock::for_role("gateway");
    let meter = Meter::open(&usage_folder, &config.source, clock).map_err(Error::folder(usage_folder))?;
    let meter = Arc::new(meter);
    let routes = Routes::load(config.folder.join("routes"), Arc::clone(&meter))?;
    let shipping = config.usage.clone().map(Shipping::new).transpose()?.map(Arc::new);
    let cutting = CancellationToken::new();
    let edge = Arc::new(Edge {
        routes,
        waker,
        sessions: Sessions::default(),
        draining: CancellationToken::new(),
        workers: Workers::start(&cutting).map_err(Error::Threads)?,
        home: Handle::current(),
        cutting,
        tasks: TaskTracker::new(),
    });
    let mut handle = GatewayHandle {
        http: bound(&http, config.http)?,
        https: config.https,
        postgres: config.postgres,
        admin: bound(&admin, config.admin)?,
        ca_pem: None,
        edge: Arc::clone(&edge),
        meter: Arc::clone(&meter),
        shipping: shipping.clone(),
    };
    if let Some(tls) = tls {
        handle.ca_pem = tls.ca_pem();
        if let Some(https) = https {
            handle.https = Some(bound(&https, config.https.unwrap_or(config.http))?);
            edge.tasks.spawn(listener::run(Arc::clone(&edge), https, Some(tls.server_config(HTTP_PROTOCOLS)?)));
        }
        if let Some(postgres) = postgres {
            handle.postgres = Some(bound(&postgres, config.postgres.unwrap_or(config.http))?);
            let names = postgres::Names::new(&config);
            let server_config = tls.server_config(postgres::PROTOCOLS)?;
            edge.tasks.spawn(postgres::run(Arc::clone(&edge), postgres, server_config, names));
        }
        edge.tasks.spawn(tls.run(edge.draining.clone()));
    }
    edge.tasks.spawn(listener::run(Arc::clone(&edge), http, None));
    edge.tasks.spawn(serve_admin(Arc::clone(&edge), admin, config.admin_token));
    edge.tasks.spawn(idle::run(Arc::clone(&edge)));
    edge.tasks.spawn(Arc::clone(&meter).run(edge.draining.clone()));
    if let Some(shipping) = shipping {
        edge.tasks.spawn(shipping.run(meter, edge.draining.clone()));
    }
    tracing::info!(http = %handle.http, https = ?handle.https, postgres = ?handle.postgres, admin = %handle.admin, "gateway started");
    Ok(handle)
}

impl GatewayHandle {
    /// Where plain HTTP is served.
    #[must_use]
    pub const fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// Where HTTPS is served.
    #[must_use]
    pub const fn https_address(&self) -> Option<SocketAddr> {
        self.https
    }

    /// Where Postgres is served.
    #[must_use]
    pub const fn postgres_address(&self) -> Option<SocketAddr> {
        self.postgres
    }

    /// Where routes are pushed.
    #[must_use]
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// The certificate of the local authority that clients have to trust; none without TLS or with the operator's own files.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Stops accepting, lets requests finish for a few seconds, cuts what is left, and ships the last usage records.
    pub async fn shutdown(self) {
        self.edge.draining.cancel();
        self.edge.tasks.close();
        if timeout(DRAIN_LIMIT, self.edge.tasks.wait()).await.is_err() {
            tracing::info!(open = self.edge.tasks.len(), "connections still open are cut");
            self.edge.cutting.cancel();
            let _cut = timeout(DRAIN_LIMIT, self.edge.tasks.wait()).await;
        }
        self.meter.flush().await;
        if let Some(shipping) = &self.shipping {
            shipping.finish(&self.meter, LAST_SHIPMENT_LIMIT).await;
        }
        tracing::info!("gateway stopped");
    }
}

impl Drop for GatewayHandle {
    fn drop(&mut self) {
        self.edge.draining.cancel();
        self.edge.cutting.cancel();
    }
}

async fn serve_admin(edge: Arc<Edge>, listener: TcpListener, token: secrecy::SecretString) {
    let draining = edge.draining.clone();
    let router = admin::router(Arc::clone(&edge), token);
    let serving = axum::serve(listener, router).with_graceful_shutdown(draining.cancelled_owned());
    tokio::select! {
        outcome = serving.into_future() => {
            if let Err(error) = outcome {
                tracing::error!(error = %error, "the gateway takes no more routes");
            }
        }
        () = edge.cutting.cancelled() => {}
    }
}

async fn bind_optional(address: Option<SocketAddr>) -> Result<Option<TcpListener>, Error> {
    match address {
        Some(address) => listener::bind(address).await.map(Some),
        None => Ok(None),
    }
}

fn bound(listener: &TcpListener, wanted: SocketAddr) -> Result<SocketAddr, Error> {
    listener.local_addr().map_err(|source| Error::Listen { address: wanted, source })
}
