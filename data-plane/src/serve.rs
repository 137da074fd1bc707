//! A serving process: prepared database, listener, background tasks, and an orderly end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clock::SharedClock;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    advisor, audit, config::Config, connections, database::backups, http, logs, metering::Metering, migrations,
    startup, state::App,
};

/// Connections unused for this long are closed.
const CONNECTION_IDLE: Duration = Duration::from_secs(30);

/// Why the process cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is unusable.
    #[error(transparent)]
    Config(#[from] crate::config::Invalid),
    /// A part could not be set up.
    #[error("set up the process")]
    SetUp(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database could not be brought up to date.
    #[error("prepare the database")]
    Migrate(#[from] migrations::Error),
    /// Keys and secrets could not be prepared.
    #[error("prepare keys and secrets: {0}")]
    Prepare(String),
    /// The address cannot be listened on.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
}

/// A process that serves.
pub struct Serving {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its state.
    pub app: Arc<App>,
    stop: CancellationToken,
    server: JoinHandle<()>,
    background: JoinHandle<()>,
    /// Stops the meter, which goes last: open requests count too.
    stop_metering: CancellationToken,
    metering: JoinHandle<()>,
}

/// Brings the database up to date and serves.
///
/// # Errors
/// See [`Error`]; nothing is left running.
pub async fn start(config: Config, clock: SharedClock) -> Result<Serving, Error> {
    config.check()?;
    let app = App::new(config, clock).map_err(Error::SetUp)?;
    migrations::run(&app.pools, &app.config.postgres_user).await?;
    let prepare_failed = |error: http::Error| Error::Prepare(error.message().to_owned());
    startup::let_tenants_in(&app.pools, &app.config).await.map_err(prepare_failed)?;
    startup::prepare(&app).await.map_err(prepare_failed)?;
    audit::report_interrupted(&app).await.map_err(prepare_failed)?;

    let wanted = SocketAddr::new(app.config.host, app.config.port);
    let listen_failed = |cause| Error::Listen { address: wanted, cause };
    let listener = TcpListener::bind(wanted).await.map_err(listen_failed)?;
    let address = listener.local_addr().map_err(listen_failed)?;

    // Before the first request, so that every act is counted.
    let metering = Metering::open(&app);
    let stop = CancellationToken::new();
    let keep_alive = Duration::from_millis(app.config.keep_alive_timeout_ms);
    let server =
        tokio::spawn(connections::serve(listener, http::Front::new(Arc::clone(&app)), keep_alive, stop.clone()));
    let background = tokio::spawn(in_background(Arc::clone(&app), stop.clone()));
    let stop_metering = CancellationToken::new();
    let metering = tokio::spawn(meter(Arc::clone(&app), metering, stop_metering.clone()));
    tracing::info!(%address, "serving");
    Ok(Serving { address, app, stop, server, background, stop_metering, metering })
}

impl Serving {
    /// Stops listening, lets open requests finish for a while, and ends the background tasks.
    pub async fn stop(self) {
        self.stop.cancel();
        let drain = self.app.config.drain_time();
        let abort = self.server.abort_handle();
        if tokio::time::timeout(drain, self.server).await.is_err() {
            tracing::warn!("requests still open at the end of the drain time are cut off");
            abort.abort();
        }
        self.stop_metering.cancel();
        let (background, metering) = (self.background.abort_handle(), self.metering.abort_handle());
        if tokio::time::timeout(drain, async { tokio::join!(self.background, self.metering) }).await.is_err() {
            background.abort();
            metering.abort();
        }
        self.app.pools.close();
    }
}

async fn meter(app: Arc<App>, metering: Option<Metering>, stop: CancellationToken) {
    if let Some(metering) = metering {
        metering.run(app, stop).await;
    }
}

async fn in_background(app: Arc<App>, stop: CancellationToken) {
    let key = stop.run_until_cancelled(startup::make_signing_key(Arc::clone(&app)));
    let idle = stop.run_until_cancelled(close_idle_connections(&app));
    let log = logs::write_in_background(Arc::clone(&app), stop.clone());
    let scans = stop.run_until_cancelled(advisor::run_scheduled(Arc::clone(&app)));
    let backups = stop.run_until_cancelled(backups::run_scheduled(Arc::clone(&app)));
    tokio::join!(key, idle, log, scans, backups);
}

/// Closes connections that nobody uses. Sleeps without a timer while there is none.
async fn close_idle_connections(app: &App) {
    loop {
        app.pools.used().await;
        loop {
            tokio::time::sleep(CONNECTION_IDLE).await;
            if app.pools.close_idle(CONNECTION_IDLE) {
                break;
            }
        }
    }
}
