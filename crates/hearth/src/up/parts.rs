//! The parts of a running cloud, in the order in which they start.

use std::{
    io::Write as _,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use clock::SystemClock;
use control_plane::{Seams, SharedClients};
use gateway::GatewayHandle;
use outbound::Outbound;
use providers_local::{
    DEFAULT_UIDS, LocalNode,
    postgres::{ControlDatabase, ControlSettings},
};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use workflows::{EmbeddedEngine, GatewayAddresses, Paces, Worker, World, idle_pause};

use super::{edge, price_lists, shared_clients};
use crate::{
    announcement::{Admin, Announcement},
    failure::Failure,
    home::{Home, Role},
    settings::UpSettings,
};

/// A control plane and a worker that are processes of their own have half each.
const CONTROL_CONNECTIONS: u32 = 60;
/// Requests that are under way when the cloud stops get this long.
const DRAIN: Duration = Duration::from_secs(10);

/// What is running, filled as it starts; `stop` takes it apart in reverse.
#[derive(Default)]
pub(crate) struct Parts {
    control_database: Option<ControlDatabase>,
    pool: Option<PgPool>,
    node: Option<Arc<LocalNode>>,
    gateway: Option<GatewayHandle>,
    api: Option<Api>,
    worker: Option<Worker>,
    supervision: Option<Supervision>,
}

struct Api {
    stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}

struct Supervision {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Parts {
    /// Starts what the role consists of. A control plane says where the cloud is.
    pub(crate) async fn start(
        &mut self,
        settings: &UpSettings,
        role: Role,
        home: &Home,
        progress: &Progress,
    ) -> Result<Option<Announcement>, Failure> {
        // Addresses are taken first, so that a clash is noticed before anything is made.
        let listener = match role.includes(Role::ControlPlane) {
            true => Some(listen(settings.api_addr, "--api-addr").await?),
            false => None,
        };
        if role.includes(Role::Gateway) {
            let always = [
                (settings.gateway_http_addr, "--gateway-http-addr"),
                (settings.gateway_https_addr, "--gateway-https-addr"),
                (settings.gateway_admin_addr, "--gateway-admin-addr"),
            ];
            let postgres = settings.postgres_address().map(|address| (address, "--postgres-listen"));
            for (address, flag) in always.into_iter().chain(postgres) {
                drop(listen(address, flag).await?);
            }
        }
        let shared = shared_clients::read(settings)?;
        price_lists::take_into_use(settings)?;
        progress.step("starting the control database");
        let pool = self.start_control_database(settings, role, home).await?;
        let node = match role.includes(Role::Worker) {
            true => Some(self.prepare_machine(settings, home, progress).await?),
            false => None,
        };
        if let Some(node) = &node
            && role.includes(Role::Gateway)
        {
            progress.step("starting the gateway");
            self.gateway = Some(edge::start_gateway(settings, home, Arc::clone(node)).await?);
        }
        progress.step(match role {
            Role::ControlPlane => "starting the control plane",
            Role::Worker => "starting the worker",
            Role::Whole | Role::Gateway => "starting the control plane and the worker",
        });
        let outbound = calls_to_tenants(settings)?;
        let (serves, shared_names) = (listener.is_some(), shared_clients::names(&shared));
        if let Some(listener) = listener {
            self.start_api(settings, home, &pool, Arc::clone(&outbound), shared, listener).await?;
        }
        if let Some(node) = node {
            take_over(&pool).await?;
            self.start_worker(settings, home, &pool, outbound, &node, shared_names)?;
            self.start_supervision(node);
        }
        if serves { self.announce(settings, home, &pool).await.map(Some) } else { Ok(None) }
    }

    async fn prepare_machine(
        &mut self,
        settings: &UpSettings,
        home: &Home,
        progress: &Progress,
    ) -> Result<Arc<LocalNode>, Failure> {
        progress.step("preparing this machine for projects");
        let node = edge::open_node(settings, home).await?;
        self.node = Some(Arc::clone(&node));
        progress.step("preparing the template of new projects (takes seconds the first time)");
        node.prepare_template()
            .await
            .map_err(|cause| Failure::caused("Could not make the template of new projects", cause))?;
        Ok(node)
    }

    async fn start_control_database(
        &mut self,
        settings: &UpSettings,
        role: Role,
        home: &Home,
    ) -> Result<PgPool, Failure> {
        let database = ControlDatabase::start(&ControlSettings {
            home: home.path().to_owned(),
            distribution: edge::distributions(settings)?.remove(0),
            max_connections: CONTROL_CONNECTIONS + 10,
            uids: DEFAULT_UIDS,
        })
        .await
        .map_err(|cause| Failure::caused("Could not start the control database", cause))?;
        let options = connect_options(&database);
        self.control_database = Some(database);
        let pool = sqlx::postgres::PgPoolOptions::new()
            .max_connections(if role == Role::Whole { CONTROL_CONNECTIONS } else { CONTROL_CONNECTIONS / 2 })
            .connect_with(options)
            .await
            .map_err(|cause| Failure::caused("Could not connect to the control database", cause))?;
        self.pool = Some(pool.clone());
        store::migrate(&pool)
            .await
            .map_err(|cause| Failure::caused("Could not bring the control database up to date", cause))?;
        Ok(pool)
    }

    async fn start_api(
        &mut self,
        settings: &UpSettings,
        home: &Home,
        pool: &PgPool,
        outbound: Arc<Outbound>,
        shared_clients: SharedClients,
        listener: TcpListener,
    ) -> Result<(), Failure> {
        let config = control_plane::Config {
            base_domain: settings.base_domain.clone(),
            gateway: control_plane::Gateway {
                https_port: Some(settings.gateway_https_addr.port()),
                http_port: settings.gateway_http_addr.port(),
                postgres_port: settings.postgres_address().map(|address| address.port()),
            },
            latest_version: data_plane_contract::COMPATIBLE_VERSION.parse().expect("our own version is a version"),
            sleep_after_seconds: sleep_after_seconds(settings)?,
            public_url: settings.public_api_url.clone().unwrap_or_else(|| format!("http://{}", settings.api_addr)),
            shared_clients,
            internal_token: home.internal_token()?,
        };
        let seams = Seams {
            pool: pool.clone(),
            engine: Arc::new(EmbeddedEngine::new(pool.clone())),
            clock: clock::for_role("control-plane"),
            master_key: home.master_key()?,
            outbound,
        };
        let state = control_plane::state(config, seams)
            .await
            .map_err(|cause| Failure::caused("Could not start the control plane", cause))?;
        let service = control_plane::router(state).into_make_service_with_connect_info::<SocketAddr>();
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            axum::serve(listener, service)
                .with_graceful_shutdown(async move {
                    // An error means that the sender is gone, which is a stop too.
                    let _gone = stopped.wait_for(|stop| *stop).await;
                })
                .await
        });
        self.api = Some(Api { stop, task });
        Ok(())
    }

    fn start_worker(
        &mut self,
        settings: &UpSettings,
        home: &Home,
        pool: &PgPool,
        outbound: Arc<Outbound>,
        node: &Arc<LocalNode>,
        shared_clients: String,
    ) -> Result<(), Failure> {
        let world = World {
            pool: pool.clone(),
            database: Arc::clone(node) as Arc<dyn providers::Database>,
            compute: Arc::clone(node) as Arc<dyn providers::Compute>,
            gateway: GatewayAddresses {
                admin_url: format!("http://{}", settings.gateway_admin_addr),
                http_url: format!("http://{}", settings.gateway_http_addr),
            },
            http: workflows::http_client().map_err(|cause| Failure::caused("Could not make an HTTP client", cause))?,
            outbound,
            internal_token: home.internal_token()?,
            master_key: home.master_key()?,
            clock: clock::for_role("worker"),
            base_domain: settings.base_domain.clone(),
            shared_clients,
            control_plane_url: format!("http://{}", settings.api_addr),
            merge_undo: settings.merge_undo(),
            public_url: format!("https://{{host}}:{}", settings.gateway_https_addr.port()),
        };
        let idle = idle_pause::Settings { idle_after: settings.pause_idle_after(), ..idle_pause::Settings::default() };
        let paces = Paces { idle, ..Paces::default() };
        self.worker = Some(Worker::start(world, workflows::Settings::default(), paces));
        Ok(())
    }

    fn start_supervision(&mut self, node: Arc<LocalNode>) {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            // Projects that were awake when the cloud stopped are woken beside everything else; requests wake theirs sooner.
            let resumed = async {
                if let Err(error) = node.resume().await {
                    tracing::warn!(
                        error = telemetry::chain(&error),
                        "not every project could be resumed; requests wake them"
                    );
                }
            };
            tokio::join!(resumed, node.supervise(stopped));
        });
        self.supervision = Some(Supervision { stop, task });
    }

    async fn announce(&mut self, settings: &UpSettings, home: &Home, pool: &PgPool) -> Result<Announcement, Failure> {
        let (admin, organization_id) = self.administrator(home, pool).await?;
        Ok(Announcement {
            api_url: format!("http://{}", settings.api_addr),
            gateway_http_url: format!("http://{}", settings.gateway_http_addr),
            gateway_https_url: format!("https://{}", settings.gateway_https_addr),
            gateway_postgres_address: settings.postgres_address().map(|address| address.to_string()),
            ca_pem: edge::authority(settings, home)?,
            admin,
            organization_id,
        })
    }

    /// The first user: made now, or read from what an earlier start wrote. Who holds this home but lost that file gets new credentials.
    async fn administrator(&self, home: &Home, pool: &PgPool) -> Result<(Admin, String), Failure> {
        let failed = |cause| Failure::caused("Could not make the first user's credentials", cause);
        let path = home.join("hearth.json");
        let mut transaction = pool.begin().await.map_err(failed)?;
        let made = control_plane::bootstrap(&mut transaction, &SystemClock).await.map_err(failed)?;
        let made = match (made, Announcement::read(&path)) {
            (None, Some(earlier)) => return Ok((earlier.admin, earlier.organization_id)),
            (None, None) => {
                control_plane::renew_credentials(&mut transaction, &SystemClock).await.map_err(failed)?.ok_or_else(
                    || Failure::new(format!("{} is lost, and there is no operator to make it for.", path.display())),
                )?
            }
            (Some(made), _) => made,
        };
        // A crash before the file is written makes the next start give new ones.
        transaction.commit().await.map_err(failed)?;
        let draft = Announcement::draft(made);
        draft.write(&path)?;
        Ok((draft.admin, draft.organization_id))
    }

    /// Stops everything that was started, last first; the first failure is reported after all was tried.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        if let Some(api) = self.api {
            api.stop.send_replace(true);
            if tokio::time::timeout(DRAIN, api.task).await.is_err() {
                tracing::warn!("requests to the control plane were still open when it stopped");
            }
        }
        if let Some(worker) = self.worker {
            worker.shutdown().await;
        }
        if let Some(supervision) = self.supervision {
            supervision.stop.cancel();
            if let Err(cause) = supervision.task.await {
                outcome = Err(Failure::caused("Supervision of projects ended badly", cause));
            }
        }
        if let Some(gateway) = self.gateway {
            gateway.shutdown().await;
        }
        if let Some(node) = self.node {
            outcome = outcome.and(super::stop_node(&node).await);
        }
        if let Some(pool) = self.pool {
            pool.close().await;
        }
        if let Some(database) = self.control_database {
            let stopped = database.stop().await;
            outcome =
                outcome.and(stopped.map_err(|cause| Failure::caused("Could not stop the control database", cause)));
        }
        outcome
    }
}

/// Goes on at once with what an earlier process was doing: a home has one worker at a time, so none but a dead one can have a lease.
async fn take_over(pool: &PgPool) -> Result<(), Failure> {
    let failed = |cause| Failure::caused("Could not take over the operations of an earlier start", cause);
    let mut connection = pool.acquire().await.map_err(failed)?;
    let ended = store::operation_leases::end_all(&mut connection).await.map_err(failed)?;
    if ended > 0 {
        tracing::info!(operations = ended, "operations that an earlier process was carrying out go on");
    }
    Ok(())
}

/// Makes calls to addresses that tenants chose: the public internet, and what the operator allows besides.
fn calls_to_tenants(settings: &UpSettings) -> Result<Arc<Outbound>, Failure> {
    let made = Outbound::new(outbound::Settings { allowed: settings.outbound_allow.clone(), extra_roots_pem: None });
    made.map(Arc::new).map_err(|cause| Failure::caused("Could not prepare calls to receivers of events", cause))
}

fn connect_options(database: &ControlDatabase) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(database.socket_folder())
        .port(database.port())
        .username(database.user())
        .database(database.database())
}

fn sleep_after_seconds(settings: &UpSettings) -> Result<Option<i64>, Failure> {
    match settings.sleep_after_seconds {
        0 => Ok(None),
        seconds => i64::try_from(seconds).map(Some).map_err(|_| Failure::new("--sleep-after-seconds is too large.")),
    }
}

async fn listen(address: SocketAddr, flag: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|cause| match cause.kind() {
        std::io::ErrorKind::AddrInUse => Failure::new(format!(
            "The address {address} is already in use: stop what listens there or choose another with {flag}."
        )),
        _ => Failure::caused(format!("Could not listen on {address}, given by {flag}"), cause),
    })
}

/// Says on standard output what is being done, with the time since the start.
pub(crate) struct Progress(Instant);

impl Default for Progress {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Progress {
    /// The next thing that is done.
    pub(crate) fn step(&self, text: &str) {
        // A closed pipe must not stop the cloud.
        let _closed = writeln!(std::io::stdout(), "[{:5.1} s] {text}", self.0.elapsed().as_secs_f64());
    }
}
